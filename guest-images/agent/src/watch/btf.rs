//! Finds the members of a kernel's structures in its own type information, BTF
//! (Documentation/bpf/btf.rst).
//!
//! A kernel has some hundred thousand types, and only four are needed. So they are walked
//! over once, and only their positions are kept.

use crate::trace::format::Field;

/// `BTF_MAGIC`, as a little-endian machine reads it.
const MAGIC: u16 = 0xeb9f;

/// The size of a type in bytes, without what its kind adds.
const TYPE: usize = 12;
/// The size of a structure's member, in bytes.
const MEMBER: usize = 12;

/// How deep types are followed. No kernel has more qualifiers, or more nested unnamed
/// structures, on one type. A cycle would have.
const DEEP: usize = 16;

/// The kinds of types (`BTF_KIND_*` in include/uapi/linux/btf.h).
mod kind {
    pub const INT: u32 = 1;
    pub const PTR: u32 = 2;
    pub const ARRAY: u32 = 3;
    pub const STRUCT: u32 = 4;
    pub const UNION: u32 = 5;
    pub const ENUM: u32 = 6;
    pub const FWD: u32 = 7;
    pub const TYPEDEF: u32 = 8;
    pub const VOLATILE: u32 = 9;
    pub const CONST: u32 = 10;
    pub const RESTRICT: u32 = 11;
    pub const FUNC: u32 = 12;
    pub const FUNC_PROTO: u32 = 13;
    pub const VAR: u32 = 14;
    pub const DATASEC: u32 = 15;
    pub const FLOAT: u32 = 16;
    pub const DECL_TAG: u32 = 17;
    pub const TYPE_TAG: u32 = 18;
    pub const ENUM64: u32 = 19;
}

/// The types of a kernel.
pub struct Btf<'a> {
    types: &'a [u8],
    strings: &'a [u8],
    /// Where each type begins in `types`. The index is the type's number minus one.
    places: Vec<u32>,
}

#[derive(Clone, Copy)]
struct Type {
    name: u32,
    kind: u32,
    count: usize,
    flag: bool,
    /// For a type without a size: the type that it refers to.
    size_or_type: u32,
    /// Where the bytes after the type's fixed part begin.
    rest: usize,
}

impl<'a> Btf<'a> {
    /// Reads the header and finds the beginning of each type. `None` if the types cannot
    /// be told apart.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let header = |at| number(bytes, at).map(|number| number as usize);
        if u16::from_le_bytes(*bytes.first_chunk()?) != MAGIC {
            return None;
        }
        let body = bytes.get(header(4)?..)?;
        let section = |at: usize| body.get(header(at)?..)?.get(..header(at + 4)?);
        let mut btf = Btf {
            types: section(8)?,
            strings: section(16)?,
            places: Vec::new(),
        };
        let mut at = 0;
        while at < btf.types.len() {
            let found = btf.at(at)?;
            btf.places.push(at as u32);
            at = found.rest + found.more()?;
        }
        Some(btf)
    }

    /// The size of the structure of that name, in bytes.
    pub fn size(&self, structure: &str) -> Option<usize> {
        Some(self.structure(structure)?.size_or_type as usize)
    }

    /// The member of a structure. `a.b` is member `b` of its member `a`. Members of an
    /// unnamed structure count as members of the structure around it.
    pub fn member(&self, structure: &str, path: &str) -> Option<Field> {
        let mut within = self.structure(structure)?;
        let mut offset = 0;
        let mut size = 0;
        for name in path.split('.') {
            let (at, kind) = self.member_of(within, name, DEEP)?;
            offset += at;
            size = self.bytes_of(kind)?;
            within = self.resolved(kind)?;
        }
        Some(Field::new(path, offset, size))
    }

    /// The first structure of that name that has members.
    fn structure(&self, name: &str) -> Option<Type> {
        self.places.iter().find_map(|at| {
            let found = self.at(*at as usize)?;
            let wanted = found.kind == kind::STRUCT && found.count > 0;
            (wanted && self.is_named(found.name, name)).then_some(found)
        })
    }

    /// The offset and type number of a member.
    fn member_of(&self, within: Type, name: &str, deep: usize) -> Option<(usize, u32)> {
        if deep == 0 || !matches!(within.kind, kind::STRUCT | kind::UNION) {
            return None;
        }
        (0..within.count).find_map(|index| {
            let at = within.rest + index * MEMBER;
            let (named, kind) = (number(self.types, at)?, number(self.types, at + 4)?);
            let place = number(self.types, at + 8)?;
            let (bits, width) = match within.flag {
                true => (place & 0xff_ffff, place >> 24),
                false => (place, 0),
            };
            if width != 0 || !bits.is_multiple_of(8) {
                return None;
            }
            let offset = bits as usize / 8;
            if self.is_named(named, name) {
                return Some((offset, kind));
            }
            if named != 0 {
                return None;
            }
            let (inner, kind) = self.member_of(self.resolved(kind)?, name, deep - 1)?;
            Some((offset + inner, kind))
        })
    }

    /// The type of that number, without its typedefs and qualifiers.
    fn resolved(&self, number: u32) -> Option<Type> {
        let mut number = number;
        for _ in 0..DEEP {
            let place = self.places.get((number as usize).checked_sub(1)?)?;
            let found = self.at(*place as usize)?;
            match found.kind {
                kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG => {
                    number = found.size_or_type
                }
                _ => return Some(found),
            }
        }
        None
    }

    fn bytes_of(&self, number: u32) -> Option<usize> {
        let found = self.resolved(number)?;
        match found.kind {
            kind::PTR => Some(size_of::<u64>()),
            kind::INT | kind::ENUM | kind::ENUM64 | kind::STRUCT | kind::UNION => {
                Some(found.size_or_type as usize)
            }
            _ => None,
        }
    }

    fn at(&self, at: usize) -> Option<Type> {
        let info = number(self.types, at + 4)?;
        Some(Type {
            name: number(self.types, at)?,
            kind: info >> 24 & 0x1f,
            count: info as usize & 0xffff,
            flag: info >> 31 == 1,
            size_or_type: number(self.types, at + 8)?,
            rest: at + TYPE,
        })
    }

    fn is_named(&self, at: u32, name: &str) -> bool {
        let Some(rest) = self.strings.get(at as usize..) else {
            return false;
        };
        rest.strip_prefix(name.as_bytes())
            .is_some_and(|rest| rest.first() == Some(&0))
    }
}

impl Type {
    /// How many bytes the type's kind adds. `None` for an unknown kind: the types after
    /// it cannot be found.
    fn more(&self) -> Option<usize> {
        Some(match self.kind {
            kind::INT | kind::VAR | kind::DECL_TAG => 4,
            kind::ARRAY => 12,
            kind::STRUCT | kind::UNION => self.count * MEMBER,
            kind::DATASEC | kind::ENUM64 => self.count * 12,
            kind::ENUM | kind::FUNC_PROTO => self.count * 8,
            kind::PTR
            | kind::FWD
            | kind::TYPEDEF
            | kind::VOLATILE
            | kind::CONST
            | kind::RESTRICT
            | kind::FUNC
            | kind::FLOAT
            | kind::TYPE_TAG => 0,
            _ => return None,
        })
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    /// Type information that tests build.
    pub struct Made {
        types: Vec<u8>,
        strings: Vec<u8>,
        count: u32,
    }

    impl Made {
        pub fn new() -> Self {
            Made {
                types: Vec::new(),
                strings: vec![0],
                count: 0,
            }
        }

        fn name(&mut self, name: &str) -> u32 {
            if name.is_empty() {
                return 0;
            }
            let at = self.strings.len() as u32;
            self.strings.extend(name.bytes().chain([0]));
            at
        }

        fn words(&mut self, words: &[u32]) {
            let bytes = words.iter().flat_map(|word| word.to_le_bytes());
            self.types.extend(bytes);
        }

        /// Adds a type, and returns its number.
        fn add(&mut self, name: &str, info: u32, size_or_type: u32, more: &[u32]) -> u32 {
            let name = self.name(name);
            self.words(&[name, info, size_or_type]);
            self.words(more);
            self.count += 1;
            self.count
        }

        pub fn int(&mut self, bytes: u32) -> u32 {
            self.add("int", kind::INT << 24, bytes, &[0])
        }

        pub fn pointer(&mut self, to: u32) -> u32 {
            self.add("", kind::PTR << 24, to, &[])
        }

        pub fn typedef(&mut self, name: &str, of: u32) -> u32 {
            self.add(name, kind::TYPEDEF << 24, of, &[])
        }

        /// Adds a structure. Its members are name, type and offset in bytes.
        pub fn structure(&mut self, name: &str, bytes: u32, members: &[(&str, u32, u32)]) -> u32 {
            let mut more = Vec::new();
            for (name, kind, offset) in members {
                more.extend([self.name(name), *kind, offset * 8]);
            }
            self.add(
                name,
                kind::STRUCT << 24 | members.len() as u32,
                bytes,
                &more,
            )
        }

        pub fn bytes(&self) -> Vec<u8> {
            let (types, strings) = (self.types.len() as u32, self.strings.len() as u32);
            let mut bytes = MAGIC.to_le_bytes().to_vec();
            bytes.extend([1, 0]);
            for word in [24, 0, types, types, strings] {
                bytes.extend(u32::to_le_bytes(word));
            }
            bytes.extend(&self.types);
            bytes.extend(&self.strings);
            bytes
        }
    }

    fn made() -> Vec<u8> {
        let mut made = Made::new();
        let int = made.int(4);
        let long = made.int(8);
        let status = made.typedef("blk_status_t", int);
        let iter = made.structure(
            "bvec_iter",
            20,
            &[("bi_sector", long, 0), ("bi_size", int, 8)],
        );
        let unnamed = made.structure("", 8, &[("bi_private", long, 0)]);
        let pointer = made.pointer(iter);
        made.add("bio", kind::FWD << 24, 0, &[]);
        made.structure(
            "bio",
            64,
            &[
                ("bi_status", status, 26),
                ("bi_iter", iter, 32),
                ("", unnamed, 56),
                ("bi_io_vec", pointer, 8),
            ],
        );
        made.bytes()
    }

    #[rstest]
    #[case::through_another_name("bi_status", Some((26, 4)))]
    #[case::nested("bi_iter.bi_size", Some((40, 4)))]
    #[case::whole("bi_iter", Some((32, 20)))]
    #[case::of_a_structure_without_a_name("bi_private", Some((56, 8)))]
    #[case::pointer("bi_io_vec", Some((8, 8)))]
    #[case::not_through_a_pointer("bi_io_vec.bi_size", None)]
    #[case::no_such("bi_vcnt", None)]
    #[case::only_the_whole_name("bi_stat", None)]
    fn members(#[case] path: &str, #[case] expected: Option<(usize, usize)>) {
        let bytes = made();
        let btf = Btf::parse(&bytes).unwrap();
        let found = btf.member("bio", path);
        assert_eq!(found.map(|field| (field.offset, field.size)), expected);
        assert_eq!(btf.size("bio"), Some(64));
        assert!(btf.member("gendisk", path).is_none());
    }

    #[test]
    fn a_kind_of_the_future_ends_it() {
        let mut made = Made::new();
        made.int(4);
        made.add("new", 31 << 24, 0, &[]);
        assert!(Btf::parse(&made.bytes()).is_none());
    }

    #[test]
    fn a_circle_of_names_is_no_type() {
        let mut made = Made::new();
        made.typedef("a", 2);
        made.typedef("b", 1);
        made.structure("s", 4, &[("m", 1, 0)]);
        let bytes = made.bytes();
        assert!(Btf::parse(&bytes).unwrap().member("s", "m").is_none());
    }

    /// Only the running kernel's; tests with a guest read those of guests.
    #[test]
    #[ignore = "reads this host's kernel, which may have no type information (BTF)"]
    fn the_running_kernel_is_understood() {
        let bytes = std::fs::read("/sys/kernel/btf/vmlinux").unwrap();
        let btf = Btf::parse(&bytes).unwrap();
        let iter = btf.member("bio", "bi_iter").unwrap();
        let size = btf.member("bio", "bi_iter.bi_size").unwrap();
        assert_eq!(size.offset, iter.offset + 8);
        assert_eq!(btf.size("bio_vec"), Some(16));
    }

    #[test]
    fn a_structure_within_itself_has_no_end_and_no_member() {
        let mut made = Made::new();
        made.structure("s", 4, &[("", 1, 0)]);
        let bytes = made.bytes();
        assert!(Btf::parse(&bytes).unwrap().member("s", "m").is_none());
    }

    proptest! {
        #[test]
        fn any_damage_is_survived(at in 0usize..400, byte: u8) {
            let mut bytes = made();
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Some(btf) = Btf::parse(&bytes) {
                btf.member("bio", "bi_iter.bi_size");
                btf.member("bio", "bi_private");
            }
        }

        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            Btf::parse(&bytes);
        }
    }
}

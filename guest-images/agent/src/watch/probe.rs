//! Defines kprobe events that fetch a bio's fields and its vector
//! (Documentation/trace/kprobetrace.rst).

use super::btf::Btf;
use crate::trace::format::Field;
use halfway_protocol::bio::{LONGEST, Point};
use std::fmt::Write;

/// The group of these events in tracefs.
pub const GROUP: &str = "halfway";

/// How many entries of a vector one event fetches. A longer vector is fetched by several
/// events, because a record of the ring must be shorter than a page.
pub const WINDOW: u32 = 64;

/// How many events each point has.
pub const WINDOWS: u32 = LONGEST.div_ceil(WINDOW);

/// How many elements an array that an event fetches may have (`MAX_ARRAY_LEN` in
/// kernel/trace/trace_probe.h).
const ELEMENTS: u32 = 64;

/// Where in a function an event is placed.
///
/// The first instruction belongs to ftrace. There, interrupts stay on while an event is
/// recorded, and a bio that an interrupt handles meanwhile is missed: about one sighting
/// in a hundred. Just after that instruction, a kprobe is a trap, which turns interrupts
/// off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// After ftrace's five bytes. A probe within them is refused (`check_ftrace_location`
    /// in kernel/kprobes.c).
    Behind,
    /// The same, if these bytes follow an `endbr64`.
    BehindBranchTarget,
    /// On the first instruction.
    Entry,
}

impl Place {
    /// All places, the best first.
    pub const ALL: [Place; 3] = [Place::Behind, Place::BehindBranchTarget, Place::Entry];

    fn offset(self) -> &'static str {
        match self {
            Place::Behind => "+5",
            Place::BehindBranchTarget => "+9",
            Place::Entry => "",
        }
    }

    /// Where the first argument is. At these places it is still in its register.
    fn argument(self) -> &'static str {
        match self {
            Place::Behind | Place::BehindBranchTarget => "%di",
            Place::Entry => ARGUMENT,
        }
    }
}

/// The first argument, at a function's entry.
const ARGUMENT: &str = "$arg1";

/// Where the members of a bio and of a vector's entry are in this kernel.
#[derive(Debug)]
pub struct Layout {
    /// The offset of `bi_io_vec` in a bio, in bytes.
    vector: usize,
    /// The arguments of an event that fetch the bio's other fields.
    scalars: String,
    /// The `bv_page` of an entry.
    pub page: Field,
    /// The `bv_len` of an entry.
    pub bytes: Field,
    /// The `bv_offset` of an entry.
    pub offset: Field,
    /// The size of an entry, in bytes.
    pub entry: usize,
}

impl Layout {
    /// The layout according to the kernel's type information.
    ///
    /// # Errors
    /// A member does not exist, or is not as expected.
    pub fn new(btf: &Btf) -> Result<Self, String> {
        let member = |structure: &str, path: &str| {
            btf.member(structure, path)
                .ok_or_else(|| format!("struct {structure} has no {path}"))
        };
        let bio = |path: &str| {
            match path {
                // Its name since 7.3.
                "bi_iter.bi_bvec_done" => btf.member("bio", "bi_iter.bi_offset"),
                _ => None,
            }
            .map_or_else(|| member("bio", path), Ok)
        };
        let mut scalars = String::new();
        let mut fetch = |name: &str, what: &str, size: usize| {
            // Writing to a string cannot fail.
            let _ = write!(scalars, " {name}={what}:x{}", size * 8);
        };
        for (name, path) in [
            ("op", "bi_opf"),
            ("status", "bi_status"),
            ("sector", "bi_iter.bi_sector"),
            ("bytes", "bi_iter.bi_size"),
            ("index", "bi_iter.bi_idx"),
            ("done", "bi_iter.bi_bvec_done"),
            ("count", "bi_vcnt"),
            ("vector", "bi_io_vec"),
            ("private", "bi_private"),
            ("remaining", "__bi_remaining.counter"),
        ] {
            let Field { offset, size, .. } = bio(path)?;
            fetch(name, &format!("+{offset}($arg1)"), size);
        }
        let private = bio("bi_private")?.offset;
        let remaining = bio("__bi_remaining.counter")?;
        let parent = format!("+{}(+{private}($arg1))", remaining.offset);
        fetch("parent", &parent, remaining.size);
        match btf.member("bio", "bi_bdev") {
            Some(device) => {
                let number = member("block_device", "bd_dev")?;
                let what = format!("+{}(+{}($arg1))", number.offset, device.offset);
                fetch("dev", &what, number.size);
            }
            // Until 5.11 a bio had a pointer to the disk.
            None => {
                let disk = bio("bi_disk")?.offset;
                for (name, path) in [("major", "major"), ("minor", "first_minor")] {
                    let number = member("gendisk", path)?;
                    let what = format!("+{}(+{disk}($arg1))", number.offset);
                    fetch(name, &what, number.size);
                }
            }
        }
        let entry = btf.size("bio_vec").unwrap_or_default();
        if !entry.is_multiple_of(size_of::<u64>()) || entry == 0 {
            return Err(format!("struct bio_vec has {entry} bytes"));
        }
        Ok(Layout {
            vector: bio("bi_io_vec")?.offset,
            scalars,
            page: member("bio_vec", "bv_page")?,
            bytes: member("bio_vec", "bv_len")?,
            offset: member("bio_vec", "bv_offset")?,
            entry,
        })
    }

    /// The definition of the event that fetches the vector's `window` at `point`. The
    /// event for the first window fetches the bio's fields too.
    pub fn definition(&self, point: Point, window: u32, place: Place) -> String {
        let (name, function) = (name(point, window), point.function());
        let scalars = if window == 0 { &self.scalars } else { "" };
        let mut line = format!(
            "p:{GROUP}/{name} {function}{} bio={ARGUMENT}:x64{scalars}",
            place.offset()
        );
        for (index, (from, elements)) in self.arrays(window).enumerate() {
            let vector = self.vector;
            let _ = write!(
                line,
                " v{index}=+{from}(+{vector}({ARGUMENT})):x64[{elements}]"
            );
        }
        line.replace(ARGUMENT, place.argument())
    }

    /// The names of an event's arrays.
    pub fn array_names(&self) -> Vec<String> {
        (0..self.arrays(0).count())
            .map(|index| format!("v{index}"))
            .collect()
    }

    /// The arrays of 64-bit elements that make up a window: for each its offset in the
    /// vector in bytes, and its number of elements.
    fn arrays(&self, window: u32) -> impl Iterator<Item = (u32, u32)> {
        let bytes = WINDOW * self.entry as u32;
        let (start, words) = (window * bytes, bytes / 8);
        (0..words).step_by(ELEMENTS as usize).map(move |word| {
            let elements = ELEMENTS.min(words - word);
            (start + word * 8, elements)
        })
    }
}

/// The name of an event within [`GROUP`].
pub fn name(point: Point, window: u32) -> String {
    format!("{}{window}", point.function())
}

#[cfg(test)]
pub mod tests {
    use super::super::btf::tests::Made;
    use super::*;

    /// Type information like a real kernel's, built by hand.
    pub fn types(with_disk: bool) -> Vec<u8> {
        let mut made = Made::new();
        let [byte, short, int, long] = [1, 2, 4, 8].map(|size| made.int(size));
        let pointer = made.pointer(int);
        let atomic = made.structure("", 4, &[("counter", int, 0)]);
        let atomic = made.typedef("atomic_t", atomic);
        let iter = made.structure(
            "bvec_iter",
            20,
            &[
                ("bi_sector", long, 0),
                ("bi_size", int, 8),
                ("bi_idx", int, 12),
                ("bi_bvec_done", int, 16),
            ],
        );
        let device = if with_disk { "bi_disk" } else { "bi_bdev" };
        made.structure("gendisk", 8, &[("major", int, 0), ("first_minor", int, 4)]);
        made.structure("block_device", 64, &[("bd_dev", int, 52)]);
        made.structure(
            "bio_vec",
            16,
            &[
                ("bv_page", pointer, 0),
                ("bv_len", int, 8),
                ("bv_offset", int, 12),
            ],
        );
        made.structure(
            "bio",
            136,
            &[
                (device, pointer, 8),
                ("bi_opf", int, 16),
                ("bi_status", byte, 24),
                ("__bi_remaining", atomic, 28),
                ("bi_iter", iter, 32),
                ("bi_private", pointer, 64),
                ("bi_vcnt", short, 104),
                ("bi_io_vec", pointer, 112),
            ],
        );
        made.bytes()
    }

    #[test]
    fn the_first_event_fetches_the_bio_and_64_entries() {
        let bytes = types(false);
        let layout = Layout::new(&Btf::parse(&bytes).unwrap()).unwrap();
        assert_eq!(
            layout.definition(Point::End, 0, Place::Entry),
            "p:halfway/bio_endio0 bio_endio bio=$arg1:x64 op=+16($arg1):x32 status=+24($arg1):x8 \
             sector=+32($arg1):x64 bytes=+40($arg1):x32 index=+44($arg1):x32 done=+48($arg1):x32 \
             count=+104($arg1):x16 vector=+112($arg1):x64 private=+64($arg1):x64 \
             remaining=+28($arg1):x32 parent=+28(+64($arg1)):x32 dev=+52(+8($arg1)):x32 \
             v0=+0(+112($arg1)):x64[64] v1=+512(+112($arg1)):x64[64]"
        );
        assert_eq!(
            layout.definition(Point::DmEnd, 3, Place::BehindBranchTarget),
            "p:halfway/clone_endio3 clone_endio+9 bio=%di:x64 \
             v0=+3072(+112(%di)):x64[64] v1=+3584(+112(%di)):x64[64]"
        );
        assert_eq!(layout.array_names(), ["v0", "v1"]);
    }

    #[test]
    fn where_a_bio_names_the_disk_its_number_is_the_disks() {
        let bytes = types(true);
        let layout = Layout::new(&Btf::parse(&bytes).unwrap()).unwrap();
        let line = layout.definition(Point::Submit, 0, Place::Entry);
        assert!(
            line.contains(" major=+0(+8($arg1)):x32 minor=+4(+8($arg1)):x32"),
            "{line}"
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let mut made = Made::new();
        made.structure("other", 0, &[]);
        let bytes = made.bytes();
        let error = Layout::new(&Btf::parse(&bytes).unwrap()).unwrap_err();
        assert_eq!(error, "struct bio has no bi_opf");
    }
}

//! Parses the kernel's description of a binary record: `events/*/*/format` and
//! `events/header_page` (Documentation/trace/events.rst).

/// A field of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    name: String,
    /// Where it begins, in bytes from the start of the record.
    pub offset: usize,
    /// Its size in bytes.
    pub size: usize,
}

impl Field {
    /// A field with this name and place.
    pub fn new(name: &str, offset: usize, size: usize) -> Self {
        Field {
            name: name.to_owned(),
            offset,
            size,
        }
    }

    /// The field's bytes in a record. `None` if the record ends before them.
    pub fn bytes<'a>(&self, record: &'a [u8]) -> Option<&'a [u8]> {
        record.get(self.offset..self.offset + self.size)
    }

    /// The field as an unsigned number of at most eight bytes.
    pub fn number(&self, record: &[u8]) -> Option<u64> {
        let bytes = self.bytes(record)?;
        let mut wide = [0; 8];
        // Numbers are little-endian, as on every machine that Halfway runs on.
        wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(u64::from_le_bytes(wide))
    }

    /// The field as text, if it is an array of characters.
    pub fn text(&self, record: &[u8]) -> Option<String> {
        let bytes = self.bytes(record)?;
        let end = bytes.iter().position(|byte| *byte == 0);
        let text = &bytes[..end.unwrap_or(bytes.len())];
        Some(String::from_utf8_lossy(text).into_owned())
    }
}

/// The number of a kind of record, and its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// The value of `common_type` in records of this kind. 0 in `header_page`.
    pub id: u16,
    fields: Vec<Field>,
}

impl Format {
    /// Parses a format file. Unknown lines are ignored, so that additions of newer
    /// kernels do no harm.
    pub fn parse(text: &str) -> Self {
        let id = text
            .lines()
            .find_map(|line| line.strip_prefix("ID:")?.trim().parse().ok());
        Self {
            id: id.unwrap_or_default(),
            fields: text.lines().filter_map(field).collect(),
        }
    }

    /// The field with the first of these names that exists.
    pub fn field(&self, names: &[&str]) -> Option<&Field> {
        names
            .iter()
            .find_map(|name| self.fields.iter().find(|field| field.name == *name))
    }
}

/// Parses `field:TYPE NAME; offset:N; size:N; signed:N;`. The name of an array has its
/// length: `rwbs[8]`.
fn field(line: &str) -> Option<Field> {
    let mut parts = line.trim().split(';').map(str::trim);
    let declaration = parts.next()?.strip_prefix("field:")?;
    let name = declaration.rsplit([' ', '*']).next()?;
    let name = name.split('[').next()?;
    let mut number = |key: &str| parts.next()?.strip_prefix(key)?.parse().ok();
    Some(Field {
        name: name.to_owned(),
        offset: number("offset:")?,
        size: number("size:")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const TEXT: &str = "name: some\nID: 1204\nformat:\n\
        \tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\n\
        \tfield:sector_t sector;\toffset:16;\tsize:8;\tsigned:0;\n\
        \tfield:char rwbs[10];\toffset:24;\tsize:10;\tsigned:0;\n\
        \tfield:__data_loc char[] cmd;\toffset:36;\tsize:4;\tsigned:0;\n\nprint fmt: \"%d\"\n";

    #[rstest]
    #[case(&["sector"], Some((16, 8)))]
    #[case(&["rwbs"], Some((24, 10)))]
    #[case(&["none", "cmd"], Some((36, 4)))]
    #[case(&["none"], None)]
    fn fields(#[case] names: &[&str], #[case] expected: Option<(usize, usize)>) {
        let format = Format::parse(TEXT);
        assert_eq!(format.id, 1204);
        let found = format.field(names).map(|field| (field.offset, field.size));
        assert_eq!(found, expected);
    }

    #[rstest]
    #[case(0, 8, Some(0x0807_0605_0403_0201))]
    #[case(1, 2, Some(0x0302))]
    #[case(4, 8, None)]
    #[case(0, 9, None)]
    fn numbers(#[case] offset: usize, #[case] size: usize, #[case] expected: Option<u64>) {
        let field = Field::new("", offset, size);
        assert_eq!(field.number(&[1, 2, 3, 4, 5, 6, 7, 8, 9]), expected);
    }
}

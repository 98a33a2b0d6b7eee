//! Decodes a binary record into a [`TraceEvent`].

use super::format::{Field, Format};
use halfway_protocol::trace::{Dev, Kind, TraceEvent};

/// How to decode the records of one kind. A field that this kernel's event does not have
/// is `None`.
pub struct Decoder {
    kind: Kind,
    /// The value of `common_type` in these records.
    pub id: u16,
    dev: Field,
    sector: Field,
    sectors: Option<Field>,
    /// For splits: the field with the sector where the bio was split.
    cut: Option<Field>,
    rwbs: Option<Field>,
    error: Option<Field>,
    from: Option<(Field, Field)>,
    comm: Option<Field>,
}

impl Decoder {
    /// Made from the event's format. `None` if that lacks a field that every block event
    /// has.
    pub fn new(kind: Kind, format: &Format) -> Option<Self> {
        let field = |names: &[&str]| format.field(names).cloned();
        Some(Self {
            kind,
            id: format.id,
            dev: field(&["dev"])?,
            sector: field(&["sector"])?,
            sectors: field(&["nr_sector"]),
            cut: field(&["new_sector"]),
            rwbs: field(&["rwbs"]),
            // The field was called `errors` until 4.14, and in some events until later.
            error: field(&["error", "errors"]),
            from: field(&["old_dev"]).zip(field(&["old_sector"])),
            comm: field(&["comm"]),
        })
    }

    /// Decodes a record. `None` if it ends before its fields do.
    pub fn decode(&self, ns: u64, record: &[u8]) -> Option<TraceEvent> {
        let number = |field: &Field| field.number(record);
        let dev = |field: &Field| Some(Dev::from_kernel(number(field)? as u32));
        let sector = number(&self.sector)?;
        let text = |field: &Option<Field>| field.as_ref().and_then(|field| field.text(record));
        Some(TraceEvent {
            ns,
            kind: self.kind,
            dev: dev(&self.dev)?,
            sector,
            sectors: match (&self.cut, &self.sectors) {
                (Some(cut), _) => number(cut)?.wrapping_sub(sector),
                (None, Some(sectors)) => number(sectors)?,
                (None, None) => 0,
            },
            rwbs: text(&self.rwbs).unwrap_or_default(),
            error: match &self.error {
                Some(error) => number(error)? as i32,
                None => 0,
            },
            from: match &self.from {
                Some((from, sector)) => Some((dev(from)?, number(sector)?)),
                None => None,
            },
            task: text(&self.comm),
        })
    }
}

/// The number in `common_type`, which tells the kind of a record.
pub fn id(record: &[u8]) -> Option<u16> {
    // It is the first field of every record (`struct trace_entry`).
    Some(u16::from_le_bytes(*record.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// A format file with these fields: type, name, offset, size.
    fn format(fields: &[(&str, &str, usize, usize)]) -> Format {
        let lines = fields.iter().map(|(kind, name, offset, size)| {
            format!("\tfield:{kind} {name};\toffset:{offset};\tsize:{size};\tsigned:0;\n")
        });
        Format::parse(&format!("ID: 9\nformat:\n{}", lines.collect::<String>()))
    }

    /// A record of 64 bytes that has these bytes at these offsets.
    fn record(parts: &[(usize, &[u8])]) -> Vec<u8> {
        let mut record = vec![0; 64];
        record[0] = 9;
        for (offset, bytes) in parts {
            record[*offset..*offset + bytes.len()].copy_from_slice(bytes);
        }
        record
    }

    const DEV: (&str, &str, usize, usize) = ("dev_t", "dev", 8, 4);
    const SECTOR: (&str, &str, usize, usize) = ("sector_t", "sector", 16, 8);

    fn event(kind: Kind) -> TraceEvent {
        TraceEvent {
            ns: 5,
            kind,
            dev: Dev(254, 16),
            sector: 2048,
            sectors: 128,
            rwbs: "RS".into(),
            error: 0,
            from: None,
            task: None,
        }
    }

    // The offsets are those of 6.1. The wider rwbs is that of 7.3.
    #[rstest]
    #[case::remap(
        Kind::BioRemap,
        &[
            DEV, SECTOR,
            ("unsigned int", "nr_sector", 24, 4), ("dev_t", "old_dev", 28, 4),
            ("sector_t", "old_sector", 32, 8), ("char", "rwbs[8]", 40, 8),
        ],
        &[(24, &[128][..]), (28, &[1, 0, 0xd0, 0x0f][..]), (32, &[7][..]), (40, &b"RS"[..])],
        TraceEvent { from: Some((Dev(253, 1), 7)), ..event(Kind::BioRemap) }
    )]
    #[case::split(
        Kind::Split,
        &[
            DEV, SECTOR,
            ("sector_t", "new_sector", 24, 8), ("char", "rwbs[8]", 32, 8),
            ("char", "comm[16]", 40, 16),
        ],
        &[(24, &[0x80, 8][..]), (32, &b"RS"[..]), (40, &b"io"[..])],
        TraceEvent { task: Some("io".into()), ..event(Kind::Split) }
    )]
    #[case::complete(
        Kind::RqComplete,
        &[
            DEV, SECTOR,
            ("unsigned int", "nr_sector", 24, 4), ("int", "error", 28, 4),
            ("char", "rwbs[10]", 34, 10), ("__data_loc char[]", "cmd", 44, 4),
        ],
        &[(24, &[128][..]), (28, &[0xfb, 0xff, 0xff, 0xff][..]), (34, &b"RS"[..])],
        TraceEvent { error: -5, ..event(Kind::RqComplete) }
    )]
    fn records(
        #[case] kind: Kind,
        #[case] fields: &[(&str, &str, usize, usize)],
        #[case] parts: &[(usize, &[u8])],
        #[case] expected: TraceEvent,
    ) {
        let decoder = Decoder::new(kind, &format(fields)).unwrap();
        let mut record = record(parts);
        record[8..12].copy_from_slice(&(254u32 << 20 | 16).to_le_bytes());
        record[16..18].copy_from_slice(&2048u16.to_le_bytes());
        assert_eq!(id(&record), Some(decoder.id));
        assert_eq!(decoder.decode(5, &record), Some(expected));
    }

    #[test]
    fn a_short_record_is_not_decoded() {
        let decoder = Decoder::new(Kind::BioQueue, &format(&[DEV, SECTOR])).unwrap();
        assert_eq!(decoder.decode(5, &record(&[])[..20]), None);
    }

    #[test]
    fn an_event_without_a_sector_is_not_ours() {
        assert!(Decoder::new(Kind::BioQueue, &format(&[DEV])).is_none());
    }
}

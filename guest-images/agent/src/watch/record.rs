//! Decodes the records of the kprobe events into [`BioEvent`]s.

use super::probe::{Layout, WINDOW};
use crate::trace::event::id;
use crate::trace::format::{Field, Format};
use halfway_protocol::bio::{BioEvent, Bvec, Iter, Point};
use halfway_protocol::trace::Dev;
use std::collections::HashMap;

/// The operations that move data (`REQ_OP_READ`, `REQ_OP_WRITE` in
/// include/linux/blk_types.h). The bios of others have no vector.
const DATA: [u8; 2] = [0, 1];

/// How to decode the records of one event.
pub struct Decoder {
    point: Point,
    /// The number of the vector's window that it has.
    window: u32,
    /// The value of `common_type` in these records.
    id: u16,
    bio: Field,
    /// The bio's other fields. Only the event of the first window has them.
    head: Option<Head>,
    arrays: Vec<Field>,
}

struct Head {
    op: Field,
    status: Field,
    sector: Field,
    bytes: Field,
    index: Field,
    done: Field,
    count: Field,
    vector: Field,
    private: Field,
    remaining: Field,
    parent: Field,
    dev: Option<Field>,
    disk: Option<(Field, Field)>,
}

impl Decoder {
    /// Made from the event's format. `None` if that lacks a field.
    pub fn new(point: Point, window: u32, format: &Format, layout: &Layout) -> Option<Self> {
        let field = |name: &str| format.field(&[name]).cloned();
        let head = || {
            Some(Head {
                op: field("op")?,
                status: field("status")?,
                sector: field("sector")?,
                bytes: field("bytes")?,
                index: field("index")?,
                done: field("done")?,
                count: field("count")?,
                vector: field("vector")?,
                private: field("private")?,
                remaining: field("remaining")?,
                parent: field("parent")?,
                dev: field("dev"),
                disk: field("major").zip(field("minor")),
            })
        };
        Some(Self {
            point,
            window,
            id: format.id,
            bio: field("bio")?,
            head: match window {
                0 => Some(head()?),
                _ => None,
            },
            arrays: layout
                .array_names()
                .iter()
                .map(|name| field(name))
                .collect::<Option<_>>()?,
        })
    }

    fn entries(&self, record: &[u8], layout: &Layout) -> Option<Vec<Bvec>> {
        let arrays = self.arrays.iter().map(|array| array.bytes(record));
        let bytes = arrays.collect::<Option<Vec<_>>>()?.concat();
        let entries = bytes.chunks_exact(layout.entry).map(|entry| {
            let number = |field: &Field| field.number(entry);
            Some(Bvec {
                page: number(&layout.page)?,
                bytes: number(&layout.bytes)? as u32,
                offset: number(&layout.offset)? as u32,
            })
        });
        entries.collect()
    }
}

impl Head {
    fn event(&self, ns: u64, point: Point, bio: u64, record: &[u8]) -> Option<BioEvent> {
        let number = |field: &Field| field.number(record);
        Some(BioEvent {
            ns,
            point,
            bio,
            dev: match (&self.dev, &self.disk) {
                (Some(dev), _) => Dev::from_kernel(number(dev)? as u32),
                (None, Some((major, minor))) => Dev(number(major)? as u32, number(minor)? as u32),
                (None, None) => return None,
            },
            op: number(&self.op)? as u32,
            status: number(&self.status)? as u8,
            iter: Iter {
                sector: number(&self.sector)?,
                bytes: number(&self.bytes)? as u32,
                index: number(&self.index)? as u32,
                done: number(&self.done)? as u32,
            },
            remaining: number(&self.remaining)? as u32,
            private: number(&self.private)?,
            parent_remaining: number(&self.parent)? as u32,
            vector: number(&self.vector)?,
            count: number(&self.count)? as u16,
            content: 0,
        })
    }
}

/// One call of a point's function, put together window by window. At a function there is
/// an event for each window. Which of them is recorded first depends on the kernel
/// (`list_add_rcu` in `register_aggr_kprobe`).
struct Sighting {
    point: Point,
    bio: u64,
    head: Option<BioEvent>,
    windows: Vec<Option<Vec<Bvec>>>,
}

impl Sighting {
    fn whole(self) -> Option<(BioEvent, Vec<Bvec>)> {
        let windows: Option<Vec<Vec<Bvec>>> = self.windows.into_iter().collect();
        Some((self.head?, windows?.concat()))
    }
}

/// Puts the records of a watch together.
pub struct Reading<'a> {
    decoders: &'a [Decoder],
    layout: &'a Layout,
    /// How many windows of each vector are fetched.
    windows: u32,
    sightings: Vec<Sighting>,
    /// How many records of first windows there were.
    pub heads: u64,
    lost: u64,
}

/// The result of all records.
#[derive(Debug, Default)]
pub struct Read {
    /// The sightings, in order of time.
    pub events: Vec<BioEvent>,
    /// The contents of vectors that the events refer to.
    pub contents: Vec<Vec<Bvec>>,
    /// Records that could not be decoded, and sightings that lack a part.
    pub lost: u64,
}

impl<'a> Reading<'a> {
    /// Starts before the first record.
    pub fn new(decoders: &'a [Decoder], layout: &'a Layout, windows: u32) -> Self {
        Reading {
            decoders,
            layout,
            windows,
            sightings: Vec::new(),
            heads: 0,
            lost: 0,
        }
    }

    /// Takes a record. The records of a CPU's ring must come in their order.
    pub fn record(&mut self, ns: u64, record: &[u8]) {
        let decoder =
            id(record).and_then(|id| self.decoders.iter().find(|decoder| decoder.id == id));
        let Some(decoder) = decoder else { return };
        if self.read(decoder, ns, record).is_none() {
            self.lost += 1;
        }
    }

    fn read(&mut self, decoder: &Decoder, ns: u64, record: &[u8]) -> Option<()> {
        let (point, bio) = (decoder.point, decoder.bio.number(record)?);
        let window = decoder.window as usize;
        let entries = decoder.entries(record, self.layout)?;
        let head = match &decoder.head {
            Some(head) => Some(head.event(ns, point, bio, record)?),
            None => None,
        };
        self.heads += u64::from(head.is_some());
        if window >= self.windows as usize {
            return None;
        }
        // The records of one call follow each other, except for records of an interrupt
        // between them.
        let mut latest = self.sightings.iter_mut().rev();
        let known = latest.find(|known| (known.point, known.bio) == (point, bio));
        let sighting = match known.filter(|known| known.windows[window].is_none()) {
            Some(open) => open,
            None => {
                self.sightings.push(Sighting {
                    point,
                    bio,
                    head: None,
                    windows: vec![None; self.windows as usize],
                });
                self.sightings.last_mut()?
            }
        };
        sighting.windows[window] = Some(entries);
        sighting.head = sighting.head.or(head);
        Some(())
    }

    /// The events in order of time, and the contents that they refer to. Entries after a
    /// vector's end are removed: a clone does not tell the length of its vector, but its
    /// original does.
    pub fn finish(self) -> Read {
        let sightings = self.sightings.len();
        let whole = self.sightings.into_iter().filter_map(Sighting::whole);
        let mut whole: Vec<(BioEvent, Vec<Bvec>)> = whole.collect();
        let lost = self.lost + (sightings - whole.len()) as u64;
        whole.sort_by_key(|(event, _)| event.ns);
        let mut known: HashMap<u64, usize> = HashMap::new();
        let mut numbers: HashMap<Vec<Bvec>, u32> = HashMap::new();
        let mut contents = Vec::new();
        let longest = (self.windows * WINDOW) as usize;
        let events = whole.into_iter().map(|(mut event, mut content)| {
            let length = if !DATA.contains(&(event.op as u8)) {
                0
            } else if event.count > 0 {
                known.insert(event.vector, usize::from(event.count));
                usize::from(event.count)
            } else {
                let known = known.get(&event.vector).copied();
                known.unwrap_or_else(|| spanned(event.iter, &content))
            };
            content.truncate(length.min(longest));
            event.content = *numbers.entry(content).or_insert_with_key(|content| {
                contents.push(content.clone());
                contents.len() as u32 - 1
            });
            event
        });
        Read {
            events: events.collect(),
            contents,
            lost,
        }
    }
}

/// How many entries there are, up to the last one that the iterator still has to process.
fn spanned(iter: Iter, content: &[Bvec]) -> usize {
    let mut left = u64::from(iter.bytes) + u64::from(iter.done);
    let first = iter.index as usize;
    let rest = content.get(first..).unwrap_or_default();
    let spanned = rest.iter().take_while(|entry| {
        let wanted = left > 0;
        left = left.saturating_sub(u64::from(entry.bytes));
        wanted
    });
    first + spanned.count()
}

#[cfg(test)]
mod tests {
    use super::super::btf::Btf;
    use super::super::probe::tests::types;
    use super::*;
    use rstest::rstest;

    fn layout() -> Layout {
        Layout::new(&Btf::parse(&types(false)).unwrap()).unwrap()
    }

    /// The offsets of the bio's fields in the records of these tests. The arrays follow
    /// at 128.
    const SCALARS: [(&str, usize, usize); 13] = [
        ("bio", 8, 8),
        ("op", 16, 4),
        ("status", 20, 1),
        ("sector", 24, 8),
        ("bytes", 32, 4),
        ("index", 36, 4),
        ("done", 40, 4),
        ("count", 44, 2),
        ("vector", 48, 8),
        ("private", 56, 8),
        ("remaining", 64, 4),
        ("parent", 68, 4),
        ("dev", 72, 4),
    ];

    fn decoder(point: Point, window: u32, id: u16) -> Decoder {
        let line = |name: &str, offset: usize, size: usize| {
            format!("\tfield:u64 {name};\toffset:{offset};\tsize:{size};\tsigned:0;\n")
        };
        let scalars = SCALARS
            .iter()
            .filter(|(name, ..)| window == 0 || *name == "bio");
        let mut text: String = scalars
            .map(|(name, at, size)| line(name, *at, *size))
            .collect();
        text += &line("v0[64]", 128, 512);
        text += &line("v1[64]", 640, 512);
        Decoder::new(
            point,
            window,
            &Format::parse(&format!("ID: {id}\n{text}")),
            &layout(),
        )
        .unwrap()
    }

    /// A record with these numbers. Entry `n` of its vector has page `first + n` and 4096
    /// bytes.
    fn record(id: u16, numbers: &[(&str, u64)], first: u64) -> Vec<u8> {
        let mut record = vec![0; 1152];
        record[..2].copy_from_slice(&id.to_le_bytes());
        for (name, number) in numbers {
            let (_, at, size) = SCALARS.iter().find(|(known, ..)| known == name).unwrap();
            record[*at..at + size].copy_from_slice(&number.to_le_bytes()[..*size]);
        }
        for (index, entry) in record[128..].chunks_exact_mut(16).enumerate() {
            entry[..8].copy_from_slice(&(first + index as u64).to_le_bytes());
            entry[8..12].copy_from_slice(&4096u32.to_le_bytes());
        }
        record
    }

    fn read(records: &[Vec<u8>], windows: u32) -> Read {
        let decoders = [
            decoder(Point::Submit, 0, 1),
            decoder(Point::End, 0, 2),
            decoder(Point::Submit, 1, 3),
        ];
        let layout = layout();
        let mut reading = Reading::new(&decoders, &layout, windows);
        for (ns, bytes) in records.iter().enumerate() {
            reading.record(ns as u64, bytes);
        }
        reading.finish()
    }

    #[test]
    fn a_record_is_read_field_by_field() {
        let numbers = [
            ("bio", 0xff00),
            ("op", 0x801),
            ("status", 10),
            ("sector", 2048),
            ("bytes", 8192),
            ("index", 1),
            ("done", 512),
            ("count", 3),
            ("vector", 0xee00),
            ("private", 0xdd00),
            ("remaining", 2),
            ("parent", 1),
            ("dev", 254 << 20 | 16),
        ];
        let Read {
            events,
            contents,
            lost,
        } = read(&[record(2, &numbers, 7)], 1);
        let expected = BioEvent {
            ns: 0,
            point: Point::End,
            bio: 0xff00,
            dev: Dev(254, 16),
            op: 0x801,
            status: 10,
            iter: Iter {
                sector: 2048,
                bytes: 8192,
                index: 1,
                done: 512,
            },
            remaining: 2,
            private: 0xdd00,
            parent_remaining: 1,
            vector: 0xee00,
            count: 3,
            content: 0,
        };
        assert_eq!((&events[..], lost), (&[expected][..], 0));
        let pages: Vec<u64> = contents[0].iter().map(|entry| entry.page).collect();
        assert_eq!(pages, [7, 8, 9]);
        assert_eq!((contents[0][0].bytes, contents[0][0].offset), (4096, 0));
    }

    #[test]
    fn a_clone_has_the_length_of_its_original_and_equal_contents_are_kept_once() {
        let original = [("bio", 1), ("vector", 9), ("count", 5)];
        let clone = [("bio", 2), ("vector", 9)];
        let other = [
            ("bio", 3),
            ("vector", 8),
            ("bytes", 5000),
            ("done", 4096),
            ("index", 1),
        ];
        let records = [
            record(1, &original, 0),
            record(1, &clone, 0),
            record(1, &other, 0),
        ];
        let Read {
            events, contents, ..
        } = read(&records, 1);
        let numbers: Vec<u32> = events.iter().map(|event| event.content).collect();
        assert_eq!(numbers, [0, 0, 1]);
        // One entry before the iterator, and three that 4096 + 5000 bytes reach into.
        assert_eq!([contents[0].len(), contents[1].len()], [5, 4]);
    }

    #[rstest]
    #[case::in_one_go(&[(1, 5), (3, 5)], 70, 0)]
    #[case::the_other_way_round(&[(3, 5), (1, 5)], 70, 0)]
    #[case::with_another_in_between(&[(1, 5), (2, 6), (3, 5)], 70, 1)]
    #[case::twice(&[(3, 5), (1, 5), (3, 5), (1, 5)], 70, 0)]
    #[case::without_its_first_record(&[(3, 5)], 0, 1)]
    #[case::without_its_last_record(&[(1, 5)], 0, 1)]
    #[case::of_another_bio(&[(1, 5), (3, 6)], 0, 2)]
    fn a_long_vector_is_put_together(
        #[case] parts: &[(u16, u64)],
        #[case] length: usize,
        #[case] lost: u64,
    ) {
        let records = parts.iter().map(|(id, bio)| {
            let first = if *id == 3 { 64 } else { 0 };
            record(*id, &[("bio", *bio), ("vector", 9), ("count", 70)], first)
        });
        let read = read(&records.collect::<Vec<_>>(), 2);
        let contents: Vec<usize> = read.contents.iter().map(Vec::len).collect();
        assert_eq!(read.lost, lost);
        match length {
            0 => assert!(contents.is_empty(), "{contents:?}"),
            _ => {
                assert_eq!(contents, [length]);
                assert_eq!(read.contents[0][69].page, 69);
            }
        }
    }

    #[test]
    fn what_has_no_data_has_no_vector_and_a_short_record_is_a_loss() {
        const DISCARD: u64 = 3;
        let discard = [("op", DISCARD), ("bytes", 1 << 20)];
        let mut short = record(1, &discard, 0);
        short.truncate(200);
        let read = read(&[record(1, &discard, 0), short], 1);
        assert_eq!((read.contents, read.lost), (vec![Vec::new()], 1));
    }
}

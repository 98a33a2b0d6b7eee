//! Splits a page of the kernel's ring buffer, as `trace_pipe_raw` gives it, into records
//! (include/linux/ring_buffer.h, kernel/trace/ring_buffer.c).
//!
//! A page begins with its time, and a word that says how much of it is filled. Each entry
//! begins with 32 bits: 5 bits for its type or length, and 27 bits for the time since the
//! entry before.

use super::format::Format;

/// Set in the page's commit word if events were lost before the page.
const MISSED: u64 = 1 << 31;
/// Set as well if the number of lost events is stored after the page's last entry.
const MISSED_STORED: u64 = 1 << 30;
/// The bits of the commit word that hold a length.
const LENGTH: u64 = (1 << 27) - 1;

/// The highest type that is a length in words. 0 means that a word with the length
/// follows.
const TYPE_LENGTH: u32 = 28;
const TYPE_PADDING: u32 = 29;
const TYPE_TIME_EXTEND: u32 = 30;
const TYPE_TIME_STAMP: u32 = 31;

/// The number of bits for the time in an entry's first word.
const DELTA_BITS: u32 = 27;
/// The number of bits of an absolute time. The higher bits are those of the time before.
const STAMP_BITS: u32 = 59;

/// Where the parts of a page are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLayout {
    commit: usize,
    data: usize,
    /// The size of a page, in bytes.
    pub size: usize,
}

impl PageLayout {
    /// The layout according to `events/header_page`.
    pub fn new(header_page: &Format) -> Option<Self> {
        let data = header_page.field(&["data"])?;
        Some(Self {
            commit: header_page.field(&["commit"])?.offset,
            data: data.offset,
            size: data.offset + data.size,
        })
    }
}

/// The content of a page.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Page<'a> {
    /// The time of each record in nanoseconds, and its bytes.
    pub records: Vec<(u64, &'a [u8])>,
    /// How many events were lost before or within the page. 1 if the kernel gives no
    /// number.
    pub lost: u64,
}

/// Splits a page into records. Stops at the first invalid entry, which counts as lost.
pub fn page<'a>(bytes: &'a [u8], layout: &PageLayout) -> Page<'a> {
    let mut found = Page::default();
    if read(bytes, &mut found, layout).is_none() {
        found.lost += 1;
    }
    found
}

fn read<'a>(bytes: &'a [u8], found: &mut Page<'a>, layout: &PageLayout) -> Option<()> {
    let mut time = u64::from_le_bytes(*bytes.first_chunk()?);
    let commit = u64::from_le_bytes(*bytes.get(layout.commit..)?.first_chunk()?);
    let data = bytes.get(layout.data..)?;
    let filled = (commit & LENGTH) as usize;
    if commit & MISSED != 0 {
        found.lost += match data.get(filled..).and_then(|rest| rest.first_chunk()) {
            Some(count) if commit & MISSED_STORED != 0 => u64::from_le_bytes(*count),
            _ => 1,
        };
    }
    let mut rest = data.get(..filled)?;
    while !rest.is_empty() {
        let head = word(rest, 0)?;
        let (kind, delta) = (head & 31, u64::from(head >> 5));
        let length = match kind {
            TYPE_PADDING => {
                if delta == 0 {
                    // From here to the page's end there is only padding.
                    return Some(());
                }
                4 + word(rest, 4)? as usize
            }
            TYPE_TIME_EXTEND => {
                time += u64::from(word(rest, 4)?) << DELTA_BITS | delta;
                8
            }
            TYPE_TIME_STAMP => {
                let stamp = u64::from(word(rest, 4)?) << DELTA_BITS | delta;
                time = time >> STAMP_BITS << STAMP_BITS | stamp;
                8
            }
            0 => {
                let length = word(rest, 4)? as usize;
                time += delta;
                found.records.push((time, rest.get(8..4 + length)?));
                4 + length
            }
            words => {
                debug_assert!(words <= TYPE_LENGTH);
                let length = words as usize * 4;
                time += delta;
                found.records.push((time, rest.get(4..4 + length)?));
                4 + length
            }
        };
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
    Some(())
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LAYOUT: PageLayout = PageLayout {
        commit: 8,
        data: 16,
        size: 128,
    };

    /// A full page with these words.
    fn page_of(time: u64, flags: u64, words: &[u32]) -> Vec<u8> {
        let mut bytes = time.to_le_bytes().to_vec();
        bytes.extend(((words.len() as u64 * 4) | flags).to_le_bytes());
        bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        bytes.resize(LAYOUT.size, 0);
        bytes
    }

    fn head(kind: u32, delta: u32) -> u32 {
        delta << 5 | kind
    }

    fn times(page: &Page) -> Vec<(u64, usize)> {
        let records = page.records.iter();
        records.map(|(time, bytes)| (*time, bytes.len())).collect()
    }

    #[test]
    fn header_page_gives_the_layout() {
        let text = "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n\
            \tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n\
            \tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n\
            \tfield: char data;\toffset:16;\tsize:112;\tsigned:1;\n";
        assert_eq!(PageLayout::new(&Format::parse(text)), Some(LAYOUT));
    }

    #[test]
    fn short_and_long_records() {
        let bytes = page_of(
            1000,
            0,
            &[
                head(2, 5),
                0xa,
                0xb,
                head(0, 7),
                12,
                0xc,
                0xd,
                head(1, 1),
                0xe,
            ],
        );
        let found = page(&bytes, &LAYOUT);
        assert_eq!(times(&found), [(1005, 8), (1012, 8), (1013, 4)]);
        assert_eq!(found.records[1].1[..4], 0xcu32.to_le_bytes());
        assert_eq!(found.lost, 0);
    }

    #[test]
    fn times_are_extended_and_set() {
        let high = 3 << STAMP_BITS;
        let bytes = page_of(
            high | 1000,
            0,
            &[
                head(TYPE_TIME_EXTEND, 1),
                2,
                head(1, 0),
                0,
                head(TYPE_TIME_STAMP, 9),
                1,
                head(1, 1),
                0,
            ],
        );
        let extended = high + 1000 + (2 << DELTA_BITS) + 1;
        let set = high + (1 << DELTA_BITS) + 10;
        let found = page(&bytes, &LAYOUT);
        assert_eq!(times(&found), [(extended, 4), (set, 4)]);
    }

    #[test]
    fn discarded_entries_and_the_rest_of_a_page_are_padding() {
        let bytes = page_of(
            0,
            0,
            &[
                head(TYPE_PADDING, 1),
                8,
                0,
                head(1, 2),
                7,
                head(TYPE_PADDING, 0),
                u32::MAX,
            ],
        );
        let found = page(&bytes, &LAYOUT);
        assert_eq!(times(&found), [(2, 4)]);
        assert_eq!(found.lost, 0);
    }

    #[test]
    fn lost_events_are_counted() {
        let mut bytes = page_of(0, MISSED | MISSED_STORED, &[head(1, 0), 0]);
        bytes[16 + 8] = 37;
        assert_eq!(page(&bytes, &LAYOUT).lost, 37);
        let bytes = page_of(0, MISSED, &[head(1, 0), 0]);
        assert_eq!(page(&bytes, &LAYOUT).lost, 1);
    }

    #[test]
    fn a_record_beyond_the_page_is_a_loss() {
        let bytes = page_of(0, 0, &[head(1, 0), 0, head(20, 0), 0]);
        let found = page(&bytes, &LAYOUT);
        assert_eq!((found.records.len(), found.lost), (1, 1));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            page(&bytes, &LAYOUT);
        }

        #[test]
        fn any_entries_are_survived(words in prop::collection::vec(any::<u32>(), 0..28)) {
            page(&page_of(0, 0, &words), &LAYOUT);
        }
    }
}

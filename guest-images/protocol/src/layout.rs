//! Where the segments of an I/O lie in the blocks of memory, with the guard bytes around
//! them. Pure, so that the harness can check whether the agent could do an I/O.

use crate::io::{IoOp, Segment};
use crate::limits;
use std::fmt;
use std::ops::Range;

/// The size of a page in bytes.
pub const PAGE: usize = 4096;
/// The size of a block of memory in bytes: a huge page. Blocks are larger if a segment
/// needs it.
pub const BLOCK: usize = 2 << 20;
/// The least number of guard bytes on each side of a segment.
const GUARD: usize = 512;

/// The place of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The index of the block.
    pub block: usize,
    /// The bytes within the block.
    pub range: Range<usize>,
}

/// A gap between segments, filled with guard bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The index of the block.
    pub block: usize,
    /// The bytes within the block.
    pub range: Range<usize>,
    /// The segment that ends where the gap begins, as (request, segment).
    pub left: Option<(usize, usize)>,
    /// The segment that begins where the gap ends, as (request, segment).
    pub right: Option<(usize, usize)>,
}

impl Gap {
    /// The segment nearest to the gap's byte at `at`, and the distance from it as in
    /// `GuardDamage`.
    pub fn owner(&self, at: usize) -> Option<((usize, usize), i32)> {
        let length = self.range.len();
        match (self.left, self.right) {
            (Some(left), None) => Some((left, at as i32)),
            (Some(left), Some(_)) if at < length / 2 => Some((left, at as i32)),
            (_, Some(right)) => Some((right, at as i32 - length as i32)),
            (None, None) => None,
        }
    }
}

/// All places and gaps of an I/O.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// For each request, the place of each segment.
    pub places: Vec<Vec<Place>>,
    /// All gaps, in the order of the blocks and their bytes.
    pub gaps: Vec<Gap>,
    /// For each block, how many of its bytes are used: whole pages.
    pub used: Vec<usize>,
    /// The size of each block in bytes: whole pages, [`BLOCK`] or more.
    pub block: usize,
}

/// Why the agent cannot do an I/O.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooMuch {
    /// It has this many requests: none, or too many.
    Requests(usize),
    /// A request has too many segments.
    Segments {
        /// The index of the request.
        request: usize,
        /// The number of its segments.
        count: usize,
    },
    /// A segment is empty, or begins beyond its page.
    Segment {
        /// The index of its request.
        request: usize,
        /// The segment as asked for.
        segment: Segment,
    },
    /// It needs this many bytes of memory, guards included.
    Memory(usize),
}

impl fmt::Display for TooMuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TooMuch::Requests(count) => {
                write!(f, "{count} requests; an I/O has 1 to {}", limits::REQUESTS)
            }
            TooMuch::Segments { request, count } => write!(
                f,
                "request {request} has {count} segments; a system call takes {}",
                limits::SEGMENTS
            ),
            TooMuch::Segment { request, segment } => write!(
                f,
                "request {request} has a segment of {} bytes at {} of its page",
                segment.bytes, segment.page_offset
            ),
            TooMuch::Memory(bytes) => write!(
                f,
                "{} KiB of memory with its guards; the agent keeps {} KiB",
                bytes >> 10,
                limits::MEMORY >> 10
            ),
        }
    }
}

impl std::error::Error for TooMuch {}

impl Layout {
    /// Lays the segments out one after the other, each at its offset in a page of its
    /// own.
    ///
    /// # Errors
    /// The I/O exceeds [`limits`], or has an invalid segment.
    pub fn new(ops: &[IoOp]) -> Result<Self, TooMuch> {
        if ops.is_empty() || ops.len() > limits::REQUESTS {
            return Err(TooMuch::Requests(ops.len()));
        }
        let segments = ops.iter().flat_map(|op| &op.segments);
        let mut layout = Self {
            block: segments.map(alone).max().unwrap_or(0).max(BLOCK),
            ..Self::default()
        };
        for (index, op) in ops.iter().enumerate() {
            if op.segments.len() > limits::SEGMENTS {
                return Err(TooMuch::Segments {
                    request: index,
                    count: op.segments.len(),
                });
            }
            layout.places.push(Vec::with_capacity(op.segments.len()));
            for segment in &op.segments {
                if segment.bytes == 0 || usize::from(segment.page_offset) >= PAGE {
                    return Err(TooMuch::Segment {
                        request: index,
                        segment: *segment,
                    });
                }
                layout.add(index, segment);
            }
        }
        layout.close();
        match layout.used.len() * layout.block {
            bytes if bytes > limits::MEMORY => Err(TooMuch::Memory(bytes)),
            _ => Ok(layout),
        }
    }

    /// Places a segment after the others, in a new block if necessary.
    fn add(&mut self, request: usize, segment: &Segment) {
        let place = self.fit(segment).unwrap_or_else(|| {
            self.close();
            self.used.push(0);
            let start = first(segment);
            Place {
                block: self.used.len() - 1,
                range: start..start + segment.bytes as usize,
            }
        });
        let at = (request, self.places[request].len());
        self.gaps.push(Gap {
            block: place.block,
            range: self.end(place.block)..place.range.start,
            left: self.last(place.block),
            right: Some(at),
        });
        self.used[place.block] = guarded(place.range.end);
        self.places[request].push(place);
    }

    /// The place for the segment in the last block, if it fits there.
    fn fit(&self, segment: &Segment) -> Option<Place> {
        let block = self.used.len().checked_sub(1)?;
        let taken = self.end(block);
        let start = behind(taken, segment);
        let range = start..start + segment.bytes as usize;
        (guarded(range.end) <= self.block).then_some(Place { block, range })
    }

    /// Ends the last block: adds the gap after its last segment.
    fn close(&mut self) {
        if let Some(block) = self.used.len().checked_sub(1) {
            self.gaps.push(Gap {
                block,
                range: self.end(block)..self.used[block],
                left: self.last(block),
                right: None,
            });
        }
    }

    /// The last segment in the block.
    fn last(&self, block: usize) -> Option<(usize, usize)> {
        self.gaps
            .last()
            .filter(|gap| gap.block == block)
            .and_then(|gap| gap.right)
    }

    /// The end of the last segment in the block.
    fn end(&self, block: usize) -> usize {
        self.last(block)
            .map_or(0, |(op, segment)| self.places[op][segment].range.end)
    }
}

/// Where a segment can begin after a used byte, with room for the guard between them.
fn behind(taken: usize, segment: &Segment) -> usize {
    let start = taken.next_multiple_of(PAGE) + usize::from(segment.page_offset);
    match start - taken < GUARD {
        true => start + PAGE,
        false => start,
    }
}

/// Where a segment begins if it is the first of its block.
fn first(segment: &Segment) -> usize {
    behind(0, segment)
}

/// How many bytes a block needs for this segment alone.
fn alone(segment: &Segment) -> usize {
    guarded(first(segment) + segment.bytes as usize)
}

/// The end of the guard after a segment that ends at `end`: the end of a page.
fn guarded(end: usize) -> usize {
    (end + GUARD).next_multiple_of(PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn op(segments: &[(u16, u32)]) -> IoOp {
        IoOp {
            sector: 0,
            segments: segments
                .iter()
                .map(|(page_offset, bytes)| Segment {
                    page_offset: *page_offset,
                    bytes: *bytes,
                })
                .collect(),
        }
    }

    fn starts(layout: &Layout) -> Vec<(usize, usize)> {
        let places = layout.places.iter().flatten();
        places
            .map(|place| (place.block, place.range.start))
            .collect()
    }

    #[rstest]
    #[case::whole_pages_have_a_page_between(&[(0, 4096), (0, 4096)], &[4096, 3 * 4096], 5 * 4096)]
    #[case::a_remainder_is_guard_enough(&[(0, 1536), (0, 1536)], &[4096, 2 * 4096], 3 * 4096)]
    #[case::an_offset_is_guard_enough(&[(512, 4096)], &[512], 2 * 4096)]
    #[case::a_small_offset_is_not(&[(4, 4096)], &[4100], 3 * 4096)]
    #[case::offset_and_remainder_count_together(&[(512, 3384), (312, 8)], &[512, 4096 + 312], 2 * 4096)]
    fn one_block(#[case] segments: &[(u16, u32)], #[case] at: &[usize], #[case] used: usize) {
        let layout = Layout::new(&[op(segments)]).unwrap();
        let expected: Vec<_> = at.iter().map(|start| (0, *start)).collect();
        assert_eq!(starts(&layout), expected);
        assert_eq!(layout.used, [used]);
    }

    #[test]
    fn what_does_not_fit_goes_to_the_next_block() {
        let layout = Layout::new(&[op(&[(0, 1 << 20)]), op(&[(0, 1 << 20)])]).unwrap();
        assert_eq!(starts(&layout), [(0, 4096), (1, 4096)]);
    }

    #[test]
    fn a_large_segment_has_a_large_block() {
        let layout = Layout::new(&[op(&[(0, 4 << 20)]), op(&[(512, 4 << 20)])]).unwrap();
        assert_eq!(layout.block, (4 << 20) + 2 * PAGE);
        assert_eq!(starts(&layout), [(0, 4096), (1, 512)]);
    }

    #[test]
    fn each_limit_is_the_last_that_is_taken() {
        let requests = |count| Layout::new(&vec![op(&[(0, 512)]); count]);
        assert!(requests(limits::REQUESTS).is_ok());
        for count in [0, limits::REQUESTS + 1] {
            assert_eq!(requests(count), Err(TooMuch::Requests(count)));
        }
        let segments = |count| Layout::new(&[op(&vec![(0, 512); count])]);
        assert!(segments(limits::SEGMENTS).is_ok());
        let count = limits::SEGMENTS + 1;
        let refused = TooMuch::Segments { request: 0, count };
        assert_eq!(segments(count), Err(refused));
        let memory = |bytes| Layout::new(&[op(&[(0, bytes)])]);
        // There is a page of guard before the segment, and 512 bytes after it.
        let most = (limits::MEMORY - PAGE - GUARD) as u32;
        assert!(memory(most).is_ok());
        let refused = TooMuch::Memory(limits::MEMORY + PAGE);
        assert_eq!(memory(most + 1), Err(refused));
    }

    #[rstest]
    #[case::empty(&[(0, 0)])]
    #[case::beyond(&[(4096, 512)])]
    fn refused(#[case] segments: &[(u16, u32)]) {
        assert!(Layout::new(&[op(segments)]).is_err());
    }

    #[rstest]
    #[case::before_the_first(None, Some((0, 0)), 511, Some(((0, 0), -1)))]
    #[case::behind_the_last(Some((1, 2)), None, 511, Some(((1, 2), 511)))]
    #[case::nearer_to_the_left(Some((0, 0)), Some((0, 1)), 255, Some(((0, 0), 255)))]
    #[case::nearer_to_the_right(Some((0, 0)), Some((0, 1)), 256, Some(((0, 1), -256)))]
    fn owners(
        #[case] left: Option<(usize, usize)>,
        #[case] right: Option<(usize, usize)>,
        #[case] at: usize,
        #[case] expected: Option<((usize, usize), i32)>,
    ) {
        let gap = Gap {
            block: 0,
            range: 0..512,
            left,
            right,
        };
        assert_eq!(gap.owner(at), expected);
    }

    proptest! {
        #[test]
        fn gaps_and_segments_tile_what_is_used(
            ops in prop::collection::vec(
                prop::collection::vec((0u16..4096, 1u32..400_000), 0..12), 1..6)
        ) {
            let ops: Vec<_> = ops.iter().map(|segments| op(segments)).collect();
            let layout = Layout::new(&ops).unwrap();
            for (block, used) in layout.used.iter().enumerate() {
                let mut ranges: Vec<_> = layout.gaps.iter().filter(|gap| gap.block == block)
                    .map(|gap| gap.range.clone()).collect();
                prop_assert!(ranges.iter().all(|gap| gap.len() >= GUARD));
                ranges.extend(layout.places.iter().flatten().filter(|place| place.block == block)
                    .map(|place| place.range.clone()));
                ranges.sort_by_key(|range| range.start);
                let mut end = 0;
                for range in ranges {
                    prop_assert_eq!(range.start, end);
                    end = range.end;
                }
                prop_assert_eq!(end, *used);
                prop_assert!(end <= layout.block && end % PAGE == 0);
            }
            for (op, places) in ops.iter().zip(&layout.places) {
                for (segment, place) in op.segments.iter().zip(places) {
                    prop_assert_eq!(place.range.start % PAGE, usize::from(segment.page_offset));
                    prop_assert_eq!(place.range.len(), segment.bytes as usize);
                }
            }
        }
    }
}

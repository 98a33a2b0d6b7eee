//! The memory of an I/O: filled before it, examined after it.

use super::memory::{Block, Pool};
use halfway_protocol::content::{self, GUARD, Origin, PREFILL, SECTOR, Stamp};
use halfway_protocol::io::{GuardDamage, IoRequest, Op, OpReport};
use halfway_protocol::layout::{Layout, PAGE, Place};
use halfway_protocol::message::Refusal;
use std::borrow::Cow;

/// The largest number of entries in a list of damage. More would tell nothing new.
const MOST: usize = 16;

/// A page of intact guard bytes, to compare with.
const INTACT: [u8; PAGE] = [GUARD; PAGE];

/// The memory of one I/O, laid out and filled.
pub struct Buffer {
    pool: Pool,
    /// Where the segments and gaps lie.
    pub layout: Layout,
    /// The I/O that was asked for.
    pub request: IoRequest,
    /// For writes: the bytes of each request.
    expected: Vec<Vec<u8>>,
}

impl Buffer {
    /// Fills the pool's memory for the request. An error returns the pool as well.
    pub fn new(
        mut pool: Pool,
        layout: Layout,
        request: IoRequest,
    ) -> Result<Self, (Pool, Refusal)> {
        let blocks = match pool.blocks(request.memory, layout.used.len(), layout.block) {
            Ok(blocks) => blocks,
            Err(refusal) => return Err((pool, refusal)),
        };
        for gap in &layout.gaps {
            blocks[gap.block].bytes_mut()[gap.range.clone()].fill(GUARD);
        }
        let mut expected = Vec::new();
        for (index, places) in layout.places.iter().enumerate() {
            match request.op {
                Op::Read => {
                    for place in places {
                        blocks[place.block].bytes_mut()[place.range.clone()].fill(PREFILL);
                    }
                }
                Op::Discard | Op::WriteZeroes => {}
                Op::Write | Op::Flush => {
                    let bytes = stamped(&request, index);
                    let mut rest = bytes.as_slice();
                    for place in places {
                        let (head, tail) = rest.split_at(place.range.len());
                        blocks[place.block].bytes_mut()[place.range.clone()].copy_from_slice(head);
                        rest = tail;
                    }
                    expected.push(bytes);
                }
            }
        }
        Ok(Self {
            pool,
            layout,
            request,
            expected,
        })
    }

    /// The I/O vector of a request: the address and length of each segment.
    pub fn vector(&self, op: usize) -> Vec<libc::iovec> {
        let blocks = self.blocks();
        self.layout.places[op]
            .iter()
            .map(|place| libc::iovec {
                iov_base: blocks[place.block].address(place.range.start).cast(),
                iov_len: place.range.len(),
            })
            .collect()
    }

    /// Examines the memory after the I/O. Returns the pool, for the next I/O, and a
    /// report for each request.
    pub fn examine(self, results: super::submit::Results) -> (Pool, Vec<OpReport>) {
        let mut reports: Vec<_> = results
            .into_iter()
            .enumerate()
            .map(|(index, (result, after))| OpReport {
                result,
                content: match self.request.op {
                    Op::Read => content::classify(&self.gather(index), self.request.seed),
                    _ => Vec::new(),
                },
                buffer_changed: match self.request.op.sends_data() {
                    true => self.changed(index),
                    false => Vec::new(),
                },
                guard_damage: Vec::new(),
                after,
            })
            .collect();
        self.guards(&mut reports);
        (self.pool, reports)
    }

    /// Returns the pool of an I/O that was not started.
    pub fn into_pool(self) -> Pool {
        self.pool
    }

    fn blocks(&self) -> &[Block] {
        self.pool.get(self.request.memory)
    }

    fn bytes(&self, place: &Place) -> &[u8] {
        &self.blocks()[place.block].bytes()[place.range.clone()]
    }

    /// The bytes of a request, in order.
    fn gather(&self, op: usize) -> Cow<'_, [u8]> {
        match self.layout.places[op].as_slice() {
            [one] => Cow::Borrowed(self.bytes(one)),
            many => {
                let pieces: Vec<_> = many.iter().map(|place| self.bytes(place)).collect();
                Cow::Owned(pieces.concat())
            }
        }
    }

    fn changed(&self, op: usize) -> Vec<u64> {
        let mut found = Vec::new();
        let mut start = 0;
        for place in &self.layout.places[op] {
            let wanted = &self.expected[op][start..start + place.range.len()];
            differences(self.bytes(place), wanted, MOST - found.len(), |at| {
                found.push((start + at) as u64);
            });
            start += place.range.len();
        }
        found
    }

    fn guards(&self, reports: &mut [OpReport]) {
        for gap in &self.layout.gaps {
            let bytes = &self.blocks()[gap.block].bytes()[gap.range.clone()];
            let pages = (0..).step_by(PAGE).zip(bytes.chunks(PAGE));
            for (start, page) in pages {
                differences(page, &INTACT[..page.len()], MOST, |at| {
                    let at = start + at;
                    let Some((owner, distance)) = gap.owner(at) else {
                        return;
                    };
                    let damage = &mut reports[owner.0].guard_damage;
                    if damage.len() < MOST {
                        damage.push(GuardDamage {
                            segment: owner.1 as u32,
                            distance,
                            found: bytes[at],
                        });
                    }
                });
            }
        }
    }
}

/// What request `index` writes: stamped sectors. If the length is not in whole sectors,
/// the last one is cut off.
fn stamped(request: &IoRequest, index: usize) -> Vec<u8> {
    let op = &request.ops[index];
    let length: usize = op
        .segments
        .iter()
        .map(|segment| segment.bytes as usize)
        .sum();
    let mut bytes = vec![0; length.next_multiple_of(SECTOR)];
    let (sectors, _) = bytes.as_chunks_mut::<SECTOR>();
    for (sector, out) in (op.sector..).zip(sectors) {
        Stamp {
            origin: Origin::Writer(index as u16),
            generation: request.generation,
            seed: request.seed,
            sector,
        }
        .fill(out);
    }
    bytes.truncate(length);
    bytes
}

/// Calls `each` with the offsets of the first `most` bytes that differ.
fn differences(found: &[u8], wanted: &[u8], most: usize, each: impl FnMut(usize)) {
    // Compare the whole slices first, at the speed of memcmp. Comparing byte by byte is
    // slow.
    if found == wanted {
        return;
    }
    let pairs = found.iter().zip(wanted).enumerate();
    pairs
        .filter(|(_, (found, wanted))| found != wanted)
        .map(|(at, _)| at)
        .take(most)
        .for_each(each);
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfway_protocol::content::{Span, What};
    use halfway_protocol::io::{IoOp, Memory, Path, Segment};

    const SEED: u64 = 3;

    /// Two requests of four sectors each. One has a single segment; the other has three,
    /// which do not end at sector boundaries.
    fn buffer(op: Op) -> Buffer {
        let segment = |page_offset, bytes| Segment { page_offset, bytes };
        let ops = vec![
            IoOp {
                sector: 8,
                segments: vec![segment(0, 2048)],
            },
            IoOp {
                sector: 100,
                segments: vec![segment(512, 700), segment(4, 1000), segment(0, 348)],
            },
        ];
        let layout = Layout::new(&ops).unwrap();
        let request = IoRequest {
            device: String::new(),
            op,
            path: Path::Direct,
            dsync: false,
            memory: Memory::Scattered,
            ops,
            submitters: 1,
            seed: SEED,
            generation: 5,
        };
        Buffer::new(Pool::anywhere(), layout, request)
            .map_err(|(_, refusal)| refusal)
            .unwrap()
    }

    impl Buffer {
        /// The byte at a distance from a segment's start. It may lie outside of the
        /// segment, where only a faulty kernel would write.
        fn byte(&mut self, op: usize, segment: usize, distance: isize) -> &mut u8 {
            let place = self.layout.places[op][segment].clone();
            let at = place.range.start.strict_add_signed(distance);
            let blocks = self.pool.blocks(Memory::Scattered, 1, 0).unwrap();
            &mut blocks[place.block].bytes_mut()[at]
        }
    }

    fn span(sectors: u64, what: What) -> Vec<Span> {
        vec![Span {
            at: 0,
            sectors,
            what,
        }]
    }

    #[test]
    fn a_read_that_brings_nothing_leaves_the_prefill() {
        let (_, reports) = buffer(Op::Read).examine(vec![(Err(5), 0), (Ok(2048), 0)]);
        assert_eq!(reports[0].result, Err(5));
        for report in reports {
            assert_eq!(report.content, span(4, What::Prefill));
            assert_eq!(report.guard_damage, []);
        }
    }

    #[test]
    fn a_read_is_gathered_in_the_order_of_its_segments() {
        let mut buffer = buffer(Op::Read);
        let bytes: Vec<u8> = (100..104)
            .flat_map(|sector| {
                let origin = Origin::Leg(1);
                let stamp = Stamp {
                    origin,
                    generation: 0,
                    seed: SEED,
                    sector,
                };
                stamp.bytes()
            })
            .collect();
        let starts = [(0, 0..700), (1, 700..1700), (2, 1700..2048)];
        for (segment, range) in starts {
            for (distance, byte) in bytes[range].iter().enumerate() {
                *buffer.byte(1, segment, distance as isize) = *byte;
            }
        }
        let (_, reports) = buffer.examine(vec![(Ok(2048), 0); 2]);
        let what = What::Stamp {
            origin: Origin::Leg(1),
            generation: 0,
            sector: 100,
        };
        assert_eq!(reports[1].content, span(4, what));
    }

    #[test]
    fn a_write_says_who_wrote_which_sector() {
        let buffer = buffer(Op::Write);
        for (op, sector) in [(0, 8), (1, 100)] {
            let what = What::Stamp {
                origin: Origin::Writer(op as u16),
                generation: 5,
                sector,
            };
            assert_eq!(content::classify(&buffer.gather(op), SEED), span(4, what));
        }
        let (_, reports) = buffer.examine(vec![(Ok(2048), 0); 2]);
        assert!(
            reports
                .iter()
                .all(|report| report.buffer_changed.is_empty())
        );
        assert!(reports.iter().all(|report| report.guard_damage.is_empty()));
    }

    #[test]
    fn what_a_write_changed_in_its_buffer_is_noticed() {
        let mut buffer = buffer(Op::Write);
        *buffer.byte(1, 0, 699) ^= 1;
        *buffer.byte(1, 2, 0) ^= 1;
        let (_, reports) = buffer.examine(vec![(Ok(2048), 0); 2]);
        assert_eq!(reports[0].buffer_changed, [0; 0]);
        assert_eq!(reports[1].buffer_changed, [699, 1700]);
    }

    #[test]
    fn guards_belong_to_the_segment_beside_them() {
        let mut buffer = buffer(Op::Read);
        *buffer.byte(0, 0, -1) = 1;
        *buffer.byte(0, 0, 2048) = 2;
        *buffer.byte(1, 1, -2) = 3;
        *buffer.byte(1, 2, 348 + 3) = 4;
        let (_, reports) = buffer.examine(vec![(Ok(2048), 0); 2]);
        let damage = |segment, distance, found| GuardDamage {
            segment,
            distance,
            found,
        };
        assert_eq!(reports[0].guard_damage, [damage(0, -1, 1), damage(0, 0, 2)]);
        assert_eq!(reports[1].guard_damage, [damage(1, -2, 3), damage(2, 3, 4)]);
    }
}

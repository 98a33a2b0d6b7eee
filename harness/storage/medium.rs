//! The content of a disk. It is computed from the sector number until the sector is
//! written.
//!
//! A disk takes memory only for what a case wrote to it, in blocks of 4 KiB. A new case
//! starts on an unwritten disk by dropping these blocks.

use halfway_case::observation::{self, Member};
use halfway_protocol::content::{self, Origin, SECTOR, Span, Stamp, What};
use std::collections::BTreeMap;
use std::ops::Range;

/// Sectors in a block. A `u8` has a bit for each of them.
const SECTORS_PER_BLOCK: u64 = 8;
const BLOCK: usize = SECTOR * SECTORS_PER_BLOCK as usize;

/// A range that lies beyond the end of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bytes {offset}+{length} reach beyond the end of {member}, which has {size}")]
pub struct OutOfRange {
    /// The disk that was accessed.
    pub member: Member,
    /// The first byte of the range.
    pub offset: u64,
    /// The length of the range, in bytes.
    pub length: u64,
    /// The size of the disk, in bytes.
    pub size: u64,
}

/// A disk that is addressed by byte.
#[derive(Debug)]
pub struct Medium {
    member: Member,
    sectors: u64,
    seed: u64,
    // A tree, so that written blocks are found in order, and so that clearing it costs
    // what it holds now. Clearing a hash map costs what it once held.
    written: BTreeMap<u64, Block>,
}

#[derive(Debug)]
struct Block {
    data: Box<[u8; BLOCK]>,
    /// A bit for each sector that was written. The others are still computed.
    sectors: u8,
}

impl Medium {
    /// An unwritten disk of `sectors` sectors, whose content is derived from `seed`.
    pub fn new(member: Member, sectors: u64, seed: u64) -> Self {
        Medium {
            member,
            sectors,
            seed,
            written: BTreeMap::new(),
        }
    }

    /// The disk that this is.
    pub fn member(&self) -> Member {
        self.member
    }

    /// The size of the disk, in bytes.
    pub fn size(&self) -> u64 {
        self.sectors * SECTOR as u64
    }

    /// Forgets all that was written. From now on the content is that of `seed`.
    pub fn reset(&mut self, seed: u64) {
        self.seed = seed;
        self.written.clear();
    }

    /// Fills `out` with the bytes from `offset` on.
    pub fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), OutOfRange> {
        self.check(offset, out.len() as u64)?;
        let mut rest = out;
        for (sector, part) in parts(offset, rest.len()) {
            let (out, tail) = rest.split_at_mut(part.len());
            rest = tail;
            if let Some(data) = self.sector(sector) {
                out.copy_from_slice(&data[part]);
            } else if let Ok(out) = <&mut [u8; SECTOR]>::try_from(&mut *out) {
                self.stamp(sector).fill(out);
            } else {
                out.copy_from_slice(&self.stamp(sector).bytes()[part]);
            }
        }
        Ok(())
    }

    /// Writes `data` from `offset` on.
    pub fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), OutOfRange> {
        self.check(offset, data.len() as u64)?;
        let mut rest = data;
        for (sector, part) in parts(offset, data.len()) {
            let (data, tail) = rest.split_at(part.len());
            rest = tail;
            self.sector_mut(sector, &part)[part].copy_from_slice(data);
        }
        Ok(())
    }

    /// Writes `length` zero bytes from `offset` on. A discard does the same.
    pub fn zero(&mut self, offset: u64, length: u64) -> Result<(), OutOfRange> {
        self.check(offset, length)?;
        for (sector, part) in parts(offset, length as usize) {
            self.sector_mut(sector, &part)[part].fill(0);
        }
        Ok(())
    }

    /// Describes what lies in `count` sectors from `first` on, as far as the disk has
    /// them, and lists the written sectors outside of them.
    pub fn examine(&self, first: u64, count: u64) -> observation::Medium {
        let end = first.saturating_add(count).min(self.sectors);
        let first = first.min(end);
        let mut spans = Vec::new();
        let mut strays: Vec<(u64, u64)> = Vec::new();
        let mut next = first;
        for sector in self.written_sectors() {
            if (first..end).contains(&sector) {
                self.push_computed(&mut spans, first, next..sector);
                let what = match self.sector(sector) {
                    Some(data) => content::identify(data, self.seed),
                    None => self.computed(sector),
                };
                content::push(&mut spans, sector - first, what);
                next = sector + 1;
            } else {
                match strays.last_mut() {
                    Some((start, count)) if *start + *count == sector => *count += 1,
                    _ => strays.push((sector, 1)),
                }
            }
        }
        self.push_computed(&mut spans, first, next..end);
        observation::Medium {
            member: self.member,
            sector: first,
            spans,
            strays,
        }
    }

    /// Appends unwritten sectors as one span. What they hold is known without computing
    /// it.
    fn push_computed(&self, spans: &mut Vec<Span>, first: u64, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        content::push(spans, range.start - first, self.computed(range.start));
        if let Some(last) = spans.last_mut() {
            last.sectors += range.end - range.start - 1;
        }
    }

    fn computed(&self, sector: u64) -> What {
        let stamp = self.stamp(sector);
        What::Stamp {
            origin: stamp.origin,
            generation: stamp.generation,
            sector,
        }
    }

    fn written_sectors(&self) -> impl Iterator<Item = u64> {
        self.written.iter().flat_map(|(block, content)| {
            (0..SECTORS_PER_BLOCK)
                .filter(|index| content.sectors & (1 << index) != 0)
                .map(move |index| block * SECTORS_PER_BLOCK + index)
        })
    }

    fn stamp(&self, sector: u64) -> Stamp {
        Stamp {
            origin: match self.member {
                Member::Leg(leg) => Origin::Leg(leg),
                Member::Log => Origin::Log,
            },
            generation: 0,
            seed: self.seed,
            sector,
        }
    }

    /// The bytes of a sector, if it was written.
    fn sector(&self, sector: u64) -> Option<&[u8; SECTOR]> {
        let block = self.written.get(&(sector / SECTORS_PER_BLOCK))?;
        let index = (sector % SECTORS_PER_BLOCK) as usize;
        if block.sectors & (1 << index) == 0 {
            return None;
        }
        block.data.as_chunks::<SECTOR>().0.get(index)
    }

    /// The bytes of a sector, of which the caller will write `part`. The other bytes keep
    /// their content.
    fn sector_mut(&mut self, sector: u64, part: &Range<usize>) -> &mut [u8; SECTOR] {
        let stamp = self.stamp(sector);
        let block = self
            .written
            .entry(sector / SECTORS_PER_BLOCK)
            .or_insert_with(|| Block {
                data: Box::new([0; BLOCK]),
                sectors: 0,
            });
        let index = (sector % SECTORS_PER_BLOCK) as usize;
        let bytes = &mut block.data.as_chunks_mut::<SECTOR>().0[index];
        if block.sectors & (1 << index) == 0 {
            block.sectors |= 1 << index;
            if part.len() < SECTOR {
                stamp.fill(bytes);
            }
        }
        bytes
    }

    fn check(&self, offset: u64, length: u64) -> Result<(), OutOfRange> {
        match offset.checked_add(length) {
            Some(end) if end <= self.size() => Ok(()),
            _ => Err(OutOfRange {
                member: self.member,
                offset,
                length,
                size: self.size(),
            }),
        }
    }
}

/// Splits a range of bytes at sector boundaries: each sector with the range of bytes
/// within it.
fn parts(offset: u64, length: usize) -> impl Iterator<Item = (u64, Range<usize>)> {
    let end = offset + length as u64;
    let mut at = offset;
    std::iter::from_fn(move || {
        if at >= end {
            return None;
        }
        let sector = at / SECTOR as u64;
        let start = sector * SECTOR as u64;
        let part = (at - start) as usize..(end - start).min(SECTOR as u64) as usize;
        at = start + SECTOR as u64;
        Some((sector, part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECTORS: u64 = 40;
    const SIZE: usize = SECTORS as usize * SECTOR;

    #[derive(Clone, Debug)]
    enum Step {
        Write(usize, Vec<u8>),
        Zero(usize, usize),
        Reset(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let range = (0..SIZE, 0..6000usize).prop_map(|(at, length)| (at, length.min(SIZE - at)));
        prop_oneof![
            6 => (range.clone(), any::<u8>()).prop_map(|((at, length), byte)| {
                Step::Write(at, (0..length).map(|index| byte.wrapping_add(index as u8)).collect())
            }),
            2 => range.prop_map(|(at, length)| Step::Zero(at, length)),
            1 => any::<u64>().prop_map(Step::Reset),
        ]
    }

    fn fresh(seed: u64) -> Vec<u8> {
        (0..SECTORS)
            .flat_map(|sector| {
                Stamp {
                    origin: Origin::Leg(1),
                    generation: 0,
                    seed,
                    sector,
                }
                .bytes()
            })
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// Compared with a plain vector of bytes.
        #[test]
        fn behaves_like_plain_bytes(
            steps in prop::collection::vec(step(), 0..12),
            read in (0..SIZE, 0..SIZE),
            examined in (0..SECTORS, 0..SECTORS),
        ) {
            let mut seed = 7;
            let mut medium = Medium::new(Member::Leg(1), SECTORS, seed);
            let mut model = fresh(seed);
            let mut written = vec![false; SECTORS as usize];
            for step in &steps {
                let (at, length) = match step {
                    Step::Write(at, data) => {
                        medium.write(*at as u64, data).unwrap();
                        model[*at..at + data.len()].copy_from_slice(data);
                        (*at, data.len())
                    }
                    Step::Zero(at, length) => {
                        medium.zero(*at as u64, *length as u64).unwrap();
                        model[*at..at + length].fill(0);
                        (*at, *length)
                    }
                    Step::Reset(new) => {
                        seed = *new;
                        medium.reset(seed);
                        model = fresh(seed);
                        written.fill(false);
                        (0, 0)
                    }
                };
                if length > 0 {
                    written[at / SECTOR..(at + length).div_ceil(SECTOR)].fill(true);
                }
            }

            let (at, length) = (read.0, read.1.min(SIZE - read.0));
            let mut out = vec![0xee; length];
            medium.read(at as u64, &mut out).unwrap();
            prop_assert_eq!(&out, &model[at..at + length]);

            let (first, count) = (examined.0, examined.1.min(SECTORS - examined.0));
            let seen = medium.examine(first, count);
            let bytes = first as usize * SECTOR..(first + count) as usize * SECTOR;
            prop_assert_eq!(seen.spans, content::classify(&model[bytes], seed));
            let strays: Vec<u64> = seen
                .strays
                .iter()
                .flat_map(|(start, count)| *start..start + count)
                .collect();
            let expected: Vec<u64> = (0..SECTORS)
                .filter(|sector| written[*sector as usize])
                .filter(|sector| !(first..first + count).contains(sector))
                .collect();
            prop_assert_eq!(strays, expected);
        }
    }

    #[test]
    fn what_was_never_written_is_one_span_however_large() {
        let mut medium = Medium::new(Member::Leg(0), 1 << 40, 3);
        medium.write(100 * SECTOR as u64, &[1; SECTOR]).unwrap();
        let seen = medium.examine(0, 1 << 40);
        let lengths: Vec<_> = seen.spans.iter().map(|span| span.sectors).collect();
        assert_eq!(lengths, [100, 1, (1 << 40) - 101]);
        assert_eq!(seen.strays, []);
    }

    #[test]
    fn neighbouring_strays_are_one_run() {
        let mut medium = Medium::new(Member::Log, 100, 3);
        medium.write(6 * SECTOR as u64, &[1; 4 * SECTOR]).unwrap();
        medium.write(50 * SECTOR as u64 + 5, &[1]).unwrap();
        assert_eq!(medium.examine(0, 0).strays, [(6, 4), (50, 1)]);
    }

    #[test]
    fn the_end_of_the_disk_is_the_end() {
        let mut medium = Medium::new(Member::Leg(0), 2, 3);
        let error = medium.write(1000, &[1; 25]).unwrap_err();
        assert_eq!((error.offset, error.length, error.size), (1000, 25, 1024));
        assert!(medium.read(u64::MAX, &mut [0; 2]).is_err());
        assert!(medium.zero(0, 1025).is_err());
        assert_eq!(medium.examine(1, 10).spans[0].sectors, 1);
        assert_eq!(medium.examine(9, 10).spans, []);
        assert_eq!(medium.examine(0, 2).strays, []);
    }
}

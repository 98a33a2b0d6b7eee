//! The content of sectors, which identifies itself.
//!
//! If all legs were identical, faults could hide: the data that a failed attempt left in
//! the buffer would look like those of the resubmission. So every 512-byte sector holds
//! its sector number, who wrote it ([`Origin`]), the generation and the seed. The rest is
//! filled with a stream derived from these, and a checksum comes last. [`classify`] reads
//! it back exactly.

use serde::{Deserialize, Serialize};

/// The size of a sector in bytes. In Halfway a sector always has 512 bytes, whatever the
/// device's logical block size is.
pub const SECTOR: usize = 512;

const WORDS: usize = SECTOR / 8;
const MAGIC: u64 = u64::from_le_bytes(*b"HALFWAY1");

/// Who wrote the content of a sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// It lay on this leg before the case. The sector number is that of the leg.
    Leg(u8),
    /// It lay on the log device before the case.
    Log,
    /// The case's request with this index wrote it. The sector number is that of the dm
    /// device.
    Writer(u16),
}

impl Origin {
    fn code(self) -> u64 {
        match self {
            Origin::Leg(leg) => 0x1_0000 | u64::from(leg),
            Origin::Log => 0x2_0000,
            Origin::Writer(index) => 0x3_0000 | u64::from(index),
        }
    }

    fn from_code(code: u64) -> Option<Self> {
        let low = (code & 0xffff) as u16;
        match code >> 16 {
            1 => u8::try_from(low).ok().map(Origin::Leg),
            2 if low == 0 => Some(Origin::Log),
            3 => Some(Origin::Writer(low)),
            _ => None,
        }
    }
}

/// The identity of one sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// Who wrote the content.
    pub origin: Origin,
    /// The number of the writing. 0 is the content before the case.
    pub generation: u32,
    /// The seed of the run. Content of another run counts as foreign.
    pub seed: u64,
    /// The number of the sector on its origin's device.
    pub sector: u64,
}

impl Stamp {
    /// Fills `out` (one sector) with the content of this stamp.
    pub fn fill(&self, out: &mut [u8; SECTOR]) {
        let head = [
            MAGIC,
            self.seed,
            self.origin.code() | u64::from(self.generation) << 32,
            self.sector,
        ];
        let mut state = mix(head[1] ^ mix(head[2] ^ mix(head[3])));
        let mut sum = MAGIC;
        for (index, bytes) in out.chunks_exact_mut(8).enumerate() {
            let word = match index {
                0..=3 => head[index],
                _ if index == WORDS - 1 => sum,
                _ => {
                    state = next(state);
                    state
                }
            };
            sum = sum.rotate_left(5) ^ word;
            bytes.copy_from_slice(&word.to_le_bytes());
        }
    }

    /// The content of this stamp, as an array.
    pub fn bytes(&self) -> [u8; SECTOR] {
        let mut out = [0; SECTOR];
        self.fill(&mut out);
        out
    }
}

/// Xorshift: only three shifts for each word, because emulated guests are slow.
fn next(mut word: u64) -> u64 {
    word ^= word << 13;
    word ^= word >> 7;
    word ^ word << 17
}

/// A bijective scrambler. It never yields 0 for the states that are used here.
fn mix(word: u64) -> u64 {
    let word = (word ^ word >> 31).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (word ^ word >> 29) | 1
}

/// What a sector holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// An intact sector of this run. In a [`Span`], the sector numbers go up by one for
    /// each sector.
    Stamp {
        /// Who wrote the content.
        origin: Origin,
        /// The number of the writing. 0 is the content before the case.
        generation: u32,
        /// The sector number that the first sector of the span holds.
        sector: u64,
    },
    /// A sector that begins with a stamp but is not intact: a mixture of two sectors, or
    /// overwritten in part.
    Damaged {
        /// How many bytes from the sector's start agree with its stamp.
        good: u16,
    },
    /// The pattern that the buffer held before the I/O: no data arrived.
    Prefill,
    /// Only zeros.
    Zero,
    /// Anything else, also content of another seed.
    Foreign,
}

/// A run of consecutive sectors of the same kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The offset of the first sector, in sectors from the start of the examined range.
    pub at: u64,
    /// The number of sectors.
    pub sectors: u64,
    /// What the sectors hold.
    pub what: What,
}

/// The byte that a read buffer is filled with before the I/O.
pub const PREFILL: u8 = 0xa5;

/// The byte that surrounds every segment of a buffer. It must not change.
pub const GUARD: u8 = 0x5c;

/// Who wrote a sector, if it is intact under any seed.
pub fn origin(sector: &[u8; SECTOR]) -> Option<Origin> {
    let seed = u64::from_le_bytes(sector[8..16].try_into().expect("eight bytes"));
    match identify(sector, seed) {
        What::Stamp { origin, .. } => Some(origin),
        _ => None,
    }
}

/// Identifies the content of one sector.
pub fn identify(sector: &[u8; SECTOR], seed: u64) -> What {
    let word = |index: usize| {
        u64::from_le_bytes(
            sector[index * 8..index * 8 + 8]
                .try_into()
                .expect("eight bytes"),
        )
    };
    if word(0) != MAGIC {
        return match sector[0] {
            0 if *sector == [0; SECTOR] => What::Zero,
            PREFILL if *sector == [PREFILL; SECTOR] => What::Prefill,
            _ => What::Foreign,
        };
    }
    let (claimed_seed, code, number) = (word(1), word(2), word(3));
    if claimed_seed != seed {
        return What::Foreign;
    }
    let Some(origin) = Origin::from_code(code & 0xffff_ffff) else {
        return What::Damaged { good: 16 };
    };
    let stamp = Stamp {
        origin,
        generation: (code >> 32) as u32,
        seed,
        sector: number,
    };
    let expected = stamp.bytes();
    // Compare the whole arrays first, at the speed of memcmp. Only sectors that differ
    // are compared byte by byte, which takes milliseconds for each case in an emulated
    // guest.
    if *sector == expected {
        return What::Stamp {
            origin,
            generation: stamp.generation,
            sector: number,
        };
    }
    let good = sector.iter().zip(&expected).take_while(|(a, b)| a == b);
    What::Damaged {
        good: good.count() as u16,
    }
}

/// Identifies the content of `data`, sector by sector, and joins consecutive sectors of
/// the same kind.
///
/// A tail shorter than a sector is reported as [`What::Damaged`] or [`What::Foreign`]; it
/// is never left out.
pub fn classify(data: &[u8], seed: u64) -> Vec<Span> {
    let mut spans = Vec::new();
    let (sectors, tail) = data.as_chunks::<SECTOR>();
    for (at, sector) in sectors.iter().enumerate() {
        push(&mut spans, at as u64, identify(sector, seed));
    }
    if !tail.is_empty() {
        push(&mut spans, sectors.len() as u64, What::Foreign);
    }
    spans
}

/// Appends the sector at `at` to `spans`. If it continues the last span, extends that.
pub fn push(spans: &mut Vec<Span>, at: u64, what: What) {
    if let Some(last) = spans.last_mut()
        && last.at + last.sectors == at
        && continues(last, what)
    {
        last.sectors += 1;
        return;
    }
    spans.push(Span {
        at,
        sectors: 1,
        what,
    });
}

fn continues(last: &Span, what: What) -> bool {
    match (last.what, what) {
        (
            What::Stamp {
                origin,
                generation,
                sector,
            },
            What::Stamp {
                origin: o,
                generation: g,
                sector: s,
            },
        ) => origin == o && generation == g && sector.checked_add(last.sectors) == Some(s),
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[test]
    fn an_origin_shows_under_any_seed_and_only_where_all_is_intact() {
        let mut bytes = stamp(3).bytes();
        assert_eq!(origin(&bytes), Some(Origin::Leg(1)));
        bytes[400] ^= 1;
        assert_eq!(origin(&bytes), None);
        assert_eq!(origin(&[0; SECTOR]), None);
    }

    fn stamp(sector: u64) -> Stamp {
        Stamp {
            origin: Origin::Leg(1),
            generation: 7,
            seed: 42,
            sector,
        }
    }

    #[test]
    fn neighbours_join_and_strangers_do_not() {
        let mut data = Vec::new();
        for sector in [10, 11, 12, 20] {
            data.extend(stamp(sector).bytes());
        }
        data.extend([0; SECTOR]);
        data.extend([PREFILL; 2 * SECTOR]);
        let found = classify(&data, 42);
        let whats: Vec<_> = found.iter().map(|span| (span.at, span.sectors)).collect();
        assert_eq!(whats, [(0, 3), (3, 1), (4, 1), (5, 2)]);
        assert_eq!(found[3].what, What::Prefill);
    }

    #[rstest]
    #[case::seed(Stamp { seed: 43, ..stamp(5) }, What::Foreign)]
    #[case::same(stamp(5), What::Stamp { origin: Origin::Leg(1), generation: 7, sector: 5 })]
    fn another_seed_is_foreign(#[case] written: Stamp, #[case] expected: What) {
        assert_eq!(identify(&written.bytes(), 42), expected);
    }

    #[test]
    fn a_short_tail_does_not_disappear() {
        let data = &stamp(1).bytes()[..100];
        assert_eq!(
            classify(data, 42),
            [Span {
                at: 0,
                sectors: 1,
                what: What::Foreign
            }]
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(sector: u64, leg: u8, generation: u32, seed: u64) {
            let stamp = Stamp { origin: Origin::Leg(leg), generation, seed, sector };
            prop_assert_eq!(
                identify(&stamp.bytes(), seed),
                What::Stamp { origin: stamp.origin, generation, sector }
            );
        }

        #[test]
        fn one_flipped_bit_is_noticed(sector: u64, seed: u64, bit in 0usize..SECTOR * 8) {
            let stamp = Stamp { origin: Origin::Writer(3), generation: 1, seed, sector };
            let mut bytes = stamp.bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let expected = What::Stamp { origin: stamp.origin, generation: 1, sector };
            prop_assert_ne!(identify(&bytes, seed), expected);
        }

        #[test]
        fn two_stamps_never_share_their_content(a: u64, b: u64, seed: u64) {
            prop_assume!(a != b);
            let of = |sector| Stamp { origin: Origin::Leg(0), generation: 0, seed, sector }.bytes();
            prop_assert_ne!(&of(a)[32..], &of(b)[32..]);
        }
    }
}

//! The pieces in which device-mapper handles an I/O.
//!
//! A target maps, fails and resubmits one *unit* at a time: a bio of the
//! application, or the part of it that dm split off. dm splits at a mirror's
//! region boundaries (`dm_set_target_max_io_len` in `mirror_ctr`), at its own
//! queue limits, and where a table on top goes from one target to the next.
//! "Resubmitted whole" means: the whole unit is resubmitted. In multipath's
//! request mode several bios may be resubmitted as one request; each of them is
//! whole then too.

use halfway_protocol::trace::{Dev, Kind, TraceEvent};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;

/// A range of sectors on the dm device that is mapped as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unit {
    /// First sector (512 bytes), counted on the dm device.
    pub sector: u64,
    /// Length in sectors of 512 bytes, above 0.
    pub sectors: u64,
}

impl Unit {
    /// The sector just behind the unit.
    pub fn end(self) -> u64 {
        self.sector.saturating_add(self.sectors)
    }

    /// Whether the unit contains `sector`.
    pub fn covers(self, sector: u64) -> bool {
        (self.sector..self.end()).contains(&sector)
    }

    /// Whether the unit lies entirely in `other`.
    pub fn lies_in(self, other: Unit) -> bool {
        other.sector <= self.sector && self.end() <= other.end()
    }

    /// Whether the unit shares a sector with `other`.
    pub fn meets(self, other: Unit) -> bool {
        self.sector < other.end() && other.sector < self.end()
    }
}

/// Cuts `(sector, sectors)` ranges at the multiples of all `boundaries`. The
/// result is the units of an I/O whose bios are the application's requests.
pub fn nominal(requests: &[(u64, u64)], boundaries: &[NonZeroU64]) -> Vec<Unit> {
    let mut units = Vec::new();
    for &(sector, sectors) in requests {
        let (mut from, end) = (sector, sector + sectors);
        while from < end {
            let cuts =
                (boundaries.iter()).map(|every| (from / *every + 1).saturating_mul(every.get()));
            let to = cuts.fold(end, u64::min);
            units.push(Unit {
                sector: from,
                sectors: to - from,
            });
            from = to;
        }
    }
    units
}

/// The ranges that belong to more than one unit.
pub fn shared(units: impl IntoIterator<Item = Unit>) -> Vec<Unit> {
    let mut units: Vec<Unit> = units.into_iter().collect();
    units.sort_unstable();
    let mut shared = Vec::new();
    let mut end = 0;
    for unit in units {
        let upto = unit.end().min(end);
        if unit.sector < upto {
            shared.push(Unit {
                sector: unit.sector,
                sectors: upto - unit.sector,
            });
        }
        end = end.max(unit.end());
    }
    shared
}

/// The units that the guest's tracepoints show on the dm device: every bio that
/// was queued to it, cut where a split was traced.
///
/// A split event has length 0 where the kernel traces the remainder
/// (`dm_split_and_process_bio`) instead of the first piece
/// (`bio_split_to_limits`). The cut is at the same sector either way. A bio
/// that lies inside another one and begins and ends at its ends or cuts is no
/// new unit: it is the remainder of that bio, or a resubmission.
pub fn traced(trace: &[TraceEvent], dm: Dev) -> Vec<Unit> {
    let of_dm = |kind: Kind| {
        trace
            .iter()
            .filter(move |event| event.kind == kind && event.dev == dm)
    };
    let mut queued: Vec<Unit> = of_dm(Kind::BioQueue)
        .filter(|event| event.sectors > 0)
        .map(|event| Unit {
            sector: event.sector,
            sectors: event.sectors,
        })
        .collect();
    queued.sort_unstable_by_key(|bio| (bio.sector, Reverse(bio.end())));
    let cuts: BTreeSet<u64> = of_dm(Kind::Split)
        .map(|event| event.sector + event.sectors)
        .collect();

    let mut bios: Vec<Unit> = Vec::new();
    for bio in queued {
        // A remainder or a resubmission begins and ends where the other bio
        // does, or where that was cut. A bio that begins or ends elsewhere
        // belongs to another request, which overlaps.
        let is_part = |one: &Unit| {
            bio.lies_in(*one)
                && (bio.sector == one.sector || cuts.contains(&bio.sector))
                && (bio.end() == one.end() || cuts.contains(&bio.end()))
        };
        if !bios.iter().any(is_part) {
            bios.push(bio);
        }
    }
    let pieces = |bio: Unit| {
        let ends = cuts.range(bio.sector + 1..bio.end()).copied();
        let mut sector = bio.sector;
        ends.chain([bio.end()])
            .map(|end| {
                let sectors = end - sector;
                Unit {
                    sector: std::mem::replace(&mut sector, end),
                    sectors,
                }
            })
            .collect::<Vec<Unit>>()
    };
    bios.into_iter().flat_map(pieces).collect()
}

/// Adds the copies of a unit that the tracepoints cannot tell apart: requests
/// that overlap may contain the same unit, and a bio that is queued again looks
/// like one that another request sent. `nominal` has one copy for each request.
pub fn with_copies(mut traced: Vec<Unit>, nominal: &[Unit]) -> Vec<Unit> {
    let copies = |units: &[Unit]| {
        let mut copies: BTreeMap<Unit, usize> = BTreeMap::new();
        (units.iter()).for_each(|unit| *copies.entry(*unit).or_default() += 1);
        copies
    };
    let needed = copies(nominal);
    for (unit, found) in copies(&traced) {
        let needed = needed.get(&unit).copied().unwrap_or(0);
        traced.extend(std::iter::repeat_n(unit, needed.saturating_sub(found)));
    }
    traced
}

/// How often a sector that several of these units may contain may be asked for,
/// least and most: the sum over all units that contain it.
pub fn asked_together(sector: u64, units: impl Iterator<Item = (Unit, (u32, u32))>) -> (u32, u32) {
    let of_sector = units.filter(|(unit, _)| unit.covers(sector));
    of_sector.fold((0, 0), |sum: (u32, u32), (_, (least, most))| {
        (sum.0.saturating_add(least), sum.1.saturating_add(most))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn event(kind: Kind, sector: u64, sectors: u64) -> TraceEvent {
        TraceEvent {
            ns: 0,
            kind,
            dev: Dev(253, 0),
            sector,
            sectors,
            rwbs: "R".into(),
            error: 0,
            from: None,
            task: None,
        }
    }

    fn pairs(units: &[Unit]) -> Vec<(u64, u64)> {
        units
            .iter()
            .map(|unit| (unit.sector, unit.sectors))
            .collect()
    }

    #[rstest]
    #[case::inside(&[(2048, 512)], &[1024], &[(2048, 512)])]
    #[case::across(&[(1000, 512)], &[1024], &[(1000, 24), (1024, 488)])]
    #[case::small_regions(&[(10, 20)], &[8], &[(10, 6), (16, 8), (24, 6)])]
    #[case::two(&[(0, 8), (8, 8)], &[1024], &[(0, 8), (8, 8)])]
    #[case::no_boundary(&[(1000, 512)], &[], &[(1000, 512)])]
    #[case::two_kinds(&[(990, 60)], &[1024, 100], &[(990, 10), (1000, 24), (1024, 26)])]
    fn cut_at_boundaries(
        #[case] requests: &[(u64, u64)],
        #[case] boundaries: &[u64],
        #[case] expected: &[(u64, u64)],
    ) {
        let boundaries = boundaries
            .iter()
            .map(|every| NonZeroU64::new(*every).unwrap());
        let boundaries: Vec<NonZeroU64> = boundaries.collect();
        assert_eq!(pairs(&nominal(requests, &boundaries)), expected);
    }

    #[rstest]
    #[case::one(vec![event(Kind::BioQueue, 8, 8)], &[(8, 8)])]
    #[case::cut_traced_as_the_piece(
        vec![event(Kind::BioQueue, 0, 32), event(Kind::Split, 0, 16)], &[(0, 16), (16, 16)]
    )]
    #[case::cut_traced_as_the_remainder(
        vec![event(Kind::BioQueue, 0, 32), event(Kind::Split, 16, 0)], &[(0, 16), (16, 16)]
    )]
    #[case::remainder_queued_again(
        vec![event(Kind::BioQueue, 0, 32), event(Kind::Split, 16, 0), event(Kind::BioQueue, 16, 16)],
        &[(0, 16), (16, 16)]
    )]
    #[case::flush_has_no_sectors(vec![event(Kind::BioQueue, 0, 0)], &[])]
    #[case::apart(
        vec![event(Kind::BioQueue, 64, 8), event(Kind::BioQueue, 0, 8)], &[(0, 8), (64, 8)]
    )]
    #[case::overlapping(
        vec![event(Kind::BioQueue, 0, 12), event(Kind::BioQueue, 8, 8)], &[(0, 12), (8, 8)]
    )]
    #[case::overlapping_up_to_one_boundary_above(
        vec![event(Kind::BioQueue, 0, 32), event(Kind::BioQueue, 5, 27)], &[(0, 32), (5, 27)]
    )]
    #[case::overlapping_from_one_boundary_above(
        vec![event(Kind::BioQueue, 0, 5), event(Kind::BioQueue, 0, 32)], &[(0, 32), (0, 5)]
    )]
    #[case::asked_for_again(
        vec![
            event(Kind::BioQueue, 0, 32), event(Kind::Split, 0, 16), event(Kind::BioQueue, 16, 16),
            event(Kind::BioQueue, 0, 16), event(Kind::BioQueue, 0, 32)
        ],
        &[(0, 16), (16, 16)]
    )]
    #[case::overlapping_across_a_boundary(
        vec![
            event(Kind::BioQueue, 0, 12), event(Kind::Split, 0, 8), event(Kind::BioQueue, 8, 4),
            event(Kind::BioQueue, 4, 12), event(Kind::Split, 4, 4), event(Kind::BioQueue, 8, 8)
        ],
        &[(0, 8), (8, 4), (4, 4), (8, 8)]
    )]
    fn read_from_the_trace(#[case] trace: Vec<TraceEvent>, #[case] expected: &[(u64, u64)]) {
        assert_eq!(pairs(&traced(&trace, Dev(253, 0))), expected);
    }

    #[rstest]
    #[case::of_one_request(&[(0, 8)], &[(0, 8), (8, 8)], &[(0, 8)])]
    #[case::of_two_requests(&[(0, 8)], &[(0, 8), (0, 8)], &[(0, 8), (0, 8)])]
    #[case::traced_already(&[(0, 8), (0, 8)], &[(0, 8), (0, 8)], &[(0, 8), (0, 8)])]
    #[case::cut_otherwise(&[(0, 4), (4, 4)], &[(0, 8), (0, 8)], &[(0, 4), (4, 4)])]
    fn copies_of_a_unit(
        #[case] traced: &[(u64, u64)],
        #[case] nominal: &[(u64, u64)],
        #[case] expected: &[(u64, u64)],
    ) {
        let units = |of: &[(u64, u64)]| -> Vec<Unit> {
            let units = of.iter();
            let units = units.map(|&(sector, sectors)| Unit { sector, sectors });
            units.collect()
        };
        let with = with_copies(units(traced), &units(nominal));
        assert_eq!(pairs(&with), expected);
    }

    #[rstest]
    #[case::none(&[], &[])]
    #[case::apart(&[(0, 8), (8, 8)], &[])]
    #[case::two(&[(8, 8), (0, 12)], &[(8, 4)])]
    #[case::within(&[(0, 32), (8, 8)], &[(8, 8)])]
    #[case::twice(&[(0, 8), (0, 8)], &[(0, 8)])]
    #[case::three(&[(0, 12), (8, 12), (16, 8)], &[(8, 4), (16, 4)])]
    fn shared_by_several(#[case] units: &[(u64, u64)], #[case] expected: &[(u64, u64)]) {
        let units = units
            .iter()
            .map(|&(sector, sectors)| Unit { sector, sectors });
        assert_eq!(pairs(&shared(units)), expected);
    }

    proptest! {
        #[test]
        fn units_are_the_range_without_gap_or_overlap(
            sector in 0u64..10_000, sectors in 1u64..5000, shift in 3u32..12
        ) {
            let units = nominal(&[(sector, sectors)], &[NonZeroU64::new(1 << shift).unwrap()]);
            let mut at = sector;
            for unit in units {
                prop_assert_eq!(unit.sector, at);
                prop_assert!(unit.sectors > 0);
                prop_assert_eq!(unit.sector >> shift, (unit.end() - 1) >> shift);
                at = unit.end();
            }
            prop_assert_eq!(at, sector + sectors);
        }
    }
}

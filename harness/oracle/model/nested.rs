//! dm-raid1 whose legs are multipaths.
//!
//! The rule: a multipath tries all its paths before it reports a failure
//! (`multipath_end_io_bio`, `multipath_end_io`). So the mirror sees a leg fail
//! in two cases only: the disk itself fails (`blk_path_error` is false), or no
//! path is left.
//!
//! The two models are combined in that order: the multipaths say which legs
//! fail towards the mirror, and the mirror says how often it asks which leg.

mod rules;

pub use rules::Nested;

use super::multipath::{self, Course};
use super::{
    Expectation, PAGE_SECTORS, UnitExpectation, Unknown, has_gaps, may_exceed_segments, raid1,
    splits,
};
use crate::controller;
use crate::units::{self, Unit};
use halfway_case::observation::Intervention;
use halfway_case::{
    Case, Disk, Fault, Log, PathGrouping, Paths, Raid1, Stack, Sync, Times, Vector,
};
use halfway_protocol::io::{Op, Path};

pub fn knows_nested(case: &Case, mirror: &Raid1, paths: &Paths) -> Result<(), Unknown> {
    if !case.holds.is_empty() {
        return Err(Unknown(
            "a request is held beneath a multipath that is beneath a mirror",
        ));
    }
    if case.io.overlap > 0 {
        return Err(Unknown(
            "requests overlap above a mirror's multipaths; which bios dm-io makes of each is not \
             worked out",
        ));
    }
    if case.faults.iter().any(|fault| fault.op == Op::Flush) {
        return Err(Unknown(
            "a flush fails beneath a mirror's multipath; what the two make of it is not worked out",
        ));
    }
    if case
        .other_faults
        .iter()
        .any(|other| other.disk == Disk::Leg)
    {
        return Err(Unknown(
            "a mirror is recovered over multipaths whose paths fail; which request of the recovery \
             meets the fault depends on timing",
        ));
    }
    let fails = !case.faults.is_empty();
    let pieces = units::nominal(&case.io.parts(), &case.boundaries());
    let one_piece = pieces.len() == 1 && case.io.path == Path::Direct;
    let grouped = paths.multipath.path_grouping != PathGrouping::Failover;
    let by_queue = paths.multipath.queue_mode.is_request_based();
    if grouped && by_queue && (may_exceed_segments(case) || has_gaps(case)) {
        return Err(Unknown(
            "the queue of a mirror's multipath cuts the mirror's bio; which path of a group gets \
             which of the pieces is not worked out: ask for less at once, or take \
             `queue_mode = \"bio\"`",
        ));
    }
    if fails && by_queue && may_exceed_segments(case) {
        return Err(Unknown(
            "the queue of a mirror's multipath cuts the mirror's bio, and a path fails; which of \
             the pieces go to another one is not worked out: ask for less at once, or take \
             `queue_mode = \"bio\"`",
        ));
    }
    let went_on = mirror.sync == Sync::Synced || mirror.log == Log::Disk;
    if fails && grouped && (!one_piece || went_on) {
        return Err(Unknown(
            "which path of a group gets the bad sector depends on what its selector chose before",
        ));
    }
    let lost = lost_for_ever(case, paths);
    if !lost.is_empty() && (!one_piece || grouped) {
        return Err(Unknown(
            "a leg fails the mirror while others of its requests are in flight, or is asked again; \
             how many of them fail with it depends on timing",
        ));
    }
    if !lost.is_empty() && paths.multipath.queue_if_no_path && case.io.op != Op::Read {
        return Err(Unknown(
            "a multipath without a path waits, and then the mirror does: what an operator is to do \
             about both is not worked out",
        ));
    }
    let failing = (0..case.members()).filter(|leg| {
        let disks = case.disk(*leg, 0)..case.disk(leg + 1, 0);
        case.faults.iter().any(|fault| disks.contains(&fault.leg))
    });
    // A mirror writes through dm-io. It also reads through dm-io when a read is
    // resubmitted after the first leg has failed it (`read_async_bio`).
    let by_dm_io = match case.op_on_legs() {
        Op::Write => fails || grouped,
        _ => !lost.is_empty() && failing.count() > 1,
    };
    if by_dm_io && cut_by_dm_io(case, &pieces) {
        return Err(Unknown(
            "dm-io makes several bios of memory that begins within a page, or lies apart in parts \
             of pages (`do_region`); which of them a path is asked for, and fails, depends on how \
             it cut them",
        ));
    }
    for leg in 0..case.members() {
        multipath::knows_multipath(&beneath(case, paths, leg), &paths.multipath)?;
    }
    raid1::knows_mirror(&above(case, mirror, &lost), mirror)
}

/// Whether dm-io makes more than one bio of a unit. It assumes a page for each
/// segment (`do_region` in drivers/md/dm-io.c). Memory that is scattered and
/// does not begin at a page boundary needs more segments than that.
fn cut_by_dm_io(case: &Case, pieces: &[Unit]) -> bool {
    let within_a_page = |piece: &Unit| {
        let parts = case.io.parts();
        let part = parts.iter().rfind(|(sector, _)| *sector <= piece.sector);
        part.is_some_and(|(sector, _)| !(piece.sector - sector).is_multiple_of(PAGE_SECTORS))
    };
    // The kernel writes zeros from a page of them, over and over
    // (`__blkdev_issue_zero_pages` in block/blk-lib.c).
    if case.io.op == Op::WriteZeroes {
        return pieces.iter().any(within_a_page);
    }
    match case.io.vector {
        Vector::Odd => true,
        Vector::Pages => pieces.iter().any(within_a_page),
        Vector::Contiguous | Vector::Offset | Vector::Unaligned => false,
    }
}

pub fn expect(case: &Case, mirror: &Raid1, paths: &Paths, units: &[Unit]) -> Expectation {
    match (units, case.io.path) {
        ([unit], Path::Direct) => one_unit(case, mirror, paths, *unit),
        _ => many_units(case, mirror, paths, units),
    }
}

/// The multipath of one leg as a case of its own.
fn beneath(case: &Case, paths: &Paths, leg: u8) -> Case {
    let mut inner = case.clone();
    let disks = case.disk(leg, 0)..case.disk(leg + 1, 0);
    inner.stack = Stack::Multipath(paths.multipath.clone());
    inner.legs.count = paths.count;
    inner.legs.offset = vec![0; paths.count.into()];
    inner.other_faults.clear();
    inner.faults.retain(|fault| disks.contains(&fault.leg));
    for fault in &mut inner.faults {
        fault.leg -= disks.start;
    }
    inner
}

/// The mirror as a case of its own: its legs are plain disks, and each leg in
/// `lost` has the fault that is given with it.
fn above(case: &Case, mirror: &Raid1, lost: &[(u8, &Fault)]) -> Case {
    let mut outer = case.clone();
    let first = |leg: u8| usize::from(case.disk(leg, 0));
    outer.stack = Stack::Raid1(Raid1 {
        paths: None,
        ..mirror.clone()
    });
    outer.legs.count = case.members();
    outer.legs.offset = (0..case.members())
        .map(|leg| case.legs.offset.get(first(leg)).copied().unwrap_or(0))
        .collect();
    let faults = lost.iter().map(|(leg, fault)| Fault {
        leg: *leg,
        times: Times::Always,
        ..(*fault).clone()
    });
    outer.faults = faults.collect();
    outer
}

/// The legs that may fail towards the mirror, with a fault of each: legs of
/// which every path has a fault, or one path a fault that is the disk's own.
fn lost_for_ever<'a>(case: &'a Case, paths: &Paths) -> Vec<(u8, &'a Fault)> {
    let of = |leg: u8| {
        let on = |disk: u8| case.faults.iter().filter(move |fault| fault.leg == disk);
        let mut disks = (0..paths.count).map(|path| case.disk(leg, path));
        let own = disks
            .clone()
            .flat_map(on)
            .find(|fault| controller::target_error(case, fault).is_some());
        let all = disks.all(|disk| on(disk).next().is_some());
        let first = on(case.disk(leg, 0)).next().filter(|_| all);
        own.or(first).map(|fault| (leg, fault))
    };
    (0..case.members()).filter_map(of).collect()
}

/// A unit that is alone. Each leg that the mirror asks goes through its paths,
/// and continues where it was when the mirror asks it again.
fn one_unit(case: &Case, mirror: &Raid1, paths: &Paths, unit: Unit) -> Expectation {
    let op = case.op_on_legs();
    let multipath = &paths.multipath;
    let inner: Vec<Case> = (0..case.members())
        .map(|leg| beneath(case, paths, leg))
        .collect();
    let first: Vec<Course> = inner
        .iter()
        .map(|inner| multipath::course(inner, multipath, unit, op))
        .collect();
    let met = |leg: u8| {
        let mut disks = case.disk(leg, 0)..case.disk(leg + 1, 0);
        disks.find_map(|disk| controller::met(case, op, disk, unit))
    };
    let lost: Vec<(u8, &Fault)> = (0..)
        .zip(&first)
        .filter(|(_, course)| !course.answered)
        .filter_map(|(leg, _)| met(leg).map(|fault| (leg, fault)))
        .collect();
    let outer = above(case, mirror, &lost);
    let expected = raid1::expect(&outer, mirror, &[unit]);

    let mut asked = Vec::new();
    let mut beneath = Vec::new();
    let mut in_turn: Vec<Vec<u8>> = Vec::new();
    let mut waits = false;
    let size = paths.multipath.path_grouping.size();
    // A disk log has the legs flushed as the mirror is started (`mirror_flush`), or they are
    // synchronised, and the selector of a group goes on with each request.
    let in_turn_since = size > 1 && (mirror.log == Log::Disk || mirror.sync != Sync::Nosync);
    let of_mirror = expected.units.first();
    for (leg, inner) in (0..).zip(&inner) {
        let times = of_mirror.map_or(0, |unit| unit.asked[usize::from(leg)].1);
        let mut course = Course::new(paths.count);
        for _ in 0..times {
            course = multipath::go_on(inner, multipath, unit, op, course);
        }
        waits |= course.held;
        for path in 0..paths.count {
            let times = course.asked.iter().filter(|one| **one == path).count() as u32;
            asked.push(match in_turn_since && path < size {
                true => (0, course.asked.len() as u32),
                false => (times, times),
            });
            beneath.push(if course.failed[usize::from(path)] {
                "F"
            } else {
                "A"
            });
        }
        in_turn.push(
            (course.asked.iter())
                .map(|path| case.disk(leg, *path))
                .collect(),
        );
    }
    let was_asked: Vec<u8> = (0u8..)
        .zip(&asked)
        .filter(|(_, (_, most))| *most > 0)
        .map(|(disk, _)| disk)
        .collect();
    let mut fires = super::answering(case, op, unit, &was_asked);
    fires.sort_unstable();
    let units = expected.units.into_iter().map(|of_mirror| UnitExpectation {
        // A path that was reinstated is asked twice, so there is no order of
        // paths that are asked once each.
        order: (of_mirror.order)
            .map(|order| {
                let legs = order.into_iter();
                legs.flat_map(|leg| in_turn[usize::from(leg)].clone())
                    .collect()
            })
            .filter(|_| !waits && !in_turn_since),
        good: media(case, &of_mirror.good),
        one_of: media(case, &of_mirror.one_of),
        asked: asked.clone(),
        unit: of_mirror.unit,
    });
    Expectation {
        units: units.collect(),
        beneath,
        held: expected.held || waits,
        partial: !fires.is_empty() && splits(case, &[unit]),
        fires,
        ..expected
    }
}

/// The last intervention that a read needed. The mirror asks its legs one after
/// the other, and each leg tries its paths.
pub(super) fn brought_back(
    case: &Case,
    paths: &Paths,
    expected: &Expectation,
    unit: Unit,
) -> Option<Intervention> {
    let of_mirror = expected.units.first()?;
    let was_asked = |leg: &u8| of_mirror.asked[usize::from(case.disk(*leg, 0))].1 > 0;
    // `choose_mirror` starts at the default leg, which is the first, and goes
    // down, wrapping around.
    let legs = case.members();
    let order = (0..legs).map(|step| (legs - step) % legs);
    let of_leg = |leg: u8| {
        let inner = beneath(case, paths, leg);
        let course = multipath::course(&inner, &paths.multipath, unit, case.op_on_legs());
        course.intervention.map(|intervention| match intervention {
            Intervention::ReinstatePath(path) => Intervention::ReinstatePath(case.disk(leg, path)),
            _ => Intervention::GiveUp(leg),
        })
    };
    order.rev().filter(was_asked).find_map(of_leg)
}

/// Several units in flight while each leg keeps a path: the mirror sees no
/// failure. It reads from its first leg and writes to all.
fn many_units(case: &Case, mirror: &Raid1, paths: &Paths, units: &[Unit]) -> Expectation {
    let expected = raid1::expect(&above(case, mirror, &[]), mirror, units);
    let mut asked = vec![Vec::new(); units.len()];
    let mut beneath_legs = Vec::new();
    let mut fires = Vec::new();
    for leg in 0..case.members() {
        let disks = case.disk(leg, 0)..case.disk(leg + 1, 0);
        let mut inner = beneath(case, paths, leg);
        let used = leg == 0 || case.op_on_legs() != Op::Read;
        if !used {
            inner.faults.clear();
        }
        let of_leg = multipath::expect(&inner, &paths.multipath, units);
        beneath_legs.extend(of_leg.health);
        let mut own = super::indices(case, |fault| disks.contains(&fault.leg));
        fires.extend(of_leg.fires.iter().filter_map(|nth| own.nth(*nth)));
        for (asked, unit) in asked.iter_mut().zip(of_leg.units) {
            let times = |(least, most)| if used { (least, most) } else { (0, 0) };
            asked.extend(unit.asked.into_iter().map(times));
        }
    }
    let units = expected.units.into_iter().zip(asked);
    Expectation {
        units: units
            .map(|(unit, asked)| UnitExpectation {
                order: None,
                good: media(case, &unit.good),
                one_of: media(case, &unit.one_of),
                asked,
                unit: unit.unit,
            })
            .collect(),
        beneath: beneath_legs,
        fires,
        ..expected
    }
}

/// For each of these legs the disk that stands for its medium: its first path.
fn media(case: &Case, legs: &[u8]) -> Vec<u8> {
    legs.iter().map(|leg| case.disk(*leg, 0)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{self as model, EIO, Environment};
    use super::*;
    use halfway_scenario::Scenario;
    use rstest::rstest;

    /// A mirror of two legs of two paths; `disks` fail sector 2300 for ever.
    fn case(more: &str, op: &str, disks: &[u8]) -> Case {
        let mut text = format!(
            "question = \"?\"\n[stack]\npaths = 2\n{more}\n[io]\nop = \"{op}\"\nvector = \"pages\"\n"
        );
        for disk in disks {
            let (leg, path) = (disk / 2, disk % 2);
            text += &format!("[[fault]]\nleg = {leg}\npath = {path}\n");
        }
        let scenario = Scenario::parse("test", &text).unwrap();
        scenario.expand().next().unwrap()
    }

    fn expected(case: &Case) -> Expectation {
        assert_eq!(model::knows(case), Ok(()));
        let units = units::nominal(&case.io.parts(), &case.boundaries());
        model::expect(case, &Environment::default(), &units)
    }

    /// Columns: faulty disks; disks asked, in order; the mirror's health; the
    /// multipaths' health; the disk whose medium has the data.
    #[rstest]
    #[case::healthy(&[], &[0], "AA", "AAAA", Some(0))]
    #[case::path(&[0], &[0, 1], "AA", "FAAA", Some(0))]
    #[case::second_is_not_asked(&[1], &[0], "AA", "AAAA", Some(0))]
    #[case::leg(&[0, 1], &[0, 1, 2], "RA", "FFAA", Some(2))]
    #[case::leg_and_path(&[0, 1, 2], &[0, 1, 2, 3], "RA", "FFFA", Some(2))]
    #[case::all(&[0, 1, 2, 3], &[0, 1, 2, 3], "RR", "FFFF", None)]
    fn a_read_goes_from_path_to_path_and_then_to_the_other_leg(
        #[case] disks: &[u8],
        #[case] order: &[u8],
        #[case] health: &str,
        #[case] beneath: &str,
        #[case] good: Option<u8>,
    ) {
        let expected = expected(&case("", "read", disks));
        let unit = &expected.units[0];
        assert_eq!(unit.order.as_deref(), Some(order));
        assert_eq!(unit.good, good.into_iter().collect::<Vec<_>>());
        assert_eq!(expected.health.concat(), health);
        assert_eq!(expected.beneath.concat(), beneath);
        let asked = |disk: u8| u32::from(order.contains(&disk));
        assert_eq!(
            unit.asked,
            [0, 1, 2, 3].map(|disk| (asked(disk), asked(disk)))
        );
        let met = disks.iter().filter(|disk| order.contains(disk)).count();
        assert_eq!(expected.fires.len(), met);
        let answer = if good.is_some() {
            Ok(512 * 512)
        } else {
            Err(EIO)
        };
        assert_eq!(expected.answers, [vec![answer]]);
    }

    /// Which path of a group is next is known while nothing went over them before.
    #[rstest]
    #[case::first("path_grouping = \"multibus\"", [(1, 1), (0, 0)])]
    #[case::flushed("path_grouping = \"multibus\"\nlog = \"disk\"", [(0, 1), (0, 1)])]
    #[case::copied("path_grouping = \"pairs\"\nsync = \"synced\"\n[legs]\nsize = 8192", [(0, 1), (0, 1)])]
    #[case::alone("path_grouping = \"failover\"\nlog = \"disk\"", [(1, 1), (0, 0)])]
    fn a_group_goes_on_with_what_was_flushed(#[case] stack: &str, #[case] asked: [(u32, u32); 2]) {
        let expected = expected(&case(stack, "write", &[]));
        assert_eq!(expected.units[0].asked, [asked, asked].concat());
    }

    /// Columns: options; faulty disks; how often each disk is asked for the
    /// write; the mirror's health; the multipaths' health; the disks whose
    /// media hold the data; whether the I/O waits.
    #[rstest]
    #[case::path("keep_log = true", &[2], &[1, 0, 1, 1], "AA", "AAFA", &[0, 2], false)]
    #[case::leg("keep_log = true", &[0, 1, 2], &[1, 1, 1, 1], "DA", "FFFA", &[2], false)]
    #[case::held("", &[0, 1], &[1, 1, 2, 0], "DA", "FFAA", &[2], true)]
    #[case::held_over_the_last("", &[0, 1, 2], &[1, 1, 1, 2], "DA", "FFFA", &[2], true)]
    fn a_write_goes_over_a_path_of_each_leg(
        #[case] stack: &str,
        #[case] disks: &[u8],
        #[case] asked: &[u32],
        #[case] health: &str,
        #[case] beneath: &str,
        #[case] good: &[u8],
        #[case] held: bool,
    ) {
        let expected = expected(&case(stack, "write", disks));
        let unit = &expected.units[0];
        let asked: Vec<_> = asked.iter().map(|times| (*times, *times)).collect();
        assert_eq!(unit.asked, asked);
        assert_eq!(unit.good, good);
        assert_eq!(expected.health.concat(), health);
        assert_eq!(expected.beneath.concat(), beneath);
        assert_eq!(expected.held, held);
    }

    /// A leg without a path makes the mirror wait. It does not fail towards the
    /// mirror before somebody has given up.
    #[rstest]
    #[case::reinstated("once", &[2, 1, 0, 0], "AA", "AFAA", Some(0))]
    #[case::given_up("always", &[2, 2, 1, 0], "RA", "FFAA", Some(2))]
    fn a_leg_without_a_path_waits(
        #[case] times: &str,
        #[case] asked: &[u32],
        #[case] health: &str,
        #[case] beneath: &str,
        #[case] good: Option<u8>,
    ) {
        let mut case = case("queue_if_no_path = true", "read", &[0, 1]);
        if times == "once" {
            for fault in &mut case.faults {
                fault.times = Times::Count(1);
            }
        }
        let expected = expected(&case);
        let asked: Vec<_> = asked.iter().map(|times| (*times, *times)).collect();
        assert_eq!(expected.units[0].asked, asked);
        assert!(expected.held);
        assert_eq!(expected.health.concat(), health);
        assert_eq!(expected.beneath.concat(), beneath);
        assert_eq!(expected.units[0].good, good.into_iter().collect::<Vec<_>>());
        assert_eq!(expected.answers, [vec![Ok(512 * 512)]]);
    }

    /// An error of the disk itself fails no path, but the mirror sees it.
    #[test]
    fn an_error_of_the_disk_goes_up_to_the_mirror() {
        let mut case = case("", "read", &[0]);
        case.legs.controller = halfway_case::Controller::Nvme;
        let expected = expected(&case);
        assert_eq!(expected.units[0].order, Some(vec![0, 2]));
        assert_eq!(expected.health.concat(), "RA");
        assert_eq!(expected.beneath.concat(), "AAAA");
    }

    /// If the path that a request was split for is asked, it has a part of it
    /// done (`bio_split_to_limits`).
    #[rstest]
    #[case::path(&[0], true)]
    #[case::second_leg_is_not_asked(&[2], false)]
    #[case::healthy(&[], false)]
    fn a_path_leaves_a_part_complete(#[case] disks: &[u8], #[case] partial: bool) {
        let mut case = case("queue_mode = \"bio\"", "read", disks);
        case.legs.max_sectors_kb = Some(64);
        assert_eq!(expected(&case).partial, partial);
    }

    /// A write in two pieces meets the fault of the first path of each leg, in
    /// whatever order the case names the faults.
    #[test]
    fn a_write_in_pieces_meets_the_fault_of_each_leg() {
        let mut case = case("keep_log = true", "write", &[2, 0]);
        case.io.requests = 2;
        let expected = expected(&case);
        assert_eq!(expected.fires, [1, 0]);
        assert_eq!(expected.beneath.concat(), "FAFA");
    }

    /// Of several units that are read, only the paths of the first leg may be
    /// asked.
    #[test]
    fn of_many_units_the_mirror_hears_of_no_failure() {
        let mut case = case("", "read", &[0, 2]);
        case.io.requests = 4;
        let expected = expected(&case);
        assert_eq!(expected.health.concat(), "AA");
        assert_eq!(expected.beneath.concat(), "FAAA");
        assert_eq!(expected.units[0].asked, [(0, 1), (0, 1), (0, 0), (0, 0)]);
        assert_eq!(expected.fires, [0]);
    }

    #[rstest]
    #[case::leg_lost("", "read", &[0, 1], 1, true)]
    #[case::leg_lost_among_many("", "read", &[0, 1], 4, false)]
    #[case::read_waits("queue_if_no_path = true", "read", &[0, 1], 1, true)]
    #[case::write_waits("queue_if_no_path = true", "write", &[0, 1], 1, false)]
    #[case::cut_by_dm_io("", "odd-write", &[0], 1, false)]
    #[case::begins_with_a_page("linear = 256", "write", &[0], 1, true)]
    #[case::begins_within_a_page("linear = 250", "write", &[0], 1, false)]
    #[case::read_as_it_is("linear = 250", "read", &[0], 1, true)]
    #[case::group_asked_again("path_grouping = \"multibus\"", "write", &[0, 1], 1, false)]
    fn what_depends_on_timing_is_not_known(
        #[case] stack: &str,
        #[case] op: &str,
        #[case] disks: &[u8],
        #[case] requests: u32,
        #[case] known: bool,
    ) {
        let (vector, op) = match op.strip_prefix("odd-") {
            Some(op) => (Vector::Odd, op),
            None => (Vector::Pages, op),
        };
        let mut case = case(stack, op, disks);
        case.io.requests = requests;
        case.io.vector = vector;
        assert_eq!(model::knows(&case).is_ok(), known);
    }
}

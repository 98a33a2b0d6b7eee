//! dm-multipath (drivers/md/dm-mpath.c).
//!
//! The rule: an I/O that fails with a path error (`blk_path_error`) fails its
//! path (`fail_path`) and is resubmitted whole, as it was submitted, to the
//! next path. The failed path is not used again until an operator reinstates
//! it.
//!
//! - Bio mode: `multipath_end_io_bio` queues the bio (`multipath_queue_bio`);
//!   `process_queued_bios` restores it (`dm_bio_restore`) and resubmits it to
//!   the path that is then chosen.
//! - Request mode: `multipath_end_io` returns `DM_ENDIO_REQUEUE`, so that the
//!   original request is requeued and mapped again
//!   (`dm_requeue_original_request` in drivers/md/dm-rq.c).
//!
//! Nothing else differs between the two modes here. An error of the disk itself
//! (`blk_path_error` is false) is not resubmitted: it goes up to the
//! application.

mod rules;

pub use rules::Paths;

use super::{
    EIO, Expectation, UnitExpectation, Unknown, answering, ends_with_fsync, fault_meets, has_gaps,
    indices, is_piece, legs_always, legs_with, may_be_cut, multipathd, splits, whole,
    whole_answers, without_flush_faults,
};
use crate::controller;
use crate::units::{self, Unit};
use halfway_case::observation::Intervention;
use halfway_case::{Case, Fault, Multipath, PathGrouping, Times};
use halfway_protocol::io::{Op, Path};

/// 512-byte sectors of a request that is handled as one piece whatever the
/// paths' own limits are: half of what the smallest of them takes
/// (`BLK_DEF_MAX_SECTORS`, 1280 KiB).
const ONE_PIECE: u64 = 1280;

/// 512-byte sectors that every device model asks its medium for at once (`SCSI_DMA_BUF_SIZE` in
/// QEMU's hw/scsi/scsi-disk.c).
const AT_ONCE: u64 = 256;

pub fn knows_multipath(case: &Case, multipath: &Multipath) -> Result<(), Unknown> {
    let pieces = units::nominal(&case.io.parts(), &case.boundaries());
    let one_piece = case.io.path == Path::Direct
        && matches!(pieces.as_slice(), [piece] if piece.sectors <= ONE_PIECE)
        && !may_be_cut(case);
    let worn_off = |path: u8| {
        let mut of_path = case.faults.iter().filter(move |fault| fault.leg == path);
        let wears_off = of_path.clone().any(|fault| fault.times != Times::Always);
        wears_off && of_path.nth(1).is_some()
    };
    if (0..case.legs.count).any(worn_off) {
        return Err(Unknown(
            "a path has several faults of which one wears off; which one a request meets depends \
             on how the path cuts it",
        ));
    }
    let flushes_fail = case.faults.iter().any(|fault| fault.op == Op::Flush);
    if flushes_fail && multipath.path_grouping != PathGrouping::Failover {
        return Err(Unknown(
            "which path of a group is told to flush depends on what its selector chose before",
        ));
    }
    if flushes_fail && !one_piece {
        return Err(Unknown(
            "a flush fails behind writes in several pieces; which of them it belongs to depends on \
             how the path joins their flushes",
        ));
    }
    let of_disk = |fault: &Fault| controller::target_error(case, fault).is_some();
    let cut = (case.legs.controller.profile().limits.request_sectors)
        .is_some_and(|most| case.io.sectors > most);
    if cut && case.faults.iter().any(of_disk) {
        return Err(Unknown(
            "this controller takes less than the I/O at once, and the error is the disk's own; which \
             pieces of the I/O share it depends on how the kernel cuts them",
        ));
    }
    let grouped = multipath.path_grouping != PathGrouping::Failover;
    let fails = !legs_with(case, case.op_on_legs(), whole(case)).is_empty();
    let busy = case.legs.controller.profile().limits.shared_bus;
    if grouped && busy && multipath.queue_mode.is_request_based() && fails {
        return Err(Unknown(
            "two disks share a bus, and a path fails; the next path of its group may be busy yet, \
             and is passed over then (`blk_get_request` in `multipath_clone_and_map`)",
        ));
    }
    if grouped && has_gaps(case) && fails {
        return Err(Unknown(
            "this controller takes no memory with gaps, and a path fails; which path of a group \
             gets the bad piece depends on what its selector chose before",
        ));
    }
    let whole_request = one_piece && case.legs.max_sectors_kb.is_none();
    if !(whole_request && case.io.sectors <= AT_ONCE)
        && (0..case.legs.count).any(|path| {
            let of_path = case.faults.iter().filter(|fault| fault.leg == path);
            let mut errors = of_path.map(|fault| controller::target_error(case, fault));
            let first = errors.next();
            errors.any(|error| Some(error) != first)
        })
    {
        return Err(Unknown(
            "a path has errors of its own and of the disk itself; which of them a request meets \
             depends on how the kernel and the device model cut it: ask for one direct request of \
             at most 256 sectors",
        ));
    }
    if one_piece {
        return Ok(());
    }
    let failing = legs_with(case, case.op_on_legs(), whole(case));
    if !failing.is_empty() && case.faults.iter().any(of_disk) {
        if disk_error_among_units(case, multipath).is_some() {
            return Ok(());
        }
        return Err(Unknown(
            "the errors of this controller are the disk's own and go up at once; which pieces of \
             an I/O share one depends on how the kernel merges them",
        ));
    }
    let none_left = failing.len() == usize::from(case.legs.count);
    if none_left && multipath.queue_if_no_path {
        return Err(Unknown(
            "every path fails a part of an I/O of several pieces; how often they wait for an \
             operator depends on timing",
        ));
    }
    if none_left && case.io.path == Path::Buffered && case.io.op == Op::Read {
        return Err(Unknown(
            "every path fails a part of a buffered read; how much of it was read before the last \
             path failed depends on the read-ahead",
        ));
    }
    if !failing.is_empty() && grouped {
        return Err(Unknown(
            "which path of a group gets the bad sector of an I/O of several pieces depends on \
             timing",
        ));
    }
    Ok(())
}

pub fn expect(case: &Case, multipath: &Multipath, units: &[Unit]) -> Expectation {
    // In request mode device-mapper's own queue flushes behind a durable write,
    // with a request of its own (`blk_insert_flush`). In bio mode `REQ_FUA` is
    // passed down, and the path flushes behind the write.
    let flushes_apart =
        ends_with_fsync(case) || case.io.dsync && multipath.queue_mode.is_request_based();
    let flushes_fail = case.faults.iter().any(|fault| fault.op == Op::Flush);
    match (units, case.io.path) {
        ([unit], Path::Direct) if flushes_fail && flushes_apart => flush(case, multipath, *unit),
        ([unit], Path::Direct) if flushes_fail => one_unit(case, multipath, *unit, Op::Flush),
        ([unit], Path::Direct) => one_unit(case, multipath, *unit, case.op_on_legs()),
        _ => match disk_error_among_units(case, multipath).or_else(|| cut(case, multipath)) {
            Some((fault, errno)) => disk_fails(case, fault, errno, units),
            None => many_units(case, multipath, units),
        },
    }
}

/// The fault that the one request of a direct I/O meets on the first path, and
/// its errno, if it is an error of the disk itself. Whether the device tells
/// how far it got does not matter here. The kernel may have split the request
/// where its memory has gaps that the path does not take (`bvec_gap_to_prev` in
/// `bio_split_rw`, for NVMe's `virt_boundary_mask`); then the application gets
/// the error of the piece that failed (`blkdev_bio_end_io`).
fn cut<'a>(case: &'a Case, multipath: &Multipath) -> Option<(&'a Fault, i32)> {
    let alone = case.io.path == Path::Direct && case.io.parts().len() == 1;
    if !alone || multipath.path_grouping != PathGrouping::Failover {
        return None;
    }
    let op = case.op_on_legs();
    let mut met = (case.faults.iter()).filter(|fault| fault_meets(fault, op, 0, whole(case)));
    let first = met.next()?;
    let errno = controller::target_error(case, first)?;
    let others = met.all(|fault| controller::target_error(case, fault) == Some(errno));
    others.then_some((first, errno))
}

/// The one fault of a direct I/O of several units, and its errno, if it is an
/// error of the disk itself that the first path meets, and the device tells how
/// far it got.
fn disk_error_among_units<'a>(case: &'a Case, multipath: &Multipath) -> Option<(&'a Fault, i32)> {
    let [fault] = case.faults.as_slice() else {
        return None;
    };
    let errno = controller::target_error(case, fault)?;
    let met = fault.report.is_some()
        && fault.times == Times::Always
        && fault_meets(fault, case.io.op, 0, whole(case))
        && case.io.path == Path::Direct
        && multipath.path_grouping == PathGrouping::Failover;
    met.then_some((fault, errno))
}

/// A disk's own error: it goes up and fails no path. What was merged into the
/// same request behind the bad sector gets the error too. What lies before the
/// bad sector is done if the kernel completes it (`end_clone_bio` in
/// drivers/md/dm-rq.c passes each completed bio on to the original request);
/// else it may get the error as well.
fn disk_fails(case: &Case, fault: &Fault, errno: i32, units: &[Unit]) -> Expectation {
    // An old kernel may compute the progress wrongly, so nothing is demanded of
    // it.
    let progress = fault.completes_progress((u32::MAX, 0));
    let mut answers = whole_answers(case);
    for (answer, &(sector, sectors)) in answers.iter_mut().zip(&case.io.parts()) {
        let part = Unit { sector, sectors };
        if part.covers(fault.sector) {
            *answer = vec![Err(errno)];
        } else if !progress || part.sector > fault.sector {
            answer.push(Err(errno));
        }
    }
    let of_write = |medium: u8| match case.io.op {
        Op::Write => vec![medium],
        _ => Vec::new(),
    };
    let asked = |path: u8| if path == 0 { (1, 1) } else { (0, 0) };
    Expectation {
        answers,
        active_group: Some(0),
        fires: indices(case, |one| one == fault).take(1).collect(),
        units: units
            .iter()
            .map(|&unit| UnitExpectation {
                unit,
                order: None,
                good: match case.io.op {
                    Op::Read => vec![0],
                    _ => Vec::new(),
                },
                one_of: of_write(0),
                asked: (0..case.legs.count).map(asked).collect(),
            })
            .collect(),
        ..Expectation::undisturbed(case)
    }
}

/// A write that succeeds, followed by a flush. The flush fails over from path
/// to path as any other request does.
fn flush(case: &Case, multipath: &Multipath, unit: Unit) -> Expectation {
    let written = one_unit(&without_flush_faults(case), multipath, unit, Op::Write);
    let flushed = one_unit(case, multipath, unit, Op::Flush);
    Expectation {
        units: (written.units.into_iter())
            .map(|unit| UnitExpectation {
                order: None,
                ..unit
            })
            .collect(),
        ..flushed
    }
}

/// The course of a unit that is alone: which paths are asked, in which order,
/// until one answers.
pub(super) struct Course {
    /// The paths that were asked, in order.
    pub(super) asked: Vec<u8>,
    pub(super) answered: bool,
    /// The errno that the application gets if no path answered.
    error: i32,
    pub(super) held: bool,
    /// For each path, whether it has failed.
    pub(super) failed: Vec<bool>,
    /// The last of an operator's interventions that the unit needed.
    pub(super) intervention: Option<Intervention>,
}

impl Course {
    /// The start of a course over that many paths: no path has been asked yet.
    pub(super) fn new(paths: u8) -> Self {
        Course {
            asked: Vec::new(),
            answered: false,
            error: EIO,
            held: false,
            failed: vec![false; paths.into()],
            intervention: None,
        }
    }
}

/// Which paths a unit is sent to, one after the other.
///
/// - The first path that works is chosen: priority groups are tried in their
///   order (`choose_pgpath`), and a selector that knows nothing of its paths
///   takes the first and moves it behind the others.
/// - A path error fails the path (`fail_path`), and the unit is resubmitted
///   whole to the next one: requeued in request mode (`multipath_end_io`),
///   queued and restored in bio mode (`multipath_end_io_bio`).
/// - An error of the disk itself goes up from the first path, and the path does
///   not fail for it (`blk_path_error`).
/// - With no path left the unit fails or, with `queue_if_no_path`, waits. The
///   operator then reinstates one path at a time, each once, and gives up in
///   the end (`fail_if_no_path`). If there is a multipathd, it reinstates paths
///   instead ([`multipathd::reinstated`]).
pub(super) fn course(case: &Case, multipath: &Multipath, unit: Unit, op: Op) -> Course {
    let course = Course::new(case.legs.count);
    go_on(case, multipath, unit, op, course)
}

/// Goes on with a course: the unit is asked for again after the paths have
/// failed so far.
pub(super) fn go_on(
    case: &Case,
    multipath: &Multipath,
    unit: Unit,
    op: Op,
    mut course: Course,
) -> Course {
    course.answered = false;
    let paths = course.failed.len();
    let mut to_reinstate = multipathd::reinstated(case, multipath, paths).into_iter();
    loop {
        let Some(path) = course.failed.iter().position(|failed| !failed) else {
            if !multipath.waits() {
                return course;
            }
            course.held = true;
            match to_reinstate.next() {
                Some(path) => {
                    course.failed[path] = false;
                    course.intervention = Some(Intervention::ReinstatePath(path as u8));
                }
                None => {
                    course.intervention = Some(Intervention::GiveUp(0));
                    return course;
                }
            }
            continue;
        };
        let before = course
            .asked
            .iter()
            .filter(|asked| usize::from(**asked) == path);
        let before = before.count() as u32;
        course.asked.push(path as u8);
        let failing =
            controller::met(case, op, path as u8, unit).filter(|fault| match fault.times {
                Times::Always => true,
                Times::Count(times) => before < times,
            });
        let Some(fault) = failing else {
            course.answered = true;
            return course;
        };
        if let Some(errno) = controller::target_error(case, fault) {
            course.error = errno;
            return course;
        }
        course.failed[path] = true;
    }
}

/// Index of the priority group that a path is in.
fn group_of(multipath: &Multipath, path: u8) -> u8 {
    path / multipath.path_grouping.size()
}

/// The expectation for one unit. The faults of operation `op` decide which
/// paths fail.
fn one_unit(case: &Case, multipath: &Multipath, unit: Unit, op: Op) -> Expectation {
    let course = course(case, multipath, unit, op);
    let mut fires = answering(case, op, unit, &course.asked);
    fires.sort_unstable();
    let times = |path: u8| course.asked.iter().filter(|asked| **asked == path).count() as u32;
    let mut answers = whole_answers(case);
    if !course.answered {
        answers = vec![vec![Err(course.error)]; answers.len()];
    }
    let more = u32::from(course.held && multipathd::asks_again(multipath));
    let once_each = (0..case.legs.count).all(|path| times(path) + more <= 1);
    let last = course.asked.last().copied().unwrap_or(0);
    let active_group = usize::from(group_of(multipath, last));
    Expectation {
        answers,
        held: course.held,
        health: (0u8..)
            .zip(&course.failed)
            .map(|(path, failed)| match failed {
                true if multipathd::may_be_reinstated(case, path, course.held) => "AF",
                true => "F",
                false => "A",
            })
            .collect(),
        active_group: (course.answered || course.error != EIO).then_some(active_group),
        partial: !fires.is_empty() && op != Op::Flush && splits(case, &[unit]),
        fires,
        units: vec![UnitExpectation {
            unit,
            order: once_each.then(|| course.asked.clone()),
            good: if course.answered { vec![0] } else { Vec::new() },
            one_of: Vec::new(),
            asked: (0..case.legs.count)
                .map(|path| (times(path), times(path) + more))
                .collect(),
        }],
        ..Expectation::undisturbed(case)
    }
}

/// Several units in flight. How many more of them a failing path gets depends
/// on timing.
fn many_units(case: &Case, multipath: &Multipath, units: &[Unit]) -> Expectation {
    let paths = usize::from(case.legs.count);
    let op = case.op_on_legs();
    let failing = legs_with(case, op, whole(case));
    let may_fail = failing.len() == paths;
    // Groups are used in their order, so a path gets what all paths before it
    // have failed.
    let surely_fails = |path: u8| {
        let fails_up_to = |unit: &Unit| {
            (0..=path).all(|path| (case.faults.iter()).any(|f| fault_meets(f, op, path, *unit)))
        };
        multipath.path_grouping == PathGrouping::Failover && units.iter().any(fails_up_to)
    };
    let mut answers = whole_answers(case);
    for (answer, &(sector, sectors)) in answers.iter_mut().zip(&case.io.parts()) {
        let part = Unit { sector, sectors };
        let lost = |unit: &Unit| {
            is_piece(case, *unit, part) && legs_always(case, op, *unit).len() == paths
        };
        let only_one = case.io.path == Path::Direct || case.io.requests == 1;
        if only_one && units.iter().any(lost) {
            *answer = vec![Err(EIO)];
        } else if may_fail {
            answer.push(Err(EIO));
        }
    }
    let used = |path: u8| {
        let group = group_of(multipath, path);
        !(0..path).any(|one| group_of(multipath, one) < group && !failing.contains(&one))
    };
    let most = match case.io.path {
        Path::Direct => 1,
        Path::Buffered => u32::MAX,
    };
    let reads = op == Op::Read;
    let certain = !reads && !may_fail;
    let fires = (0..case.legs.count)
        .filter(|path| surely_fails(*path))
        .filter_map(|path| indices(case, |fault| fault_meets(fault, op, path, whole(case))).next())
        .take(1)
        .collect();
    Expectation {
        answers,
        health: (0..case.legs.count)
            .map(|path| match () {
                () if !failing.contains(&path) => "A",
                () if surely_fails(path) => "F",
                () => "AF",
            })
            .collect(),
        fires,
        units: units
            .iter()
            .map(|&unit| UnitExpectation {
                unit,
                order: None,
                good: match reads {
                    true => (0..case.legs.count).collect(),
                    false if certain => vec![0],
                    false => Vec::new(),
                },
                one_of: match reads || certain {
                    true => Vec::new(),
                    false => vec![0],
                },
                asked: (0..case.legs.count)
                    .map(|path| if used(path) { (0, most) } else { (0, 0) })
                    .collect(),
            })
            .collect(),
        ..Expectation::undisturbed(case)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfway_case::Controller;
    use halfway_case::{Fault, PathSelector, QueueMode, Stack};
    use halfway_scenario::Scenario;
    use rstest::rstest;

    fn fault(leg: u8, sector: u64, times: Times) -> Fault {
        Fault {
            leg,
            op: Op::Read,
            sector,
            times,
            errno: 5,
            report: None,
        }
    }

    /// A read of 512 sectors from the start of the device.
    fn case(count: u8, requests: u32, multipath: Multipath, faults: Vec<Fault>) -> Case {
        let text = format!(
            "question = \"?\"\n[stack]\ntarget = \"multipath\"\n[legs]\ncount = {count}\n\
             [io]\nsector = 0\nvector = \"pages\"\nrequests = {requests}\n"
        );
        let scenario = Scenario::parse("test", &text).unwrap();
        Case {
            stack: Stack::Multipath(multipath),
            faults,
            ..scenario.expand().next().unwrap()
        }
    }

    fn stack(path_grouping: PathGrouping, queue_if_no_path: bool) -> Multipath {
        Multipath {
            queue_mode: QueueMode::Mq,
            path_selector: PathSelector::RoundRobin,
            path_grouping,
            queue_if_no_path,
            pg_init_retries: None,
            pg_init_delay_msecs: None,
            no_path_retry: None,
        }
    }

    const ALWAYS: Times = Times::Always;
    const ONCE: Times = Times::Count(1);
    use PathGrouping::{Failover, Multibus};

    /// Columns: `queue_if_no_path`; faults; paths asked, in order; whether one
    /// answers; whether the I/O waits; the paths' health in the end; the active
    /// group.
    #[rstest]
    #[case::healthy(false, &[], &[0], true, false, "AA", Some(0))]
    #[case::first_fails(false, &[(0, ALWAYS)], &[0, 1], true, false, "FA", Some(1))]
    #[case::once_is_enough(false, &[(0, ONCE)], &[0, 1], true, false, "FA", Some(1))]
    #[case::second_is_not_asked(false, &[(1, ALWAYS)], &[0], true, false, "AA", Some(0))]
    #[case::none_left(false, &[(0, ALWAYS), (1, ONCE)], &[0, 1], false, false, "FF", None)]
    #[case::reinstated(true, &[(0, ONCE), (1, ONCE)], &[0, 1, 0], true, true, "AF", Some(0))]
    #[case::reinstated_second(
        true, &[(0, ALWAYS), (1, ONCE)], &[0, 1, 0, 1], true, true, "FA", Some(1)
    )]
    #[case::given_up(
        true, &[(0, ALWAYS), (1, ALWAYS)], &[0, 1, 0, 1], false, true, "FF", None
    )]
    fn one_unit_goes_from_path_to_path(
        #[case] queue: bool,
        #[case] faults: &[(u8, Times)],
        #[case] asked: &[u8],
        #[case] answered: bool,
        #[case] held: bool,
        #[case] health: &str,
        #[case] group: Option<usize>,
    ) {
        let unit = Unit {
            sector: 0,
            sectors: 512,
        };
        let faults = faults.iter().map(|&(leg, times)| fault(leg, 100, times));
        let multipath = stack(Failover, queue);
        let case = case(2, 1, multipath.clone(), faults.collect());
        assert_eq!(course(&case, &multipath, unit, Op::Read).asked, asked);
        let expected = expect(&case, &multipath, &[unit]);
        let answer = if answered { Ok(512 * 512) } else { Err(EIO) };
        assert_eq!(expected.answers, [vec![answer]]);
        assert_eq!(expected.held, held);
        assert_eq!(expected.health.concat(), health);
        assert_eq!(expected.active_group, group);
        let times = |path| asked.iter().filter(|asked| **asked == path).count() as u32;
        let counts = [0, 1].map(|path| (times(path), times(path)));
        assert_eq!(expected.units[0].asked, counts);
    }

    /// An HBA that was lost in mid-request is back once its path is reinstated,
    /// however many of its commands failed before.
    #[rstest]
    #[case::found_again(true, "once", true)]
    #[case::nobody_reinstates_it(false, "once", false)]
    #[case::lost_for_good(true, "always", true)]
    fn an_hba_comes_back(#[case] queue: bool, #[case] times: &str, #[case] known: bool) {
        let text = format!(
            "question = \"?\"\n[stack]\ntarget = \"multipath\"\nqueue_if_no_path = {queue}\n\
             [legs]\ncontroller = \"target\"\n[[fault]]\nreport = \"short-good+gone\"\n\
             times = \"{times}\"\n[[fault]]\nleg = 1\nreport = \"bad-target\"\n"
        );
        let case = Scenario::parse("test", &text).unwrap().expand().next();
        let (case, absorbed) = controller::as_dm_meets(&case.unwrap());
        assert_eq!(
            (super::super::knows(&case).is_ok(), absorbed.len()),
            (known, 0)
        );
        let unit = whole(&case);
        let multipath = stack(Failover, queue);
        let course = course(&case, &multipath, unit, Op::Read);
        let asked: &[u8] = match (queue, times) {
            (false, _) => &[0, 1],
            (true, "once") => &[0, 1, 0],
            (true, _) => &[0, 1, 0, 1],
        };
        assert_eq!(
            (course.asked.as_slice(), course.answered),
            (asked, asked.len() == 3)
        );
    }

    /// An error of the disk's own medium fails no path.
    #[test]
    fn an_error_of_the_disk_goes_up() {
        let unit = Unit {
            sector: 0,
            sectors: 512,
        };
        let multipath = stack(Failover, true);
        let mut case = case(2, 1, multipath.clone(), vec![fault(0, 100, ALWAYS)]);
        case.legs.controller = Controller::Nvme;
        let expected = expect(&case, &multipath, &[unit]);
        assert_eq!(expected.answers, [vec![Err(61)]]);
        assert_eq!(expected.health, ["A", "A"]);
        assert_eq!(expected.units[0].asked, [(1, 1), (0, 0)]);
        assert_eq!((expected.active_group, expected.held), (Some(0), false));
        case.io.requests = 2;
        assert!(knows_multipath(&case, &multipath).is_err());
    }

    /// The kernel has split the one request at a gap of its memory, and the
    /// disk itself fails a piece: the application gets the error, and no path
    /// fails.
    #[rstest]
    #[case::lasting(ALWAYS)]
    #[case::once(ONCE)]
    fn an_error_of_the_disk_fails_a_request_that_was_cut(#[case] times: Times) {
        let multipath = stack(Failover, true);
        let mut case = case(2, 1, multipath.clone(), vec![fault(0, 0, times)]);
        case.legs.controller = Controller::Nvme;
        let units = [(0, 1), (1, 511)].map(|(sector, sectors)| Unit { sector, sectors });
        let expected = expect(&case, &multipath, &units);
        assert_eq!(expected.answers, [vec![Err(61)]]);
        assert_eq!(expected.health, ["A", "A"]);
        assert_eq!(expected.fires, [0]);
        assert_eq!(expected.units[1].asked, [(1, 1), (0, 0)]);
        case.faults[0].leg = 1;
        let expected = expect(&case, &multipath, &units);
        assert_eq!(expected.answers, [vec![Ok(512 * 512)]]);
    }

    /// Of merged requests those before the bad sector are done, the one with
    /// the bad sector fails, and those behind it may fail with it.
    #[rstest]
    #[case::partial("medium-error", 61, true)]
    #[case::short("short-good+hardware-error", 121, true)]
    #[case::whole("residual-of-all", 61, false)]
    fn an_error_of_the_disk_fails_what_shares_its_request(
        #[case] report: &str,
        #[case] errno: i32,
        #[case] progress: bool,
    ) {
        let multipath = stack(Failover, false);
        let mut bad = fault(0, 200, ALWAYS);
        bad.report = Some(report.parse().unwrap());
        let mut case = case(2, 4, multipath.clone(), vec![bad]);
        case.legs.controller = Controller::Target;
        assert!(knows_multipath(&case, &multipath).is_ok());
        let units = [0, 128, 256, 384].map(|sector| Unit {
            sector,
            sectors: 128,
        });
        let expected = expect(&case, &multipath, &units);
        let either = vec![Ok(128 * 512), Err(errno)];
        let before = if progress {
            vec![Ok(128 * 512)]
        } else {
            either.clone()
        };
        let answers = [before, vec![Err(errno)], either.clone(), either];
        assert_eq!(expected.answers, answers);
        assert_eq!(expected.health, ["A", "A"]);
        assert!(
            expected
                .units
                .iter()
                .all(|unit| unit.asked == [(1, 1), (0, 0)])
        );
        case.faults[0].leg = 1;
        assert!(knows_multipath(&case, &multipath).is_err());
    }

    #[rstest]
    #[case::one(Failover, false, &[0], &["F", "A"], &[0], &[(0, 1), (0, 1)], false)]
    #[case::second_alone(Failover, false, &[1], &["A", "AF"], &[], &[(0, 1), (0, 0)], false)]
    #[case::all(Failover, false, &[0, 1], &["F", "F"], &[0], &[(0, 1), (0, 1)], true)]
    #[case::healthy(Multibus, false, &[], &["A", "A"], &[], &[(0, 1), (0, 1)], false)]
    fn of_many_units_only_what_is_certain_is_asked(
        #[case] grouping: PathGrouping,
        #[case] queue: bool,
        #[case] faulty: &[u8],
        #[case] health: &[&str],
        #[case] fires: &[usize],
        #[case] asked: &[(u32, u32)],
        #[case] lost: bool,
    ) {
        let faults = faulty.iter().map(|leg| fault(*leg, 100, ALWAYS)).collect();
        let multipath = stack(grouping, queue);
        let case = case(2, 2, multipath.clone(), faults);
        let units = [0, 256].map(|sector| Unit {
            sector,
            sectors: 256,
        });
        let expected = expect(&case, &multipath, &units);
        assert_eq!(expected.health, health);
        assert_eq!(expected.fires, fires);
        assert_eq!(expected.units[0].asked, asked);
        let whole = Ok(256 * 512);
        let answers = match lost {
            true => [vec![Err(EIO)], vec![whole, Err(EIO)]],
            false => [vec![whole], vec![whole]],
        };
        assert_eq!(expected.answers, answers);
    }

    #[rstest]
    #[case::one_piece(Multibus, true, 1, &[(0, 0, ALWAYS), (1, 9, ONCE)], true)]
    #[case::which_fault(Failover, false, 1, &[(0, 0, ALWAYS), (0, 9, ONCE)], false)]
    #[case::which_path(Multibus, false, 2, &[(0, 0, ALWAYS)], false)]
    #[case::how_often(Failover, true, 2, &[(0, 0, ALWAYS), (1, 9, ALWAYS)], false)]
    #[case::several_pieces(Failover, true, 2, &[(0, 0, ALWAYS)], true)]
    fn what_depends_on_timing_is_not_known(
        #[case] grouping: PathGrouping,
        #[case] queue: bool,
        #[case] requests: u32,
        #[case] faults: &[(u8, u64, Times)],
        #[case] known: bool,
    ) {
        let faults = faults.iter().map(|&(leg, at, times)| fault(leg, at, times));
        let multipath = stack(grouping, queue);
        let case = case(2, requests, multipath.clone(), faults.collect());
        assert_eq!(knows_multipath(&case, &multipath).is_ok(), known);
    }
}

//! dm-multipath with a real multipathd, which creates the map and maintains its
//! paths: multipath.conf(5) of multipath-tools.
//!
//! Once a second it checks each path (`polling_interval`, the checker `tur`),
//! and reinstates a failed one whose check succeeds (`check_path` in
//! multipathd/main.c). The check succeeds on a path that failed because of a
//! bad sector; it fails on a path whose HBA is gone. With no path left,
//! `no_path_retry` says how long I/O waits: not at all, for ever, or for so
//! many checks. multipathd sets that with `queue_if_no_path` and
//! `fail_if_no_path` (`set_no_path_retry` and `retry_count_tick`).
//!
//! The result of a check may be a second old: the checker runs in a thread of
//! its own, and multipathd takes a result that was not there at once in its
//! next round (`libcheck_check` in libmultipath/checkers/tur.c). So a path that
//! was just lost may be reinstated once, and then fails the waiting I/O once
//! more. That was measured in about half of such cases.

use super::{Unknown, controller};
use crate::units;
use halfway_case::facts;
use halfway_case::{
    Case, Controller, Fault, Multipath, NoPathRetry, PathGrouping, QueueMode, Times,
};
use halfway_protocol::io::{Op, Path};
use halfway_scsi::FaultReport;

/// 512-byte sectors of a request that is one command.
const ONE_COMMAND: u64 = 800;

/// Whether the model knows what multipathd does in `case`, if there is one.
pub fn knows_multipathd(case: &Case) -> Result<(), Unknown> {
    let Some(multipath) = case.stack.multipath() else {
        return Ok(());
    };
    let Some(retry) = multipath.no_path_retry else {
        return Ok(());
    };
    if case.legs.controller != Controller::Target {
        return Err(Unknown(
            "multipathd knows paths by the one name of their unit, which only the disks of \
             `controller = \"target\"` have here",
        ));
    }
    let ours = multipath.queue_mode == QueueMode::Mq
        && multipath.path_grouping == PathGrouping::Failover
        && !multipath.queue_if_no_path
        && multipath.initialising().is_empty();
    if case.stack.no_path_retry().is_none() || !ours || case.linear.is_some() {
        return Err(Unknown(
            "multipathd writes the table, in request mode and with a priority group for each path: \
             leave out `queue_mode`, `path_grouping`, `queue_if_no_path`, `pg_init_retries`, \
             `pg_init_delay_msecs` and `linear`",
        ));
    }
    let pieces = units::nominal(&case.io.parts(), &case.boundaries());
    let one_command = case.io.path == Path::Direct
        && matches!(case.io.op, Op::Read | Op::Write)
        && !case.io.dsync
        && case.legs.max_sectors_kb.is_none()
        && matches!(pieces.as_slice(), [piece] if piece.sectors <= ONE_COMMAND);
    let plain = case.soak.is_none() && case.holds.is_empty() && case.other_faults.is_empty();
    if !one_command || !plain {
        return Err(Unknown(
            "what multipathd does meanwhile is not known but of one direct read or write of at \
             most 800 sectors, without `dsync`, which nobody holds",
        ));
    }
    failures(case, retry)
}

/// Whether the outcome is known for the way in which the paths fail.
fn failures(case: &Case, retry: NoPathRetry) -> Result<(), Unknown> {
    let mut failing = 0;
    for path in 0..case.legs.count {
        let mut faults = case.faults.iter().filter(|fault| fault.leg == path);
        let Some(fault) = faults.next() else {
            continue;
        };
        failing += 1;
        let is = |what: fn(FaultReport) -> bool| fault.report.is_some_and(what);
        let at_once = is(FaultReport::is_gone) && is(|report| report.answer().is_none());
        if at_once {
            return Err(Unknown(
                "multipathd may see that an HBA is gone before the I/O does: let it go with the \
                 I/O, `short-good+gone`",
            ));
        }
        let of_path = controller::target_error(case, fault).is_none() && fault.op == case.io.op;
        let once = fault.times == Times::Always || is(FaultReport::is_gone);
        if faults.next().is_some() || !of_path || !once {
            return Err(Unknown(
                "with multipathd each path has at most one fault, a lasting error of the path in \
                 the I/O's operation",
            ));
        }
        if is(FaultReport::is_silent) || is(FaultReport::is_offline) {
            return Err(Unknown(
                "a disk that gives no answer gives none to multipathd's checker either, and \
                 whose command is the one that is reset depends on timing",
            ));
        }
    }
    let gone = |fault: &&Fault| fault.report.is_some_and(FaultReport::is_gone);
    let back = case.faults.iter().filter(gone);
    let back = back.filter(|fault| fault.times != Times::Always).count();
    if failing < case.legs.count {
        return match back {
            0 => Ok(()),
            _ => Err(Unknown(
                "an HBA comes back while the I/O waits, and a path is left, so that it does not",
            )),
        };
    }
    if !case.faults.iter().all(|fault| gone(&fault)) {
        return Err(Unknown(
            "a path that fails by a bad sector is there for multipathd's checker; with no path \
             left it is reinstated and fails again, for ever: take `short-good+gone` for all",
        ));
    }
    match (retry, back) {
        (NoPathRetry::Queue, 0) => Err(Unknown(
            "multipathd lets the I/O wait for ever, and no HBA comes back: set `times = \"once\"` \
             for one",
        )),
        (NoPathRetry::Queue, _) | (_, 0) => Ok(()),
        (_, _) => Err(Unknown(
            "whether an HBA is back before multipathd gives up depends on timing",
        )),
    }
}

/// The paths that are reinstated, in order, while an I/O waits for one. An
/// operator reinstates each of them; multipathd reinstates the first one whose
/// HBA is back.
pub fn reinstated(case: &Case, multipath: &Multipath, paths: usize) -> Vec<usize> {
    match multipath.no_path_retry {
        None => (0..paths).collect(),
        Some(NoPathRetry::Fail | NoPathRetry::Checks(_)) => Vec::new(),
        Some(NoPathRetry::Queue) => facts::hba_back(case).into_iter().map(usize::from).collect(),
    }
}

/// Whether a path that has failed may be reinstated by the time the I/O comes
/// back. A path whose HBA is lost cannot be, if the I/O has waited: the I/O has
/// failed it again.
pub fn may_be_reinstated(case: &Case, path: u8, waited: bool) -> bool {
    let mut faults = case.faults.iter().filter(|fault| fault.leg == path);
    let lost = faults.any(|fault| fault.report.is_some_and(FaultReport::is_gone));
    case.stack.no_path_retry().is_some() && !(lost && waited)
}

/// Whether an I/O that waits may be sent to each path once more than the path's
/// faults alone would make it.
pub fn asks_again(multipath: &Multipath) -> bool {
    multipath.no_path_retry.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model;
    use crate::units::Unit;
    use halfway_scenario::Scenario;
    use rstest::rstest;

    /// Faults in which both HBAs are lost in mid-request, and path 0's comes
    /// back after `TIMES` failures.
    const LOST: &str = "[[fault]]\nreport = \"short-good+gone\"\ntimes = TIMES\n\
                        [[fault]]\nleg = 1\nreport = \"short-good+gone\"\n";

    fn case(retry: &str, rest: &str) -> Case {
        let target = if rest.contains("controller") {
            ""
        } else {
            "controller = \"target\""
        };
        let text = format!(
            "question = \"?\"\n[stack]\ntarget = \"multipath\"\nno_path_retry = {retry}\n\
             STACK\n[legs]\n{target}\n{rest}"
        );
        let (stack, text) = match rest.split_once("STACK ") {
            None => (String::new(), text),
            Some((legs, stack)) => (stack.to_owned(), text.replace(rest, legs)),
        };
        let text = text.replace("STACK", &stack);
        Scenario::parse("test", &text)
            .unwrap()
            .expand()
            .next()
            .unwrap()
    }

    fn lost(times: &str) -> String {
        LOST.replace("TIMES", times)
    }

    #[rstest]
    #[case::healthy("\"queue\"", "", None)]
    #[case::one_path("3", "[[fault]]\nreport = \"short-good+bad-target\"", None)]
    #[case::another_controller(
        "3",
        "controller = \"virtio-scsi\"",
        Some("the one name of their unit")
    )]
    #[case::bios("3", "STACK queue_mode = \"bio\"", Some("multipathd writes the table"))]
    #[case::one_group("3", "STACK path_grouping = \"multibus\"", Some("multipathd writes"))]
    #[case::an_operator_too("3", "STACK queue_if_no_path = true", Some("multipathd writes"))]
    #[case::linear("3", "STACK linear = 64", Some("multipathd writes the table"))]
    #[case::many("3", "[io]\nrequests = 2", Some("one direct read or write"))]
    #[case::buffered("3", "[io]\npath = \"buffered\"", Some("one direct read or write"))]
    #[case::long("3", "[io]\nsectors = 1024", Some("one direct read or write"))]
    #[case::a_flush("3", "[io]\nop = \"flush\"", Some("one direct read or write"))]
    #[case::durable(
        "3",
        "[io]\nop = \"write\"\ndsync = true",
        Some("one direct read or write")
    )]
    #[case::a_soak("3", "[soak]\ncount = 1", Some("which nobody holds"))]
    #[case::gone_before(
        "3",
        "[[fault]]\nreport = \"gone\"",
        Some("may see that an HBA is gone")
    )]
    #[case::of_the_disk(
        "3",
        "[[fault]]\nreport = \"medium-error\"",
        Some("a lasting error of the path")
    )]
    #[case::wears_off(
        "3",
        "[[fault]]\nreport = \"bad-target\"\ntimes = 1",
        Some("a lasting error of the path")
    )]
    #[case::back_too_soon(
        "\"queue\"",
        "[[fault]]\nreport = \"short-good+gone\"\ntimes = 1",
        Some("and a path is left")
    )]
    #[case::there_for_the_checker(
        "3",
        "[[fault]]\nreport = \"bad-target\"\n[[fault]]\nleg = 1\nreport = \"bad-target\"",
        Some("there for multipathd's checker")
    )]
    fn what_is_known(#[case] retry: &str, #[case] rest: &str, #[case] refused: Option<&str>) {
        let known = knows_multipathd(&case(retry, rest));
        match (refused, known) {
            (None, Ok(())) => {}
            (Some(why), Err(Unknown(text))) => assert!(text.contains(why), "{text}"),
            (_, other) => panic!("{other:?}"),
        }
    }

    #[rstest]
    #[case::waits_for_ever("\"queue\"", "\"always\"", false)]
    #[case::comes_back("\"queue\"", "1", true)]
    #[case::fails("\"fail\"", "\"always\"", true)]
    #[case::fails_and_comes_back("\"fail\"", "1", false)]
    #[case::gives_up("4", "\"always\"", true)]
    #[case::back_in_time_or_not("4", "1", false)]
    fn without_a_path(#[case] retry: &str, #[case] times: &str, #[case] known: bool) {
        let case = case(retry, &lost(times));
        assert_eq!(model::knows(&case).is_ok(), known);
    }

    /// Columns: `no_path_retry`; faults; whether the I/O waits, and whether it
    /// succeeds; how often each path is asked; the paths' health when the I/O
    /// has come back.
    #[rstest]
    #[case::comes_back("\"queue\"", &lost("1"), (true, true), [2, 1], ["A", "F"])]
    #[case::fails("\"fail\"", &lost("\"always\""), (false, false), [1, 1], ["AF", "AF"])]
    #[case::gives_up("4", &lost("\"always\""), (true, false), [1, 1], ["F", "F"])]
    #[case::one_is_gone(
        "4", "[[fault]]\nreport = \"short-good+gone\"", (false, true), [1, 1], ["AF", "A"]
    )]
    #[case::one_may_be_back(
        "4", "[[fault]]\nreport = \"bad-target\"", (false, true), [1, 1], ["AF", "A"]
    )]
    fn what_multipathd_makes_of_it(
        #[case] retry: &str,
        #[case] rest: &str,
        #[case] (held, done): (bool, bool),
        #[case] asked: [u32; 2],
        #[case] health: [&str; 2],
    ) {
        let case = case(retry, rest);
        let unit = Unit {
            sector: case.io.sector,
            sectors: case.io.sectors,
        };
        let expected = model::expect(&case, &model::Environment::default(), &[unit]);
        assert_eq!(
            (expected.held, expected.answers[0][0].is_ok()),
            (held, done)
        );
        let more = u32::from(held);
        let counts = asked.map(|times| (times, times + more));
        assert_eq!(expected.units[0].asked, counts);
        assert_eq!(expected.health, health);
    }
}

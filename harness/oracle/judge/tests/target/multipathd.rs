//! What may go wrong with a multipathd that maintains the paths.

use super::*;
use halfway_case::NoPathRetry;
use halfway_case::observation::Repair;

const LOST: &str = "short-good+gone";
const BOTH: &str = "2 0 0 0 2 2 E 0 1 2 8:0 A 1 0 1 A 0 1 2 8:16 A 0 0 1 ";
const NONE: &str = "2 0 0 0 2 2 E 0 1 2 8:0 F 1 0 1 E 0 1 2 8:16 F 1 0 1 ";

fn said(line: &str) -> DmStatus {
    DmStatus {
        targets: vec![line.to_owned()],
        event: 1,
        suspended: false,
    }
}

fn tended(retry: NoPathRetry, faults: Vec<Fault>) -> Case {
    let mut case = with(LOST, Times::Always, multipath(Op::Read, false, faults));
    if let Stack::Multipath(multipath) = &mut case.stack {
        multipath.no_path_retry = Some(retry);
    }
    case
}

/// A path whose HBA is lost after it has done a part.
fn lost(case: &Case, leg: u8) -> Leg<'_> {
    let report = "short-good+bad-target";
    let mut lost = Leg::new(case, leg);
    lost.fails(FROM, report);
    lost.fails(BAD, "bad-target");
    lost.ends(FROM, GOOD, 0);
    lost.ends(BAD, SECTORS - GOOD, 5);
    lost
}

/// A read that succeeds over the other path.
fn over_the_other(case: &Case) -> Observation {
    let mut seen = seen(case, vec![lost(case, 0), other(case)]);
    seen.table = Some("1 queue_if_no_path 0 2 1 ...".to_owned());
    seen.status_at_end = Some(said(BOTH));
    seen
}

/// A read that fails after `millis`, since both paths are lost.
fn given_up(case: &Case, millis: u64) -> Observation {
    let mut seen = seen(case, vec![lost(case, 0), lost(case, 1)]);
    seen.table = Some("0 0 2 1 ...".to_owned());
    seen.status_at_end = Some(said(BOTH));
    seen.status = Some(said(NONE));
    if let Some(IoState::Done(report)) = &mut seen.io {
        report.micros = millis * 1000;
    }
    let io = seen.io.take().unwrap();
    seen.repair = Some(Repair {
        status: said(NONE),
        interventions: Vec::new(),
        io,
    });
    seen
}

#[test]
fn a_path_that_is_not_reinstated_is_noticed() {
    let case = tended(NoPathRetry::Queue, vec![fault(0, Op::Read)]);
    let mut seen = over_the_other(&case);
    is(&case, &seen, Outcome::Pass, "");
    seen.status_at_end = Some(said(
        "2 0 0 0 2 2 E 0 1 2 8:0 F 1 0 1 A 0 1 2 8:16 A 0 0 1 ",
    ));
    is(&case, &seen, Outcome::Fail, "did not reinstate all paths");
    seen.status_at_end = Some(said("2 0 0 0 1 1 A 0 1 2 8:16 A 0 0 1 "));
    is(&case, &seen, Outcome::Fail, "did not reinstate all paths");
    seen.status_at_end = None;
    is(
        &case,
        &seen,
        Outcome::Inconclusive,
        "not seen what multipathd did",
    );
}

/// Each path that failed was reported, even if it has been reinstated since.
#[rstest]
#[case::told(true, 0, Outcome::Pass)]
#[case::not_told(true, 1, Outcome::Fail)]
#[case::nothing_to_tell(false, 1, Outcome::Pass)]
fn multipathd_hears_of_a_failure(
    #[case] fails: bool,
    #[case] before: u32,
    #[case] outcome: Outcome,
) {
    let faults = if fails {
        vec![fault(0, Op::Read)]
    } else {
        vec![]
    };
    let case = tended(NoPathRetry::Queue, faults);
    let mut seen = match fails {
        true => over_the_other(&case),
        false => {
            let mut first = Leg::new(&case, 0);
            first.whole(FROM);
            first.ends(FROM, SECTORS, 0);
            let mut seen = seen(&case, vec![first]);
            seen.table = Some("1 queue_if_no_path 0 2 1 ...".to_owned());
            seen.status_at_end = Some(said(BOTH));
            seen
        }
    };
    seen.events_before = Some(before);
    is(&case, &seen, outcome, "");
}

#[rstest]
#[case::queue(NoPathRetry::Queue, true)]
#[case::checks(NoPathRetry::Checks(3), true)]
#[case::fail(NoPathRetry::Fail, false)]
fn a_map_that_waits_otherwise_is_noticed(#[case] retry: NoPathRetry, #[case] queues: bool) {
    let case = tended(retry, vec![fault(0, Op::Read)]);
    let mut seen = over_the_other(&case);
    let (yes, no) = (Outcome::Pass, Outcome::Fail);
    let outcomes = if queues { [yes, no] } else { [no, yes] };
    is(&case, &seen, outcomes[0], "");
    seen.table = Some("0 0 2 1 ...".to_owned());
    is(&case, &seen, outcomes[1], "");
}

#[test]
fn an_io_that_fails_too_early_is_noticed() {
    let faults = || vec![fault(0, Op::Read), fault(1, Op::Read)];
    let case = tended(NoPathRetry::Checks(5), faults());
    is(&case, &given_up(&case, 4000), Outcome::Pass, "");
    let early = "before 5 checks";
    is(&case, &given_up(&case, 3900), Outcome::Fail, early);
    // The map is to fail at once, but the I/O waits.
    let case = tended(NoPathRetry::Fail, faults());
    let waits = "a correct kernel completes it";
    is(&case, &given_up(&case, 1500), Outcome::Fail, waits);
}

//! What may go wrong with dm-multipath.

use super::*;
use halfway_case::observation::Repair;

fn say(seen: &mut Observation, status: &str) {
    let line = seen.status.as_mut().expect("a status");
    line.targets[0] = status.into();
}

/// Changes to a read that path 0 failed, and the witness that must notice each.
#[rstest]
#[case::errno(by(|seen| report(seen).result = Err(5)), Witness::Application)]
#[case::shifted(
    by(|seen| report(seen).content = vec![span(0, 512, 0, FROM + 252)]), Witness::Content)]
#[case::prefill(by(|seen| report(seen).content[0].what = What::Prefill), Witness::Content)]
#[case::path_not_failed(
    by(|seen| say(seen, "2 0 0 0 2 2 E 0 1 0 254:0 A 0 A 0 1 0 254:16 A 0")), Witness::Status)]
#[case::wrong_path_failed(
    by(|seen| say(seen, "2 0 0 0 2 2 E 0 1 0 254:0 F 1 A 0 1 0 254:16 F 1")), Witness::Status)]
#[case::group_not_switched(
    by(|seen| say(seen, "2 0 0 0 2 1 A 0 1 0 254:0 F 1 E 0 1 0 254:16 A 0")), Witness::Status)]
#[case::no_status(by(|seen| say(seen, "")), Witness::Status)]
#[case::piece_not_resubmitted(
    by(|seen| { let at = entry_of(seen, 1); seen.journal.remove(at); }), Witness::Journal)]
#[case::asked_twice(
    by(|seen| { let at = entry_of(seen, 1); let again = seen.journal[at]; seen.journal.push(again); }),
    Witness::Journal)]
#[case::both_at_once(
    by(|seen| { for entry in &mut seen.journal { entry.order = 1000 - entry.order; } }),
    Witness::Journal)]
#[case::held(
    by(|seen| seen.repair = Some(Repair { status: DmStatus::default(), interventions: vec!["reinstate_path".into()],
        io: seen.io.clone().unwrap() })),
    Witness::Liveness)]
fn what_is_wrong_with_a_read_is_noticed(#[case] tamper: Tamper, #[case] witness: Witness) {
    let case = multipath(Op::Read, true, vec![fault(0, Op::Read)]);
    is_noticed(&case, &tamper, witness);
}

/// Changes to a write that path 0 failed, and the witness that must notice
/// each.
#[rstest]
#[case::lost(by(|seen| seen.media[0].spans = vec![span(0, 512, 0, FROM)]), Witness::Medium)]
#[case::shifted(
    by(|seen| seen.media[0].spans[0].what = What::Stamp { origin: Origin::Writer(0), generation: 1,
        sector: FROM + 1 }), Witness::Medium)]
#[case::unexamined(by(|seen| seen.media.clear()), Witness::Medium)]
#[case::remainder_only(
    by(|seen| seen.journal.retain(|entry| entry.member == Member::Leg(0)
        || entry.sector >= FROM + 128)), Witness::Journal)]
fn what_is_wrong_with_a_write_is_noticed(#[case] tamper: Tamper, #[case] witness: Witness) {
    let case = multipath(Op::Write, false, vec![fault(0, Op::Write)]);
    is_noticed(&case, &tamper, witness);
}

/// When every path has failed an I/O waits. An error before somebody gave up is
/// wrong.
#[test]
fn an_io_that_should_have_waited_is_noticed() {
    let faults = || vec![fault(0, Op::Read), fault(1, Op::Read)];
    let given_up = observe(&multipath(Op::Read, false, faults()));
    let verdict = judge(&multipath(Op::Read, true, faults()), &given_up);
    assert_eq!(verdict.outcome, Outcome::Fail, "{verdict:#?}");
    let mut differences = verdict.differences.iter();
    assert!(differences.any(|found| found.witness == Witness::Liveness));
}

/// If no path was asked for the bad sector, the case says nothing about failing
/// over.
#[test]
fn a_fault_that_did_not_fire_proves_nothing() {
    let seen = observe(&multipath(Op::Read, false, vec![]));
    let case = multipath(Op::Read, false, vec![fault(1, Op::Read)]);
    assert_eq!(judge(&case, &seen).outcome, Outcome::Inconclusive);
}

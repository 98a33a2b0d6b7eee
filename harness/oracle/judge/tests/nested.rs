//! What may go wrong with a mirror of multipaths.

use super::*;
use halfway_case::Paths;

/// The same case over two legs of two paths each, in bio mode.
fn nested(op: Op, faults: Vec<Fault>) -> Case {
    let mut case = case(op, faults);
    let Stack::Multipath(multipath) = super::multipath(op, false, Vec::new()).stack else {
        unreachable!("it is one")
    };
    if let Stack::Raid1(mirror) = &mut case.stack {
        mirror.paths = Some(Paths {
            count: 2,
            multipath,
        });
    }
    case.legs.count = 4;
    case.legs.offset = vec![0, 0, 8, 8];
    case
}

fn say(status: &mut DmStatus, line: &str) {
    status.targets[0] = line.into();
}

#[rstest]
#[case::healthy(Op::Read, &[])]
#[case::path(Op::Read, &[0])]
#[case::leg(Op::Read, &[0, 1])]
#[case::all(Op::Read, &[0, 1, 2, 3])]
#[case::written(Op::Write, &[2])]
#[case::half_written(Op::Write, &[0, 1, 2])]
fn a_sound_stack_passes(#[case] op: Op, #[case] disks: &[u8]) {
    let faults = disks.iter().map(|disk| fault(*disk, op)).collect();
    let case = nested(op, faults);
    let verdict = judge(&case, &observe(&case));
    assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:#?}");
}

/// Changes to a read that path 0 of leg 0 failed, and the witness that must
/// notice each.
#[rstest]
#[case::other_leg(
    by(|seen| report(seen).content = vec![span(0, 512, 2, FROM + 8)]), Witness::Content)]
#[case::leg_failed(
    by(|seen| say(seen.status.as_mut().unwrap(), "2 253:1 253:2 128/128 1 RA 1 core")),
    Witness::Status)]
#[case::path_not_failed(
    by(|seen| say(&mut seen.beneath[0], &paths_status(&['A', 'A']))), Witness::Status)]
#[case::wrong_path_failed(
    by(|seen| say(&mut seen.beneath[0], &paths_status(&['A', 'F']))), Witness::Status)]
#[case::path_of_other_leg_failed(
    by(|seen| say(&mut seen.beneath[1], &paths_status(&['F', 'A']))), Witness::Status)]
#[case::no_status(by(|seen| seen.beneath.clear()), Witness::Status)]
#[case::piece_not_resubmitted(
    by(|seen| { let at = entry_of(seen, 1); seen.journal.remove(at); }), Witness::Journal)]
#[case::other_leg_asked(
    by(|seen| { let at = entry_of(seen, 1); let mut again = seen.journal[at];
        again.member = Member::Leg(2); seen.journal.push(again); }), Witness::Journal)]
#[case::both_at_once(
    by(|seen| { for entry in &mut seen.journal { entry.order = 1000 - entry.order; } }),
    Witness::Journal)]
fn what_is_wrong_with_a_read_is_noticed(#[case] tamper: Tamper, #[case] witness: Witness) {
    is_noticed(
        &nested(Op::Read, vec![fault(0, Op::Read)]),
        &tamper,
        witness,
    );
}

/// Changes to a write that path 0 of leg 1 failed, and the witness that must
/// notice each.
#[rstest]
#[case::lost_on_a_leg(
    by(|seen| seen.media[1].spans = vec![span(0, 512, 2, FROM + 8)]), Witness::Medium)]
#[case::leg_failed(
    by(|seen| say(seen.status.as_mut().unwrap(), "2 253:1 253:2 127/128 1 AD 1 core")),
    Witness::Status)]
#[case::unexamined(by(|seen| { seen.media.remove(1); }), Witness::Medium)]
fn what_is_wrong_with_a_write_is_noticed(#[case] tamper: Tamper, #[case] witness: Witness) {
    is_noticed(
        &nested(Op::Write, vec![fault(2, Op::Write)]),
        &tamper,
        witness,
    );
}

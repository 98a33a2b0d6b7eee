//! A request that its driver gives up while the disk holds it, and retries.

use super::*;

/// The observation when the driver of leg 0 gives up the first piece of an I/O
/// and retries it. The leg is asked for the I/O in pieces of 128 sectors.
fn given_up(op: Op, controller: Controller) -> (Case, Observation) {
    let mut case = case(op, Vec::new());
    case.legs.controller = controller;
    case.holds.push(Hold {
        leg: 0,
        sector: FROM,
        then: Ending::Ok,
        meanwhile: Meanwhile::Timeout,
        place: 0,
    });
    let mut seen = observe(&case);
    seen.meanwhile = Some(Vec::new());
    let held = |entry: &&Entry| {
        (entry.member, entry.layer, entry.sector) == (Member::Leg(0), Layer::Device, FROM)
    };
    let mut again = *seen.journal.iter().find(held).expect("leg 0 is asked");
    again.order += 100;
    seen.journal.push(again);
    let ends = |event: &TraceEvent| {
        event.kind == Kind::RqComplete && event.dev == leg_dev(0) && event.sector == FROM
    };
    let place = seen.seen.trace.iter().position(ends).expect("it ends");
    let back = TraceEvent {
        kind: Kind::RqRequeue,
        ..seen.seen.trace[place].clone()
    };
    seen.seen.trace.insert(place, back);
    (case, seen)
}

#[rstest]
#[case(Op::Read, Controller::Pvscsi)]
#[case(Op::Write, Controller::Pvscsi)]
#[case(Op::Read, Controller::Ahci)]
#[case(Op::Write, Controller::UsbStorage)]
fn it_ends_once_by_what_was_asked_for_again(#[case] op: Op, #[case] controller: Controller) {
    let (case, seen) = given_up(op, controller);
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:#?}");
    assert!(
        verdict.reason.contains("gave a request up and asked again"),
        "{}",
        verdict.reason
    );
}

/// A change to a sound observation.
type Change = fn(&mut Observation);

fn held(event: &TraceEvent, kind: Kind) -> bool {
    event.kind == kind && event.dev == leg_dev(0) && event.sector == FROM
}

fn place(seen: &Observation, kind: Kind) -> usize {
    let mut trace = seen.seen.trace.iter();
    trace
        .position(|event| held(event, kind))
        .expect("it is there")
}

#[rstest]
#[case::never_given_up(
    |seen: &mut Observation| {
        seen.journal.pop();
        let back = place(seen, Kind::RqRequeue);
        seen.seen.trace.remove(back);
    },
    Outcome::Inconclusive,
    "was not asked again"
)]
#[case::late_end_taken_for_the_answer(
    |seen: &mut Observation| seen.journal.truncate(seen.journal.len() - 1),
    Outcome::Fail,
    "asked for once, correct is 2"
)]
#[case::asked_again_behind_the_kernel(
    |seen: &mut Observation| {
        let back = place(seen, Kind::RqRequeue);
        seen.seen.trace.remove(back);
    },
    Outcome::Fail,
    "asked for twice, correct is 1"
)]
#[case::asked_more_often_than_it_was_taken_back(
    |seen: &mut Observation| seen.journal.push(*seen.journal.last().unwrap()),
    Outcome::Fail,
    "asked for 3 times, correct is 2 to 2"
)]
#[case::given_up_twice(
    |seen: &mut Observation| {
        seen.journal.push(*seen.journal.last().unwrap());
        let back = place(seen, Kind::RqRequeue);
        seen.seen.trace.insert(back, seen.seen.trace[back].clone());
    },
    Outcome::Inconclusive,
    "2 times, also what nobody held"
)]
#[case::ends_twice(
    |seen: &mut Observation| {
        let end = place(seen, Kind::RqComplete);
        seen.seen.trace.insert(end, seen.seen.trace[end].clone());
    },
    Outcome::Fail,
    "ended more than once"
)]
#[case::ends_before_it_is_taken_back(
    |seen: &mut Observation| {
        let (back, end) = (place(seen, Kind::RqRequeue), place(seen, Kind::RqComplete));
        seen.seen.trace.swap(back, end);
    },
    Outcome::Fail,
    "taken back from the driver after that"
)]
fn what_is_not_so(#[case] change: Change, #[case] outcome: Outcome, #[case] why: &str) {
    let (case, mut seen) = given_up(Op::Read, Controller::Pvscsi);
    change(&mut seen);
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, outcome, "{verdict:#?}");
    assert!(verdict.reason.contains(why), "{}", verdict.reason);
}

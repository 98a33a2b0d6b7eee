//! Requests whose end the harness chooses: held, released in an order, met by a
//! recovery, or kept while the machine stands still.

use super::*;

fn hold(sector: u64, place: u8) -> Hold {
    Hold {
        leg: 0,
        sector,
        then: Ending::Ok,
        meanwhile: Meanwhile::Nothing,
        place,
    }
}

/// The guest must have seen the requests end in the order in which they were
/// released.
#[rstest]
#[case::as_they_came(1, Outcome::Pass)]
#[case::the_other_way(0, Outcome::Inconclusive)]
fn requests_end_in_the_order_in_which_they_are_let_go(#[case] place: u8, #[case] outcome: Outcome) {
    let mut case = case(Op::Read, Vec::new());
    case.holds = vec![hold(FROM, 0), hold(FROM + SECTORS - 1, place)];
    let mut seen = observe(&case);
    seen.meanwhile = Some(Vec::new());
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, outcome, "{verdict:#?}");
}

/// If the driver gave nothing up, the case proves nothing.
#[rstest]
#[case::told("nvme nvme0: I/O 5 (I/O Cmd) QID 1 timeout, aborting", Outcome::Pass)]
#[case::patient(
    "nvme nvme0: I/O 5 QID 1 timeout, completion polled",
    Outcome::Inconclusive
)]
fn a_request_that_is_given_up(#[case] text: &str, #[case] outcome: Outcome) {
    let mut case = case(Op::Read, Vec::new());
    case.legs.controller = Controller::Nvme;
    case.holds = vec![Hold {
        meanwhile: Meanwhile::Timeout,
        ..hold(FROM, 0)
    }];
    let mut seen = observe(&case);
    seen.meanwhile = Some(Vec::new());
    seen.seen.log = vec![KernelMessage {
        level: 4,
        text: text.to_owned(),
        micros: 0,
    }];
    assert_eq!(judge(&case, &seen).outcome, outcome);
}

/// A read whose fault stops the machine `stops` times; the rest is observed as
/// without the fault.
fn stopped(stops: u32) -> (Case, Observation) {
    let mut case = case(Op::Read, Vec::new());
    let mut seen = observe(&case);
    case.legs.on_error = OnError::Stop;
    case.faults.push(Fault {
        times: Times::Count(1),
        ..fault(0, Op::Read)
    });
    seen.stops = stops;
    (case, seen)
}

/// A failure that stopped the machine is no failure for the guest, and is
/// counted.
#[rstest]
#[case::as_asked(1, true, Outcome::Pass)]
#[case::more_stops(2, true, Outcome::Inconclusive)]
#[case::never_failed(0, false, Outcome::Inconclusive)]
fn a_machine_that_stops(#[case] stops: u32, #[case] failed: bool, #[case] outcome: Outcome) {
    let (case, mut seen) = stopped(stops);
    if failed {
        let mut first = seen.journal[0];
        first.result = Some(-5);
        seen.journal.insert(0, first);
        for (order, entry) in (0..).zip(&mut seen.journal) {
            entry.order = order;
        }
    }
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, outcome, "{verdict:#?}");
}

/// A failure after which QEMU did not repeat the request was reported to the
/// guest. What was done before it does not mend it.
#[test]
fn a_failure_that_is_not_asked_for_again_is_the_guests() {
    let (case, mut seen) = stopped(1);
    let mut failed = seen.journal[0];
    (failed.result, failed.order) = (Some(-5), 1000);
    seen.journal.push(failed);
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, Outcome::Fail, "{verdict:#?}");
}

/// What a mirror does with an I/O in a region while that is recovered. `done`
/// is what the media did, in order: leg, command, whether it belongs to the
/// recovery.
fn race(op: Op, done: &[(u8, Command, bool)]) -> (Case, Observation) {
    let mut case = case(op, Vec::new());
    let mut seen = observe(&case);
    case.legs.max_sectors_kb = None;
    let on_leg = |leg: u8| FROM + case.legs.offset[usize::from(leg)];
    (case.io.sectors, case.io.sector) = (48, FROM);
    if let Stack::Raid1(mirror) = &mut case.stack {
        (mirror.sync, mirror.region_size) = (Sync::Syncing, 64);
    }
    case.holds = vec![hold(FROM, 0)];
    seen.meanwhile = Some(Vec::new());
    seen.journal.clear();
    seen.seen.trace = vec![event(Kind::BioQueue, DM, FROM, 48, 0)];
    let letters = |command: Command| if command == Command::Read { "R" } else { "W" };
    for (order, &(leg, command, copies)) in (0..).zip(done) {
        let sectors = if copies { 64 } else { 48 };
        for layer in [Layer::Device, Layer::Medium] {
            seen.journal.push(Entry {
                order,
                member: Member::Leg(leg),
                layer,
                command,
                sector: on_leg(leg),
                sectors,
                result: Some(0),
                target_reply: None,
            });
        }
        seen.seen.trace.push(TraceEvent {
            rwbs: letters(command).into(),
            ..event(Kind::RqComplete, leg_dev(leg), on_leg(leg), sectors, 0)
        });
    }
    report(&mut seen).result = Ok(48 * 512);
    let what = match op {
        Op::Read => What::Stamp {
            origin: Origin::Leg(0),
            generation: 0,
            sector: FROM,
        },
        _ => What::Stamp {
            origin: Origin::Writer(0),
            generation: 1,
            sector: FROM,
        },
    };
    let held = || Span {
        at: 0,
        sectors: 48,
        what,
    };
    if op == Op::Read {
        report(&mut seen).content = vec![held()];
    }
    seen.media = (0..2)
        .map(|leg| Medium {
            member: Member::Leg(leg),
            sector: on_leg(leg),
            spans: vec![held()],
            strays: Vec::new(),
        })
        .collect();
    let regions = case.legs.sectors / 64;
    if let Some(status) = &mut seen.status {
        status.targets = vec![format!("2 254:0 254:16 {regions}/{regions} 1 AA 1 core")];
    }
    (case, seen)
}

const READ: Command = Command::Read;
const WRITE: Command = Command::Write;

#[rstest]
#[case::waits(&[(0, READ, true), (1, WRITE, true), (0, WRITE, false), (1, WRITE, false)], Outcome::Pass)]
#[case::does_not_wait(
    &[(0, WRITE, false), (1, WRITE, false), (0, READ, true), (1, WRITE, true)],
    Outcome::Fail
)]
#[case::never_copied(&[(0, READ, true), (0, WRITE, false), (1, WRITE, false)], Outcome::Fail)]
fn a_write_waits_for_the_recovery_of_its_region(
    #[case] done: &[(u8, Command, bool)],
    #[case] outcome: Outcome,
) {
    let (case, seen) = race(Op::Write, done);
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, outcome, "{verdict:#?}");
}

#[rstest]
#[case::meets(&[(0, READ, false), (0, READ, true), (1, WRITE, true)], Outcome::Pass)]
#[case::too_late(&[(0, READ, true), (1, WRITE, true), (0, READ, false)], Outcome::Inconclusive)]
#[case::of_the_other_leg(&[(1, READ, false), (0, READ, true), (1, WRITE, true)], Outcome::Fail)]
fn a_read_of_a_region_in_recovery_is_one_of_the_good_leg(
    #[case] done: &[(u8, Command, bool)],
    #[case] outcome: Outcome,
) {
    let (case, seen) = race(Op::Read, done);
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, outcome, "{verdict:#?}");
}

/// The flush before a write is not the write.
#[test]
fn a_write_meets_the_recovery_by_its_own_bio() {
    let done = [
        (0, READ, true),
        (1, WRITE, true),
        (0, WRITE, false),
        (1, WRITE, false),
    ];
    let (case, mut seen) = race(Op::Write, &done);
    let came = seen.seen.trace.remove(0);
    seen.seen
        .trace
        .insert(0, event(Kind::BioQueue, DM, FROM, 0, 0));
    seen.seen.trace.push(came);
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, Outcome::Inconclusive, "{verdict:#?}");
}

/// Which of the recovery's two requests is held decides until when a read is in
/// time.
#[rstest]
#[case::its_read(0, Outcome::Inconclusive)]
#[case::its_write(1, Outcome::Pass)]
fn an_io_meets_the_request_that_is_held(#[case] leg: u8, #[case] outcome: Outcome) {
    let done = [(0, READ, true), (0, READ, false), (1, WRITE, true)];
    let (mut case, seen) = race(Op::Read, &done);
    case.holds[0].leg = leg;
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, outcome, "{verdict:#?}");
}

/// A leg that counts as recovered but has its old content is named.
#[test]
fn a_leg_that_was_not_recovered_is_named() {
    let done = [(0, READ, false), (0, READ, true), (1, WRITE, true)];
    let (case, mut seen) = race(Op::Read, &done);
    seen.media[1].spans = vec![span(0, 48, 1, FROM + 8)];
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, Outcome::Fail);
    assert!(
        verdict.reason.contains("counts as recovered"),
        "{}",
        verdict.reason
    );
}

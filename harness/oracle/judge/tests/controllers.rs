//! Legs whose drivers retry and whose device models split requests in their own
//! way, soundly and otherwise.

use super::*;
use crate::controller::failure_handling;
use Controller::*;

fn on(controller: Controller, mut case: Case) -> Case {
    case.legs.controller = controller;
    case
}

/// The observation of a sound mirror whose legs' drivers send a failing request
/// `attempts` times.
fn retried(case: &Case, attempts: usize) -> Observation {
    let mut seen = observe(case);
    let again = |entry: Entry| {
        let failed = entry.layer == Layer::Device && entry.result != Some(0);
        std::iter::repeat_n(entry, if failed { attempts } else { 1 })
    };
    seen.journal = seen.journal.into_iter().flat_map(again).collect();
    for (order, entry) in seen.journal.iter_mut().enumerate() {
        entry.order = order as u64;
    }
    seen
}

fn read() -> Case {
    case(Op::Read, vec![fault(0, Op::Read)])
}

/// Which failures a driver retries depends on the error as well. QEMU's SCSI
/// disk reports ENOSPC as DATA PROTECT (7/27/07), which is final.
#[rstest]
#[case::final_error(1, Outcome::Pass)]
#[case::asked_again(6, Outcome::Fail)]
fn an_error_that_is_final_is_asked_for_once(#[case] attempts: usize, #[case] outcome: Outcome) {
    let mut fails = fault(0, Op::Write);
    fails.errno = 28;
    let case = on(VirtioScsi, case(Op::Write, vec![fails]));
    let mut seen = retried(&case, attempts);
    for entry in &mut seen.journal {
        entry.result = entry
            .result
            .map(|result| if result == -5 { -28 } else { result });
    }
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, outcome, "{verdict:#?}");
}

/// libata reads the log of a disk that failed, with requests of its own. The
/// ones here are as on 6.12: each of a sector, and some without a successful
/// end.
#[test]
fn what_a_driver_asks_for_itself_is_none_of_the_io() {
    let case = on(Ahci, read());
    let mut seen = retried(&case, 6);
    for error in [0, -121] {
        let mut log = event(Kind::RqComplete, leg_dev(0), u64::MAX, 1, error);
        log.rwbs = "N".into();
        seen.seen.trace.push(log);
    }
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:#?}");
}

/// The first sector of the 128-sector piece that the fault of [`read`] lies in.
const PIECE: u64 = FROM + 128;

/// The observation of a device that reports all as done, although its medium
/// refused a piece.
fn lie(case: &Case) -> Observation {
    let mut honest = case.clone();
    honest.faults.clear();
    let mut seen = observe(&honest);
    let refused = entry_at(&mut seen, PIECE);
    refused.result = Some(-5);
    seen.journal
        .retain(|entry| entry.layer == Layer::Device || entry.sector != PIECE);
    seen
}

fn entry_at(seen: &mut Observation, sector: u64) -> &mut Entry {
    let mut all = seen.journal.iter_mut();
    all.find(|entry| {
        entry.layer == Layer::Device && entry.member == Member::Leg(0) && entry.sector == sector
    })
    .expect("leg 0 was asked")
}

/// The application's buffer if the device put zeros there.
fn zeros(seen: &mut Observation) {
    let whole = report(seen);
    whole.content = vec![
        span(0, 128, 0, FROM),
        Span {
            at: 128,
            sectors: 128,
            what: What::Zero,
        },
        span(256, 256, 0, FROM + 256),
    ];
}

#[rstest]
fn a_driver_that_tries_as_often_as_it_may_passes(
    #[values(
        VirtioScsi, Nvme, Ahci, Piix3Ide, Lsi53c895a, Pvscsi, Megasas, Mptsas1068, Am53c974,
        UsbStorage, UsbUas
    )]
    controller: Controller,
    #[values(Op::Read, Op::Write)] op: Op,
) {
    let case = on(controller, case(op, vec![fault(0, op)]));
    let verdict = judge(&case, &retried(&case, 6));
    assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:#?}");
    for wrong in [1, 5, 7] {
        let verdict = judge(&case, &retried(&case, wrong));
        assert_eq!(verdict.outcome, Outcome::Fail, "{wrong} {verdict:#?}");
    }
}

/// The observation of a leg that stops at what fails, here in steps of 128
/// sectors: nothing behind it is asked for, and the kernel is not blamed for
/// that.
fn stopped(case: &Case) -> Observation {
    let mut seen = observe(case);
    let behind = PIECE + 128;
    seen.journal
        .retain(|entry| entry.member != Member::Leg(0) || entry.sector < behind);
    let leg = seen.disks[0].1.dev;
    let of_leg = |event: &TraceEvent| event.dev == leg && event.kind == Kind::RqComplete;
    (seen.seen.trace).retain(|event| !of_leg(event) || event.sector < behind);
    seen
}

#[rstest]
#[case::it_stops(PiecewiseMq, Outcome::Pass)]
#[case::so_does_the_other_flavour(PiecewiseBio, Outcome::Pass)]
#[case::this_one_goes_on(VirtioBlk, Outcome::Fail)]
fn a_driver_that_goes_by_steps_stops_at_a_failure(
    #[case] controller: Controller,
    #[case] outcome: Outcome,
) {
    let case = on(controller, read());
    let verdict = judge(&case, &stopped(&case));
    assert_eq!(verdict.outcome, outcome, "{verdict:#?}");
}

#[test]
fn a_step_that_was_not_done_is_no_partial_completion() {
    let case = on(PiecewiseMq, read());
    let mut seen = stopped(&case);
    let medium = |entry: &Entry| entry.layer == Layer::Medium && entry.member == Member::Leg(0);
    seen.journal.retain(|entry| !medium(entry));
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, Outcome::Inconclusive, "{verdict:#?}");
    assert!(
        verdict.reason.contains("before it reached the medium"),
        "{verdict:#?}"
    );
}

/// A fault in any of the 21 steps before the bad one shows; a fault behind it
/// does not.
#[rstest]
#[case::first(0, Outcome::Pass)]
#[case::last(20, Outcome::Pass)]
#[case::behind(22, Outcome::Inconclusive)]
fn a_step_that_was_done_is_a_partial_completion(#[case] step: u64, #[case] outcome: Outcome) {
    let case = on(PiecewiseMq, read());
    let sectors = failure_handling(&case).step.unwrap();
    let mut seen = stopped(&case);
    let medium = |entry: &Entry| entry.layer == Layer::Medium && entry.member == Member::Leg(0);
    let first = seen.journal.iter().position(medium).unwrap();
    let mut done = seen.journal[first];
    (done.sector, done.sectors) = (FROM + step * sectors, sectors);
    seen.journal.retain(|entry| !medium(entry));
    seen.journal.push(done);
    assert_eq!(judge(&case, &seen).outcome, outcome);
}

#[test]
fn the_model_knows_the_steps_of_our_own_driver() {
    let source = include_str!("../../../../guest-images/controls/modules/halfway-leg.c");
    let step = failure_handling(&on(PiecewiseBio, read())).step.unwrap();
    assert!(source.contains(&format!("static unsigned int step = {step};")));
}

#[rstest]
#[case::fewest(4, Outcome::Pass)]
#[case::most(5, Outcome::Pass)]
#[case::too_few(3, Outcome::Fail)]
#[case::too_many(6, Outcome::Fail)]
fn a_floppy_counts_its_errors_anew(#[case] attempts: usize, #[case] outcome: Outcome) {
    let case = on(Floppy, case(Op::Write, vec![fault(0, Op::Write)]));
    assert_eq!(judge(&case, &retried(&case, attempts)).outcome, outcome);
}

#[test]
fn a_failure_that_the_driver_mends_is_none() {
    let mut case = on(VirtioScsi, read());
    case.faults[0].times = Times::Count(1);
    let mut clean = case.clone();
    clean.faults.clear();
    let mut seen = observe(&clean);
    assert_eq!(judge(&case, &seen).outcome, Outcome::Inconclusive);

    let mut refused = *entry_at(&mut seen, PIECE);
    refused.result = Some(-5);
    for entry in &mut seen.journal {
        entry.order += 1;
    }
    seen.journal.insert(0, refused);
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:#?}");

    let mut events = seen.seen.trace.iter_mut();
    let mended = events.find(|event| event.kind == Kind::RqComplete && event.sector == PIECE);
    mended.unwrap().error = -5;
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, Outcome::Fail, "{verdict:#?}");
}

/// The first request of a buffered read is read-ahead, which is not retried and
/// fails no leg.
#[test]
fn read_ahead_fails_at_once() {
    let mut case = on(VirtioScsi, read());
    case.faults[0].times = Times::Count(1);
    let mut clean = case.clone();
    clean.faults.clear();
    let mut seen = observe(&clean);
    let mut refused = *entry_at(&mut seen, PIECE);
    refused.result = Some(-5);
    for entry in &mut seen.journal {
        entry.order += 1;
    }
    seen.journal.insert(0, refused);
    let mut ahead = event(Kind::RqComplete, leg_dev(0), PIECE, 128, -5);
    ahead.rwbs = "RA".into();
    seen.seen.trace.insert(0, ahead);
    assert_eq!(judge(&case, &seen).outcome, Outcome::Fail);
    case.io.path = Path::Buffered;
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:#?}");
}

/// A write fails once, and the driver beneath mends that by a retry. Its region
/// stays in sync, although another leg has failed the same write for good
/// elsewhere.
#[test]
fn what_a_driver_mends_leaves_no_region_out_of_sync() {
    let mut case = on(VirtioScsi, case(Op::Write, vec![fault(0, Op::Write)]));
    case.stack = match case.stack {
        Stack::Raid1(mut mirror) => {
            (mirror.keep_log, mirror.handle_errors) = (true, true);
            mirror.region_size = 128;
            Stack::Raid1(mirror)
        }
        other => other,
    };
    case.io.requests = 4;
    let before = |case: &Case, seen: &Observation| {
        let verdict = judge(case, seen);
        let mut found = verdict.differences.into_iter();
        found.find(|found| found.text.contains("regions are in sync"))
    };
    let mut seen = retried(&case, 6);
    let told = before(&case, &seen).map(|found| found.text);
    let mut mended = fault(1, Op::Write);
    (mended.sector, mended.times) = (FROM, Times::Count(1));
    case.faults.push(mended);
    let mut refused = *(seen.journal.iter())
        .find(|one| one.member == Member::Leg(1) && one.layer == Layer::Device)
        .unwrap();
    (refused.layer, refused.result) = (Layer::Device, Some(-5));
    seen.journal.insert(0, refused);
    assert_eq!(before(&case, &seen).map(|found| found.text), told);
}

/// The kernel marks what must be durable with `REQ_FUA`. A device that answers
/// such a write and does not flush has lied. If the write had no flag, the
/// device was not asked to flush, and the kernel has not done its part.
#[rstest]
#[case::forced("WFS", false, Outcome::Finding)]
#[case::forced_and_flushed("WFS", true, Outcome::Pass)]
#[case::not_asked("WS", false, Outcome::Fail)]
#[case::only_flushed_before("FWS", false, Outcome::Fail)]
fn a_device_that_does_not_keep_its_word_is_found_out(
    #[case] rwbs: &str,
    #[case] flushed: bool,
    #[case] outcome: Outcome,
) {
    let mut case = on(Nvme, case(Op::Write, Vec::new()));
    case.io.dsync = true;
    let mut seen = observe(&case);
    for event in &mut seen.seen.trace {
        if event.kind == Kind::RqComplete {
            event.rwbs = rwbs.into();
        }
    }
    for leg in [0, 1].into_iter().filter(|_| flushed) {
        let mut flush = seen.journal[0];
        (flush.order, flush.member, flush.layer) = (1000, Member::Leg(leg), Layer::Medium);
        (flush.command, flush.result) = (Command::Flush, Some(0));
        seen.journal.push(flush);
    }
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, outcome, "{verdict:#?}");
}

/// megaraid_sas answers a flush itself, since the firmware of a controller
/// flushes as it sees fit. With other drivers a flush that is answered but
/// never sent is a failure.
#[rstest]
#[case::its_driver_trusts_it(Megasas, true, Outcome::Finding)]
#[case::nobody_asked(Megasas, false, Outcome::Fail)]
#[case::any_other(VirtioScsi, true, Outcome::Fail)]
fn a_flush_that_a_driver_keeps_is_found_out(
    #[case] controller: Controller,
    #[case] asked: bool,
    #[case] outcome: Outcome,
) {
    let mut case = on(controller, case(Op::Write, Vec::new()));
    case.io.dsync = true;
    let mut seen = observe(&case);
    for leg in [0, 1].into_iter().filter(|_| asked) {
        let mut flush = event(Kind::RqComplete, leg_dev(leg), u64::MAX, 0, 0);
        flush.rwbs = "FF".into();
        seen.seen.trace.push(flush);
    }
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, outcome, "{verdict:#?}");
}

#[rstest]
#[case::floppy(Floppy, Outcome::Finding)]
#[case::sd_card(SdCard, Outcome::Finding)]
#[case::any_that_pretends(Megasas, Outcome::Finding)]
#[case::the_account_is_exact(VirtioBlk, Outcome::Fail)]
fn a_device_that_lies_is_found_out(#[case] controller: Controller, #[case] outcome: Outcome) {
    let case = on(controller, read());
    let mut seen = lie(&case);
    zeros(&mut seen);
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, outcome, "{verdict:#?}");
    let wrong = |difference: &Difference| difference.witness == Witness::Content;
    assert!(verdict.differences.iter().any(wrong), "{verdict:#?}");
}

/// Both legs refuse a write; one lies about it and the other reports it. The
/// kernel must have believed each.
#[rstest]
#[case::the_one_that_told("AD", Outcome::Finding)]
#[case::neither("AA", Outcome::Fail)]
#[case::the_one_that_lied("DA", Outcome::Fail)]
fn a_lie_is_of_one_leg(#[case] health: &str, #[case] outcome: Outcome) {
    let faults = vec![fault(0, Op::Write), fault(1, Op::Write)];
    let case = on(SdCard, case(Op::Write, faults));
    let mut told = case.clone();
    told.faults.remove(0);
    let mut seen = retried(&told, failure_handling(&case).attempts.0 as usize);
    entry_at(&mut seen, PIECE).result = Some(-5);
    let in_sync = if health == "AA" { 128 } else { 127 };
    seen.status.as_mut().unwrap().targets[0] =
        format!("2 254:0 254:16 {in_sync}/128 1 {health} 1 core");
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, outcome, "{verdict:#?}");
}

#[test]
fn a_lie_does_not_cover_up_for_the_kernel() {
    let case = on(SdCard, read());
    let mut seen = lie(&case);
    seen.status.as_mut().unwrap().targets[0] = "2 254:0 254:16 128/128 1 DA 1 core".into();
    let verdict = judge(&case, &seen);
    assert_ne!(verdict.outcome, Outcome::Finding, "{verdict:#?}");
    assert_ne!(verdict.outcome, Outcome::Pass, "{verdict:#?}");
    let mut seen = lie(&case);
    report(&mut seen).result = Err(5);
    assert_ne!(judge(&case, &seen).outcome, Outcome::Finding);
}

#[rstest]
#[case::known_for_it(Am53c974, Op::Read, Outcome::Finding)]
#[case::not_for_this(Am53c974, Op::Write, Outcome::Hang)]
#[case::not_known_for_it(VirtioScsi, Op::Read, Outcome::Hang)]
fn a_device_that_falls_silent_is_found_out(
    #[case] controller: Controller,
    #[case] op: Op,
    #[case] outcome: Outcome,
) {
    let case = on(controller, case(op, vec![fault(0, op)]));
    let mut seen = observe(&case);
    seen.io = Some(IoState::Pending {
        pending: 1,
        stacks: Vec::new(),
    });
    trace_without(&mut seen, PIECE);
    assert_eq!(judge(&case, &seen).outcome, outcome);
}

#[test]
fn a_device_that_has_told_everything_is_not_silent() {
    let case = on(Am53c974, read());
    let mut seen = retried(&case, 6);
    seen.io = Some(IoState::Pending {
        pending: 1,
        stacks: Vec::new(),
    });
    assert_eq!(judge(&case, &seen).outcome, Outcome::Hang);
}

/// Removes from the trace the end of what begins at `sector` on leg 0.
fn trace_without(seen: &mut Observation, sector: u64) {
    seen.seen.trace.retain(|event| {
        event.kind != Kind::RqComplete || event.dev != leg_dev(0) || event.sector != sector
    });
}

#[rstest]
#[case::padded(UsbStorage, Outcome::Pass)]
#[case::made_up(UsbUas, Outcome::Fail)]
fn a_read_that_failed_may_be_padded(#[case] controller: Controller, #[case] outcome: Outcome) {
    let faults = vec![fault(0, Op::Read), fault(1, Op::Read)];
    let case = on(controller, case(Op::Read, faults));
    let mut seen = retried(&case, 6);
    report(&mut seen).content[0].what = What::Zero;
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, outcome, "{verdict:#?}");
}

#[rstest]
#[case::of_a_failure(read(), 6, Outcome::Pass)]
#[case::of_nothing(case(Op::Read, vec![]), 1, Outcome::Fail)]
fn qemu_may_speak_of_what_it_was_told_to_fail(
    #[case] case: Case,
    #[case] attempts: usize,
    #[case] outcome: Outcome,
) {
    let case = on(Nvme, case);
    let mut seen = retried(&case, attempts);
    seen.qemu_stderr = "qemu-system-x86_64: aio failed: Input/output error\n".into();
    assert_eq!(judge(&case, &seen).outcome, outcome);
}

type Change = fn(&mut Observation);

#[rstest]
#[case::a_hole(Witness::Journal, |seen: &mut Observation| {
    seen.journal.retain(|entry| entry.member != Member::Leg(1) || entry.sector != FROM + 8);
})]
#[case::twice(Witness::Journal, |seen: &mut Observation| {
    let of_leg_1 = |entry: &&Entry| entry.member == Member::Leg(1) && entry.layer == Layer::Device;
    let again: Vec<Entry> = seen.journal.iter().filter(of_leg_1).copied().collect();
    seen.journal.extend(again);
})]
#[case::a_failure_of_its_own(Witness::Trace, |seen: &mut Observation| {
    let mut events = seen.seen.trace.iter_mut();
    let of_leg_1 = events.find(|event| event.kind == Kind::RqComplete && event.dev == leg_dev(1));
    of_leg_1.unwrap().error = -5;
})]
#[case::more_than_the_medium_refused(Witness::Trace, |seen: &mut Observation| {
    let mut events = seen.seen.trace.iter_mut();
    let of_leg_0 = |event: &&mut TraceEvent| {
        event.kind == Kind::RqComplete && event.dev == leg_dev(0) && event.error == 0
    };
    events.rfind(of_leg_0).unwrap().error = -5;
})]
#[case::an_end_that_nobody_saw(Witness::Trace, |seen: &mut Observation| {
    let is_end = |event: &TraceEvent| {
        event.kind == Kind::RqComplete && event.dev == leg_dev(1) && event.sector == FROM + 8
    };
    seen.seen.trace.retain(|event| !is_end(event));
})]
fn what_differs_is_noticed(#[case] witness: Witness, #[case] change: Change) {
    let case = on(VirtioScsi, read());
    let mut seen = retried(&case, 6);
    change(&mut seen);
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, Outcome::Fail, "{verdict:#?}");
    let by = |difference: &Difference| difference.witness == witness;
    assert!(verdict.differences.iter().any(by), "{verdict:#?}");
}

/// Other queued commands are aborted with the one that failed, and sent again.
#[rstest]
#[case::queued(Ahci, Outcome::Pass)]
#[case::one_at_a_time(Piix3Ide, Outcome::Fail)]
fn a_failure_disturbs_its_neighbours(#[case] controller: Controller, #[case] outcome: Outcome) {
    let case = on(controller, read());
    let mut seen = retried(&case, 6);
    let again = *entry_at(&mut seen, FROM + 256);
    let position = seen.journal.iter().position(|entry| *entry == again);
    seen.journal.insert(position.unwrap(), again);
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, outcome, "{verdict:#?}");
}

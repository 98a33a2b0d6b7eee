//! Flushes and discards that fail, logs, recoveries, and what the verdict says
//! of them.

use super::*;

fn entry_of(seen: &mut Observation, command: Command, leg: u8) -> &mut Entry {
    let mut entries = seen.journal.iter_mut();
    let of_leg = |entry: &&mut Entry| entry.command == command && entry.member == Member::Leg(leg);
    entries.rfind(of_leg).expect("there is one")
}

fn flush_end(seen: &mut Observation, leg: u8) -> &mut TraceEvent {
    let mut events = seen.seen.trace.iter_mut();
    let is = |event: &&mut TraceEvent| event.dev == leg_dev(leg) && event.rwbs == "FF";
    events.find(is).expect("the leg was flushed")
}

fn failed(op: Op) -> (Case, Observation) {
    let mut case = case(op, vec![fault(0, op)]);
    case.legs.max_sectors_kb = None;
    let seen = observe(&case);
    (case, seen)
}

#[rstest]
#[case::flush(Op::Flush)]
#[case::discard(Op::Discard)]
fn a_sound_mirror_passes(#[case] op: Op) {
    let (case, seen) = failed(op);
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:?}");
    assert!(
        verdict
            .evidence
            .journal
            .iter()
            .any(|line| line.contains("error -5"))
    );
}

/// Changes to a failed flush: the leg does not count as failed; the good leg
/// was not flushed; the fault did not fire; the guest did not see the failure.
#[rstest]
#[case::leg_not_failed(
    |seen: &mut Observation| {
        let status = seen.status.as_mut().expect("a status");
        status.targets[0] = status.targets[0].replace("DA", "AA");
    },
    Outcome::Fail, "leg 0 is A"
)]
#[case::region_lost(
    |seen: &mut Observation| {
        let status = seen.status.as_mut().expect("a status");
        status.targets[0] = status.targets[0].replace("128/128", "127/128");
    },
    Outcome::Fail, "127 of 128"
)]
#[case::never_flushed(
    |seen: &mut Observation| {
        seen.journal.retain(|entry| {
            (entry.command, entry.member) != (Command::Flush, Member::Leg(1))
        });
    },
    Outcome::Fail, "no flush reached"
)]
#[case::told(
    |seen: &mut Observation| {
        if let Some(IoState::Done(report)) = &mut seen.io {
            report.ops[0].result = Err(5);
        }
    },
    Outcome::Fail, "correct is 262144 bytes"
)]
#[case::not_fired(
    |seen: &mut Observation| entry_of(seen, Command::Flush, 0).result = Some(0),
    Outcome::Inconclusive, "its medium refused none"
)]
#[case::not_seen(
    |seen: &mut Observation| seen.seen.trace.retain(|event| event.rwbs != "FF"),
    Outcome::Inconclusive, "no tracepoint"
)]
#[case::seen_to_go_well(
    |seen: &mut Observation| flush_end(seen, 0).error = 0,
    Outcome::Inconclusive, "no tracepoint"
)]
#[case::seen_of_the_other_leg(
    |seen: &mut Observation| flush_end(seen, 0).dev = leg_dev(1),
    Outcome::Inconclusive, "no tracepoint"
)]
#[case::seen_of_a_write(
    |seen: &mut Observation| flush_end(seen, 0).rwbs = "WS".into(),
    Outcome::Inconclusive, "no tracepoint"
)]
#[case::seen_to_be_queued(
    |seen: &mut Observation| flush_end(seen, 0).kind = Kind::RqRequeue,
    Outcome::Inconclusive, "no tracepoint"
)]
fn a_flush_that_went_wrong_is_noticed(
    #[case] tamper: fn(&mut Observation),
    #[case] outcome: Outcome,
    #[case] words: &str,
) {
    let (case, mut seen) = failed(Op::Flush);
    tamper(&mut seen);
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, outcome, "{verdict:?}");
    assert!(verdict.reason.contains(words), "{}", verdict.reason);
}

#[rstest]
#[case::leg_failed(
    |seen: &mut Observation| {
        let status = seen.status.as_mut().expect("a status");
        status.targets[0] = status.targets[0].replace("AA", "DA");
    },
    "leg 0 is D"
)]
#[case::one_leg_only(
    |seen: &mut Observation| {
        seen.journal.retain(|entry| entry.member == Member::Leg(0));
    },
    "was asked for 0 times"
)]
#[case::half(
    |seen: &mut Observation| entry_of(seen, Command::Discard, 1).sectors = 64,
    "was not asked for whole"
)]
#[case::elsewhere(
    |seen: &mut Observation| seen.media[1].strays.push((0, 8)),
    "outside of the I/O"
)]
#[case::not_discarded(
    |seen: &mut Observation| {
        seen.media[1].spans[0].what = What::Stamp {
            origin: Origin::Leg(1),
            generation: 0,
            sector: FROM + 8,
        };
    },
    "was not written"
)]
#[case::other_error_swallowed(
    |seen: &mut Observation| {
        seen.seen.trace.push(event(Kind::BioComplete, DM, FROM, SECTORS, -5));
    },
    "the application was not told"
)]
fn a_discard_that_went_wrong_is_noticed(#[case] tamper: fn(&mut Observation), #[case] words: &str) {
    let (case, mut seen) = failed(Op::Discard);
    tamper(&mut seen);
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, Outcome::Fail, "{verdict:?}");
    assert!(verdict.reason.contains(words), "{}", verdict.reason);
}

/// Whoever waits for an event must get one.
#[rstest]
#[case::told(true, Some(0), Outcome::Pass)]
#[case::untold(true, Some(1), Outcome::Fail)]
#[case::not_watched(true, None, Outcome::Pass)]
#[case::not_handled(false, Some(1), Outcome::Pass)]
fn a_failure_is_told_of(
    #[case] handled: bool,
    #[case] before: Option<u32>,
    #[case] outcome: Outcome,
) {
    let (mut case, mut seen) = failed(Op::Flush);
    if let Stack::Raid1(mirror) = &mut case.stack {
        (mirror.handle_errors, mirror.keep_log) = (handled, handled);
    }
    seen.events_before = before;
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, outcome, "{verdict:?}");
}

/// If a request was to be held and was not, the case proves nothing.
#[rstest]
#[case::held(Some(Vec::new()), Outcome::Pass)]
#[case::missed(None, Outcome::Inconclusive)]
fn a_request_that_is_held(#[case] meanwhile: Option<Vec<String>>, #[case] outcome: Outcome) {
    let mut case = case(Op::Read, Vec::new());
    let mut seen = observe(&case);
    case.holds.push(Hold {
        leg: 0,
        sector: BAD,
        then: Ending::Ok,
        meanwhile: Meanwhile::Suspend,
        place: 0,
    });
    seen.meanwhile = meanwhile;
    assert_eq!(judge(&case, &seen).outcome, outcome);
}

/// A write to a mirror whose log cannot be written and is to be kept.
fn log_failed() -> (Case, Observation) {
    let mut case = case(Op::Write, Vec::new());
    if let Stack::Raid1(mirror) = &mut case.stack {
        mirror.log = Log::Disk;
    }
    let mut seen = observe(&case);
    seen.journal.clear();
    seen.journal.push(Entry {
        order: 0,
        member: Member::Log,
        layer: Layer::Device,
        command: Command::Write,
        sector: 0,
        sectors: 3,
        result: Some(-5),
        target_reply: None,
    });
    seen.seen.trace.retain(|event| event.dev == DM);
    for medium in &mut seen.media {
        let Member::Leg(leg) = medium.member else {
            continue;
        };
        medium.spans = vec![Span {
            at: 0,
            sectors: SECTORS,
            what: What::Stamp {
                origin: Origin::Leg(leg),
                generation: 0,
                sector: medium.sector,
            },
        }];
    }
    let status = seen.status.as_mut().expect("a status");
    status.targets[0] = "2 254:0 254:16 128/128 1 AA 3 disk 254:32 D".into();
    if let Some(IoState::Done(report)) = &mut seen.io {
        report.ops[0].result = Err(5);
    }
    case.other_faults.push(OtherFault {
        disk: Place::Log,
        during: During::Io,
        fault: fault(0, Op::Write),
    });
    (case, seen)
}

/// Each end that the guest saw on the log's disk must have happened there, with
/// the same result.
#[rstest]
#[case::as_it_was(0, 3, -5, "W", Outcome::Pass)]
#[case::elsewhere(8, 3, -5, "W", Outcome::Fail)]
#[case::longer(0, 8, -5, "W", Outcome::Fail)]
#[case::well(0, 3, 0, "W", Outcome::Fail)]
#[case::another_command(0, 3, -5, "R", Outcome::Fail)]
fn the_guest_sees_the_log_as_it_is(
    #[case] sector: u64,
    #[case] sectors: u64,
    #[case] errno: i32,
    #[case] letters: &str,
    #[case] outcome: Outcome,
) {
    let (case, mut seen) = log_failed();
    let mut disk = seen.disks[0].1.clone();
    disk.dev = Dev(254, 32);
    seen.disks.push((Member::Log, disk));
    let mut end = event(Kind::RqComplete, Dev(254, 32), sector, sectors, errno);
    end.rwbs = letters.into();
    seen.seen.trace.push(end);
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, outcome, "{verdict:#?}");
}

#[test]
fn a_verdict_cites_what_failed_aside() {
    let (case, seen) = log_failed();
    let verdict = judge(&case, &seen);
    assert_eq!(
        verdict.reason,
        "the log failed 1 request(s); the application was told"
    );
    assert_eq!(verdict.evidence.journal, ["the log write 0+3 error -5"]);
}

#[rstest]
#[case::sound(|_: &mut Observation| {}, Outcome::Pass, "")]
#[case::log_looks_sound(
    |seen: &mut Observation| {
        let status = seen.status.as_mut().expect("a status");
        status.targets[0] = status.targets[0].replace(" D", " A");
    },
    Outcome::Fail, "the log is A, correct is D"
)]
#[case::answered_well(
    |seen: &mut Observation| {
        if let Some(IoState::Done(report)) = &mut seen.io {
            report.ops[0].result = Ok(SECTORS * 512);
        }
    },
    Outcome::Fail, "correct is Input/output error"
)]
#[case::not_fired(
    |seen: &mut Observation| seen.journal[0].result = Some(0),
    Outcome::Inconclusive, "the journal has no write that the log failed"
)]
fn a_log_that_fails(
    #[case] tamper: fn(&mut Observation),
    #[case] outcome: Outcome,
    #[case] words: &str,
) {
    let (case, mut seen) = log_failed();
    tamper(&mut seen);
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, outcome, "{verdict:?}");
    assert!(verdict.reason.contains(words), "{}", verdict.reason);
}

/// A flush that never came back, on a mirror that shows both legs as good. A
/// suspension without flush tells whether it was held and forgotten, or lost.
/// The verdict is a hang either way.
#[rstest]
#[case::not_looked_at(None, "never came back")]
#[case::tried_again(Some((Some("2 254:0 254:16 128/128 1 DA 1 core"), false)), ": held, and forgotten")]
#[case::came_back(Some((Some("2 254:0 254:16 128/128 1 AA 1 core"), true)), ": held, and forgotten")]
#[case::nothing_changed(Some((Some("2 254:0 254:16 128/128 1 AA 1 core"), false)), ": lost")]
#[case::never_suspended(Some((None, false)), ": lost")]
fn what_is_held_and_forgotten_is_not_lost(
    #[case] after_suspend: Option<(Option<&str>, bool)>,
    #[case] ends: &str,
) {
    let (case, mut seen) = failed(Op::Flush);
    let done = seen.io.replace(IoState::Quiet { pending: 1 });
    let status = seen.status.as_mut().expect("a status");
    status.targets = vec!["2 254:0 254:16 128/128 1 AA 1 core".into()];
    seen.after_suspend = after_suspend.map(|(line, came_back)| AfterSuspend {
        status: line.map(|line| DmStatus {
            targets: vec![line.into()],
            ..DmStatus::default()
        }),
        io: match came_back {
            true => done.expect("it was done"),
            false => IoState::Quiet { pending: 1 },
        },
    });
    // The observation must also survive being recorded and read again.
    let text = serde_json::to_string(&seen).expect("plain data");
    assert_eq!(text.contains("after_suspend"), after_suspend.is_some());
    let seen = serde_json::from_str(&text).expect("it reads itself");
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, Outcome::Hang);
    assert!(verdict.reason.ends_with(ends), "{}", verdict.reason);
    let told = verdict.differences.iter();
    let told = told.filter(|one| one.text.contains("suspension")).count();
    assert_eq!(told, usize::from(after_suspend.is_some()));
}

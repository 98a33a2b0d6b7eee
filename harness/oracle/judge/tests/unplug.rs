//! A disk that is unplugged with a request in flight.

use super::*;
use halfway_case::observation::{PluggedAgain, Unplugged};

/// The observation when leg 0 is unplugged while it has the whole I/O, and is
/// plugged in again.
fn unplugged(op: Op, paths: bool) -> (Case, Observation) {
    let faults = vec![fault(0, op)];
    let mut case = match paths {
        true => multipath(op, false, faults),
        false => case(op, faults),
    };
    case.legs.controller = Controller::VirtioScsi;
    let mut seen = observe(&case);
    case.legs.max_sectors_kb = None;
    case.faults.clear();
    case.holds.push(Hold {
        leg: 0,
        sector: BAD,
        then: Ending::Ok,
        meanwhile: Meanwhile::Unplug,
        place: 0,
    });
    // The request was in one piece, and its medium carried it out.
    seen.journal.retain(|entry| entry.sector < FROM + 128);
    let mut of_medium = seen.journal[0];
    of_medium.layer = Layer::Medium;
    seen.journal
        .retain(|entry| (entry.member, entry.layer) != (Member::Leg(0), Layer::Medium));
    seen.journal.push(of_medium);
    for entry in &mut seen.journal {
        entry.sectors = SECTORS;
        let given_up = (entry.member, entry.layer) == (Member::Leg(0), Layer::Device);
        entry.result = Some(if given_up { -5 } else { 0 });
    }
    let is_piece = |event: &TraceEvent| event.kind == Kind::RqComplete && event.sectors == 128;
    (seen.seen.trace).retain(|event| !is_piece(event) || event.sector < FROM + 128);
    for event in &mut seen.seen.trace {
        if is_piece(event) {
            event.sectors = SECTORS;
            event.error = if event.dev == leg_dev(0) { -5 } else { 0 };
        }
    }
    if op == Op::Write {
        let mut written = seen.media[0].spans[0];
        written.sectors = SECTORS;
        written.what = stamp(Origin::Writer(0), 1, FROM);
        seen.media[0].spans = vec![written];
    }
    seen.meanwhile = Some(vec!["device_del leg0".to_owned()]);
    seen.unplugged = Some(Unplugged {
        gone: true,
        again: Some(again(&case, &seen)),
    });
    (case, seen)
}

fn stamp(origin: Origin, generation: u32, sector: u64) -> What {
    What::Stamp {
        origin,
        generation,
        sector,
    }
}

/// Leg 0 serves reads.
fn again(case: &Case, seen: &Observation) -> PluggedAgain {
    let what = match case.io.op {
        Op::Write => stamp(Origin::Writer(0), 1, FROM),
        _ => stamp(Origin::Leg(0), 0, FROM),
    };
    let content = vec![Span {
        at: 0,
        sectors: SECTORS,
        what,
    }];
    let report = OpReport {
        result: Ok(SECTORS * 512),
        content,
        buffer_changed: Vec::new(),
        guard_damage: Vec::new(),
        after: 0,
    };
    let line = match case.stack {
        Stack::Raid1(_) => "2 254:32 254:16 128/128 1 AA 1 core".to_owned(),
        Stack::Multipath(_) => paths_status(&['A', 'A']),
    };
    PluggedAgain {
        disk: seen.disks[0].1.clone(),
        status: DmStatus {
            targets: vec![line],
            ..DmStatus::default()
        },
        io: IoState::Done(IoReport {
            ops: vec![report],
            micros: 1,
        }),
        journal: vec![Entry {
            order: 0,
            member: Member::Leg(0),
            layer: Layer::Device,
            command: Command::Read,
            sector: FROM,
            sectors: SECTORS,
            result: Some(0),
            target_reply: None,
        }],
    }
}

#[rstest]
fn what_a_disk_takes_with_it_is_done_by_another(
    #[values(Op::Read, Op::Write)] op: Op,
    #[values(false, true)] paths: bool,
) {
    let (case, seen) = unplugged(op, paths);
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:#?}");
}

/// Sound content may be reported in several spans, if each begins where it
/// says.
#[rstest]
fn what_is_read_again_may_come_in_spans(#[values(Op::Read, Op::Write)] op: Op) {
    let (case, mut seen) = unplugged(op, false);
    let whole = read_again(&mut seen).content[0];
    let mut rest = whole;
    (rest.at, rest.sectors) = (256, 256);
    if let What::Stamp { sector, .. } = &mut rest.what {
        *sector += 256;
    }
    let first = Span {
        sectors: 256,
        ..whole
    };
    read_again(&mut seen).content = vec![first, rest];
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:#?}");
}

/// The medium carried out what the disk took with it, although nobody was told.
#[test]
fn a_write_that_was_given_up_lies_on_the_disk_all_the_same() {
    let (case, mut seen) = unplugged(Op::Write, false);
    seen.media[0].spans[0].what = stamp(Origin::Leg(0), 0, FROM);
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, Outcome::Fail, "{verdict:#?}");
    assert_eq!(verdict.differences[0].witness, Witness::Medium);
}

/// What the medium did not carry out need not lie there.
#[rstest]
#[case::never_reached_it(|seen: &mut Observation| { seen.journal.pop(); })]
#[case::failed(|seen: &mut Observation| last(seen).result = Some(-5))]
#[case::of_other_sectors(|seen: &mut Observation| last(seen).sector += SECTORS)]
#[case::a_read(|seen: &mut Observation| last(seen).command = Command::Read)]
#[case::of_another_disk(|seen: &mut Observation| last(seen).member = Member::Leg(1))]
fn what_was_not_done_when_the_disk_went_is_old(#[case] change: Change) {
    let (case, mut seen) = unplugged(Op::Write, false);
    seen.media[0].spans[0].what = stamp(Origin::Leg(0), 0, FROM);
    assert_eq!(last(&mut seen).member, Member::Leg(0));
    change(&mut seen);
    let verdict = judge(&case, &seen);
    let of_medium = |found: &Difference| found.witness == Witness::Medium;
    assert!(!verdict.differences.iter().any(of_medium), "{verdict:#?}");
}

fn last(seen: &mut Observation) -> &mut Entry {
    seen.journal.last_mut().unwrap()
}

type Change = fn(&mut Observation);

fn plugged_again(seen: &mut Observation) -> &mut PluggedAgain {
    seen.unplugged.as_mut().unwrap().again.as_mut().unwrap()
}

fn read_again(seen: &mut Observation) -> &mut OpReport {
    match &mut plugged_again(seen).io {
        IoState::Done(report) => &mut report.ops[0],
        other => panic!("{other:?}"),
    }
}

/// Another case was played than the one that was asked for.
#[rstest]
#[case::not_held(|seen: &mut Observation| seen.meanwhile = None)]
#[case::not_given_up(|seen: &mut Observation| {
    seen.journal.iter_mut().for_each(|entry| entry.result = Some(0));
})]
#[case::in_pieces(|seen: &mut Observation| seen.journal[0].sectors = 442)]
#[case::not_looked_at(|seen: &mut Observation| seen.unplugged = None)]
#[case::still_there(|seen: &mut Observation| seen.unplugged.as_mut().unwrap().gone = false)]
#[case::not_plugged_again(|seen: &mut Observation| seen.unplugged.as_mut().unwrap().again = None)]
fn a_disk_that_was_not_unplugged_proves_nothing(
    #[case] change: Change,
    #[values(Op::Read, Op::Write)] op: Op,
    #[values(false, true)] paths: bool,
) {
    let (case, mut seen) = unplugged(op, paths);
    change(&mut seen);
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, Outcome::Inconclusive, "{verdict:#?}");
}

/// QEMU aborts when a UAS stick is unplugged during a read. That is no failure
/// of the kernel; any other end of QEMU proves nothing.
#[rstest]
#[case::known(Controller::UsbUas, Op::Read, ABORT, Outcome::Finding)]
#[case::write(Controller::UsbUas, Op::Write, ABORT, Outcome::Infrastructure)]
#[case::another(Controller::UsbStorage, Op::Read, ABORT, Outcome::Infrastructure)]
#[case::of_itself(Controller::UsbUas, Op::Read, "", Outcome::Infrastructure)]
fn a_device_model_that_aborts(
    #[case] controller: Controller,
    #[case] op: Op,
    #[case] stderr: &str,
    #[case] outcome: Outcome,
) {
    let (mut case, mut seen) = unplugged(op, false);
    case.legs.controller = controller;
    seen.qemu_stderr = stderr.to_owned();
    seen.liveness = Liveness::Exited("killed by signal 6".to_owned());
    assert_eq!(judge(&case, &seen).outcome, outcome);
}

const ABORT: &str = "qemu-system-x86_64: ../../hw/usb/dev-uas.c:694: usb_uas_cancel_io: \
                     Assertion `!\"canceled usb packet not found\"' failed.\n";

#[rstest]
#[case::not_failed(Witness::Status, |seen: &mut Observation| {
    let line = &mut seen.status.as_mut().unwrap().targets[0];
    *line = line.replace(" F ", " A ").replace("RA", "AA").replace("DA", "AA");
})]
#[case::believed_done(Witness::Journal, |seen: &mut Observation| {
    seen.journal.retain(|entry| entry.member == Member::Leg(0));
})]
#[case::not_sound_again(Witness::Status, |seen: &mut Observation| {
    let line = &mut plugged_again(seen).status.targets[0];
    *line = line.replacen(" A 0 0", " F 1 0", 1).replace("AA", "RA");
})]
#[case::never_read(Witness::Liveness, |seen: &mut Observation| {
    plugged_again(seen).io = IoState::Quiet { pending: 1 };
})]
#[case::another_read(Witness::Application, |seen: &mut Observation| {
    plugged_again(seen).io = IoState::Done(IoReport { ops: Vec::new(), micros: 1 });
})]
#[case::read_badly(Witness::Application, |seen: &mut Observation| read_again(seen).result = Err(5))]
#[case::read_wrongly(Witness::Content, |seen: &mut Observation| {
    read_again(seen).content[0].what = stamp(Origin::Leg(0), 0, FROM + 1);
})]
#[case::of_another_time(Witness::Content, |seen: &mut Observation| {
    let what = &mut read_again(seen).content[0].what;
    *what = match what {
        What::Stamp { generation: 0, .. } => stamp(Origin::Writer(0), 1, FROM),
        _ => stamp(Origin::Leg(0), 0, FROM),
    };
})]
#[case::read_in_part(Witness::Content, |seen: &mut Observation| read_again(seen).content[0].sectors -= 1)]
#[case::read_elsewhere(Witness::Journal, |seen: &mut Observation| {
    plugged_again(seen).journal[0].member = Member::Leg(1);
})]
fn what_is_wrong_with_it_is_noticed(
    #[case] witness: Witness,
    #[case] change: Change,
    #[values(Op::Read, Op::Write)] op: Op,
    #[values(false, true)] paths: bool,
) {
    let (case, mut seen) = unplugged(op, paths);
    change(&mut seen);
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, Outcome::Fail, "{verdict:#?}");
    let witnesses: Vec<Witness> = verdict.differences.iter().map(|one| one.witness).collect();
    assert!(witnesses.contains(&witness), "{verdict:#?}");
}

//! The judge against observations of a small simulated mirror and a small
//! simulated multipath, sound and tampered with. Whatever is changed in a sound
//! observation must be noticed by the witness that sees it.

mod complaints;
mod content;
mod contract;
mod controllers;
mod given_up;
mod interventions;
mod multipath;
mod nested;
mod operations;
mod order;
mod overlap;
mod soak;
mod target;
mod unaligned;
mod unplug;
mod unsynced;

use super::*;
use halfway_case::observation::{AfterSuspend, Command, DirtyLog, Entry, Layer, Medium};
use halfway_case::verdict::Witness;
use halfway_case::{
    Controller, Disk as Place, During, Ending, Fault, Hold, Io, Legs, Log, Meanwhile, Multipath,
    OnError, OtherFault, PathGrouping, PathSelector, QueueMode, Raid1, Stack, Sync, Times, Vector,
};
use halfway_protocol::content::{Origin, Span, What};
use halfway_protocol::io::{GuardDamage, Op, OpReport, Path};
use halfway_protocol::message::{Disk, DmStatus, KernelMessage, Limits, Seen};
use halfway_protocol::trace::{Kind, TraceEvent};
use rstest::rstest;

const DM: Dev = Dev(253, 0);
const FROM: u64 = 2048;
const SECTORS: u64 = 512;
const BAD: u64 = 2300;

fn leg_dev(leg: u8) -> Dev {
    Dev(254, u32::from(leg) * 16)
}

fn fault(leg: u8, op: Op) -> Fault {
    Fault {
        leg,
        op,
        sector: BAD,
        times: Times::Always,
        errno: 5,
        report: None,
    }
}

fn case(op: Op, faults: Vec<Fault>) -> Case {
    Case {
        id: "test".into(),
        scenario: "test".into(),
        question: "?".into(),
        tags: Vec::new(),
        stack: Stack::Raid1(Raid1 {
            log: Log::Core,
            region_size: 1024,
            sync: Sync::Nosync,
            handle_errors: true,
            keep_log: op != Op::Read,
            paths: None,
        }),
        linear: None,
        legs: Legs {
            controller: Controller::VirtioBlk,
            logical_block_size: 512,
            count: 2,
            sectors: 131_072,
            offset: vec![0, 8],
            max_sectors_kb: Some(64),
            max_transfer: None,
            on_error: OnError::Report,
        },
        io: Io {
            op,
            path: Path::Direct,
            dsync: false,
            sector: FROM,
            sectors: SECTORS,
            vector: Vector::Pages,
            requests: 1,
            overlap: 0,
            submitters: 1,
        },
        faults,
        other_faults: Vec::new(),
        holds: Vec::new(),
        soak: None,
        sabotage: None,
    }
}

fn event(kind: Kind, dev: Dev, sector: u64, sectors: u64, error: i32) -> TraceEvent {
    TraceEvent {
        ns: 0,
        kind,
        dev,
        sector,
        sectors,
        rwbs: String::new(),
        error,
        from: None,
        task: None,
    }
}

/// The same case over paths to one disk, in bio mode.
fn multipath(op: Op, queue_if_no_path: bool, faults: Vec<Fault>) -> Case {
    let mut case = case(op, faults);
    case.stack = Stack::Multipath(Multipath {
        queue_mode: QueueMode::Bio,
        path_selector: PathSelector::ServiceTime,
        path_grouping: PathGrouping::Failover,
        queue_if_no_path,
        pg_init_retries: None,
        pg_init_delay_msecs: None,
        no_path_retry: None,
    });
    case.legs.offset = vec![0, 0];
    case
}

/// A target that works correctly, in pieces of 128 sectors, and everything that
/// would be observed of it.
struct Sound<'a> {
    case: &'a Case,
    trace: Vec<TraceEvent>,
    journal: Vec<Entry>,
    health: Vec<char>,
    written: Vec<Vec<u64>>,
}

impl Sound<'_> {
    /// Asks a leg for the whole I/O; false if a piece fails.
    fn ask(&mut self, leg: u8) -> bool {
        let op = self.case.op_on_legs();
        let letters = match op {
            Op::Read => "RS",
            Op::Discard => "DS",
            _ => "WS",
        };
        let mut sound = true;
        for from in (FROM..FROM + SECTORS).step_by(128) {
            let hit = self.case.faults.iter().any(|fault| {
                fault.leg == leg && fault.op == op && (from..from + 128).contains(&fault.sector)
            });
            let sector = from + self.case.legs.offset[usize::from(leg)];
            let errno = if hit { -5 } else { 0 };
            let layers = match (op, hit) {
                (Op::Discard, _) => &[Layer::Medium][..],
                (_, true) => &[Layer::Device],
                (_, false) => &[Layer::Device, Layer::Medium],
            };
            for layer in layers {
                self.journal.push(Entry {
                    order: self.journal.len() as u64,
                    member: Member::Leg(leg),
                    layer: *layer,
                    command: op.into(),
                    sector,
                    sectors: 128,
                    result: Some(errno),
                    target_reply: None,
                });
            }
            let mut completion = event(Kind::RqComplete, leg_dev(leg), sector, 128, errno);
            completion.rwbs = letters.into();
            self.trace.push(completion);
            if op != Op::Read && !hit {
                let medium = model::ways_to(self.case, leg).start;
                self.written[usize::from(medium)].extend(from..from + 128);
            }
            sound &= !hit;
        }
        if !sound {
            self.health[usize::from(leg)] = match (&self.case.stack, op) {
                (stack, _) if stack.multipath().is_some() => 'F',
                (Stack::Multipath(_), _) => 'F',
                (Stack::Raid1(_), Op::Read) => 'R',
                (Stack::Raid1(_), Op::Discard) => 'A',
                (Stack::Raid1(_), _) => 'D',
            };
        }
        sound
    }

    /// Makes a leg flush; false if it fails.
    fn flush(&mut self, leg: u8) -> bool {
        let fails = |fault: &Fault| fault.leg == leg && fault.op == Op::Flush;
        let sound = !self.case.faults.iter().any(fails);
        let errno = if sound { 0 } else { -5 };
        self.journal.push(Entry {
            order: self.journal.len() as u64,
            member: Member::Leg(leg),
            layer: Layer::Medium,
            command: Command::Flush,
            sector: 0,
            sectors: 0,
            result: Some(errno),
            target_reply: None,
        });
        let mut completion = event(Kind::RqComplete, leg_dev(leg), 0, 0, errno);
        completion.rwbs = "FF".into();
        self.trace.push(completion);
        if !sound {
            self.health[usize::from(leg)] = 'D';
        }
        sound
    }

    /// Asks one leg after the other until one has the whole I/O, and returns
    /// that.
    fn ask_in_turn(&mut self) -> Option<u8> {
        (0..self.case.legs.count).find(|leg| self.ask(*leg))
    }

    /// Asks a leg, over its paths if it has several.
    fn ask_leg(&mut self, leg: u8) -> bool {
        (self.case.disk(leg, 0)..self.case.disk(leg + 1, 0)).any(|disk| self.ask(disk))
    }

    /// What the mirror's status line shows for its legs.
    fn letters(&self) -> String {
        let Some(paths) = self.case.stack.nested() else {
            return self.health.iter().collect();
        };
        let lost = match self.case.io.op {
            Op::Read => 'R',
            _ => 'D',
        };
        let legs = self.health.chunks(paths.count.into());
        legs.map(|paths| if paths.contains(&'A') { 'A' } else { lost })
            .collect()
    }

    fn status(&self) -> String {
        let letters = self.letters();
        let lost = letters.contains('D') && self.case.io.op == Op::Write;
        match &self.case.stack {
            Stack::Raid1(mirror) => {
                let in_sync = if lost { 127 } else { 128 };
                let log = match mirror.log {
                    Log::Core => "1 core",
                    Log::Disk => "3 disk 254:32 A",
                };
                format!("2 254:0 254:16 {in_sync}/128 1 {letters} {log}")
            }
            Stack::Multipath(_) => paths_status(&self.health),
        }
    }
}

/// The status line of a multipath of two paths.
fn paths_status(health: &[char]) -> String {
    let active = health.iter().position(|health| *health == 'A');
    let state = |group| if active == Some(group) { 'A' } else { 'E' };
    let [one, two] = [0, 1].map(|path| health[path]);
    format!(
        "2 0 0 0 2 1 {} 0 1 2 254:0 {one} 0 0 1 {} 0 1 2 254:16 {two} 0 0 1 ",
        state(0),
        state(1)
    )
}

fn observe(case: &Case) -> Observation {
    let mut mirror = Sound {
        case,
        trace: case
            .io
            .parts()
            .iter()
            .map(|&(sector, sectors)| event(Kind::BioQueue, DM, sector, sectors, 0))
            .collect(),
        journal: Vec::new(),
        health: vec!['A'; case.legs.count.into()],
        written: vec![Vec::new(); case.legs.count.into()],
    };
    let (answer, content) = match case.io.op {
        Op::Read => match mirror.ask_in_turn() {
            Some(leg) => {
                let leg = match model::alike(case) {
                    true => 0,
                    false => model::ways_to(case, leg).start,
                };
                let sector = FROM + case.legs.offset[usize::from(leg)];
                let origin = Origin::Leg(leg);
                let what = What::Stamp {
                    origin,
                    generation: 0,
                    sector,
                };
                (
                    Ok(SECTORS * 512),
                    vec![Span {
                        at: 0,
                        sectors: SECTORS,
                        what,
                    }],
                )
            }
            None => (
                Err(5),
                vec![Span {
                    at: 0,
                    sectors: SECTORS,
                    what: What::Prefill,
                }],
            ),
        },
        op => {
            let mut sound = match &case.stack {
                Stack::Raid1(_) => [mirror.ask_leg(0), mirror.ask_leg(1)].contains(&true),
                Stack::Multipath(_) => mirror.ask_in_turn().is_some(),
            };
            if op == Op::Flush {
                sound = [mirror.flush(0), mirror.flush(1)].contains(&true);
            }
            (if sound { Ok(SECTORS * 512) } else { Err(5) }, Vec::new())
        }
    };
    let error = if answer.is_ok() { 0 } else { -5 };
    mirror
        .trace
        .push(event(Kind::BioComplete, DM, FROM, SECTORS, error));
    let media = model::media(case)
        .map(|leg| {
            let base = FROM + case.legs.offset[usize::from(leg)];
            let mut spans = Vec::new();
            for at in 0..SECTORS {
                let part = |&(sector, sectors): &(u64, u64)| {
                    (sector..sector + sectors).contains(&(FROM + at))
                };
                let request = case.io.parts().iter().position(part).expect("a part") as u16;
                let written = mirror.written[usize::from(leg)].contains(&(FROM + at));
                let what = if written && case.io.op == Op::Discard {
                    What::Zero
                } else if written {
                    What::Stamp {
                        origin: Origin::Writer(request),
                        generation: 1,
                        sector: FROM + at,
                    }
                } else {
                    What::Stamp {
                        origin: Origin::Leg(leg),
                        generation: 0,
                        sector: base + at,
                    }
                };
                halfway_protocol::content::push(&mut spans, at, what);
            }
            Medium {
                member: Member::Leg(leg),
                sector: base,
                spans,
                strays: Vec::new(),
            }
        })
        .collect();
    let status = mirror.status();
    let paths = case.stack.nested().into_iter().flat_map(|paths| {
        let legs = mirror.health.chunks(paths.count.into());
        legs.map(paths_status).collect::<Vec<_>>()
    });
    let beneath: Vec<DmStatus> = paths
        .map(|line| DmStatus {
            targets: vec![line],
            ..DmStatus::default()
        })
        .collect();
    let whole = OpReport {
        result: answer,
        content,
        buffer_changed: Vec::new(),
        guard_damage: Vec::new(),
        after: 0,
    };
    let part = |&(_, sectors): &(u64, u64)| OpReport {
        result: answer.map(|_| sectors * 512),
        ..whole.clone()
    };
    let ops = case.io.parts().iter().map(part).collect();
    Observation {
        seed: 1,
        release: "6.1.0-50-cloud-amd64".into(),
        disks: (0..case.legs.count)
            .map(|leg| {
                let disk = Disk {
                    serial: format!("leg{leg}"),
                    name: "vda".into(),
                    dev: leg_dev(leg),
                    sectors: 131_072,
                    limits: Limits::default(),
                };
                (Member::Leg(leg), disk)
            })
            .collect(),
        dm: Some((
            DM,
            Limits {
                dma_alignment: Some(511),
                ..Limits::default()
            },
        )),
        refusal: None,
        set_up: Vec::new(),
        events_before: Some(0),
        meanwhile: None,
        unplugged: None,
        unit_resets: Vec::new(),
        stops: 0,
        soak: None,
        interventions: None,
        io: Some(IoState::Done(IoReport { ops, micros: 1 })),
        status: Some(DmStatus {
            targets: vec![status],
            event: 1,
            suspended: false,
        }),
        beneath,
        table: None,
        repair: None,
        after_suspend: None,
        status_at_end: None,
        seen: Seen {
            trace: mirror.trace,
            lost: 0,
            log: Vec::new(),
            bios: None,
        },
        journal: mirror.journal,
        media,
        log: None,
        around: Vec::new(),
        console: String::new(),
        left: Default::default(),
        qemu_stderr: String::new(),
        liveness: Liveness::Alive,
    }
}

#[rstest]
#[case::read(case(Op::Read, vec![fault(0, Op::Read)]))]
#[case::read_all(case(Op::Read, vec![fault(0, Op::Read), fault(1, Op::Read)]))]
#[case::read_clean(case(Op::Read, vec![]))]
#[case::write(case(Op::Write, vec![fault(1, Op::Write)]))]
#[case::write_default(case(Op::Write, vec![fault(0, Op::Write)]))]
#[case::write_all(case(Op::Write, vec![fault(0, Op::Write), fault(1, Op::Write)]))]
#[case::write_clean(case(Op::Write, vec![]))]
#[case::path(multipath(Op::Read, false, vec![fault(0, Op::Read)]))]
#[case::paths(multipath(Op::Read, false, vec![fault(0, Op::Read), fault(1, Op::Read)]))]
#[case::path_clean(multipath(Op::Read, true, vec![]))]
#[case::path_write(multipath(Op::Write, true, vec![fault(0, Op::Write)]))]
#[case::paths_write(multipath(Op::Write, false, vec![fault(0, Op::Write), fault(1, Op::Write)]))]
fn a_sound_target_passes(#[case] case: Case) {
    let verdict = judge(&case, &observe(&case));
    assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:#?}");
    assert!(!verdict.evidence.journal.is_empty() && !verdict.evidence.trace.is_empty());
}

fn report(seen: &mut Observation) -> &mut OpReport {
    match &mut seen.io {
        Some(IoState::Done(report)) => &mut report.ops[0],
        _ => unreachable!("the simulated I/O completes"),
    }
}

fn span(at: u64, sectors: u64, leg: u8, sector: u64) -> Span {
    Span {
        at,
        sectors,
        what: What::Stamp {
            origin: Origin::Leg(leg),
            generation: 0,
            sector,
        },
    }
}

fn entry_of(seen: &mut Observation, leg: u8) -> usize {
    let of_leg = |entry: &Entry| entry.member == Member::Leg(leg) && entry.layer == Layer::Device;
    seen.journal
        .iter()
        .position(of_leg)
        .expect("the leg was asked")
}

type Tamper = Box<dyn Fn(&mut Observation)>;

fn by(tamper: impl Fn(&mut Observation) + 'static) -> Tamper {
    Box::new(tamper)
}

fn is_noticed(case: &Case, tamper: &Tamper, witness: Witness) {
    let mut seen = observe(case);
    tamper(&mut seen);
    let verdict = judge(case, &seen);
    assert_eq!(verdict.outcome, Outcome::Fail, "{verdict:#?}");
    let mut differences = verdict.differences.iter();
    assert!(
        differences.any(|found| found.witness == witness),
        "{verdict:#?}"
    );
}

/// Changes to a read that leg 0 failed, and the witness that must notice each.
#[rstest]
#[case::errno(by(|seen| report(seen).result = Err(5)), Witness::Application)]
#[case::short(by(|seen| report(seen).result = Ok(512)), Witness::Application)]
#[case::shifted(by(|seen| report(seen).content = vec![span(0, 512, 1, FROM + 8 + 252)]), Witness::Content)]
#[case::stale_leg(by(|seen| report(seen).content = vec![span(0, 512, 0, FROM)]), Witness::Content)]
#[case::remainder_only(
    by(|seen| report(seen).content = vec![span(0, 252, 0, FROM), span(252, 260, 1, FROM + 8 + 252)]),
    Witness::Content)]
#[case::prefill(
    by(|seen| report(seen).content[0].what = What::Prefill), Witness::Content)]
#[case::zeros(by(|seen| report(seen).content[0].what = What::Zero), Witness::Content)]
#[case::foreign(by(|seen| report(seen).content[0].what = What::Foreign), Witness::Content)]
#[case::damaged(
    by(|seen| report(seen).content[0].what = What::Damaged { good: 100 }), Witness::Content)]
#[case::too_little(by(|seen| report(seen).content[0].sectors = 511), Witness::Content)]
#[case::guard(
    by(|seen| report(seen).guard_damage.push(GuardDamage { segment: 0, distance: -1, found: 0 })),
    Witness::Guards)]
#[case::leg_not_failed(
    by(|seen| seen.status.as_mut().unwrap().targets[0] = "2 254:0 254:16 128/128 1 AA 1 core".into()),
    Witness::Status)]
#[case::wrong_leg_failed(
    by(|seen| seen.status.as_mut().unwrap().targets[0] = "2 254:0 254:16 128/128 1 RR 1 core".into()),
    Witness::Status)]
#[case::sync_lost(
    by(|seen| seen.status.as_mut().unwrap().targets[0] = "2 254:0 254:16 127/128 1 RA 1 core".into()),
    Witness::Status)]
#[case::regions_miscounted(
    by(|seen| seen.status.as_mut().unwrap().targets[0] = "2 254:0 254:16 64/64 1 RA 1 core".into()),
    Witness::Status)]
#[case::no_status(by(|seen| seen.status = None), Witness::Status)]
#[case::piece_not_resubmitted(by(|seen| { let at = entry_of(seen, 1); seen.journal.remove(at); }),
    Witness::Journal)]
#[case::piece_resubmitted_twice(
    by(|seen| { let at = entry_of(seen, 1); let again = seen.journal[at]; seen.journal.push(again); }),
    Witness::Journal)]
#[case::stray_request(
    by(|seen| { let at = entry_of(seen, 1); let mut stray = seen.journal[at]; stray.sector = 0;
             seen.journal.push(stray); }),
    Witness::Journal)]
#[case::unanswered(
    by(|seen| { let at = entry_of(seen, 1); seen.journal[at].result = None; }), Witness::Journal)]
#[case::wrong_order(
    by(|seen| { for entry in &mut seen.journal { entry.order = 1000 - entry.order; } }),
    Witness::Journal)]
#[case::belief(
    by(|seen| { let event = seen.seen.trace.iter_mut().find(|event| event.error != 0).unwrap();
             event.error = 0; }),
    Witness::Trace)]
#[case::bio_failed(by(|seen| seen.seen.trace.last_mut().unwrap().error = -5), Witness::Trace)]
#[case::medium_written(
    by(|seen| seen.media[1].spans = vec![Span { at: 0, sectors: 512, what: What::Stamp {
        origin: Origin::Writer(0), generation: 1, sector: FROM } }]),
    Witness::Medium)]
#[case::medium_of_the_other_leg(
    by(|seen| seen.media[1].spans = vec![span(0, 512, 0, FROM)]), Witness::Medium)]
#[case::medium_damaged(
    by(|seen| seen.media[0].spans[0].what = What::Damaged { good: 3 }), Witness::Medium)]
#[case::strays(by(|seen| seen.media[0].strays.push((0, 1))), Witness::Medium)]
#[case::warning(
    by(|seen| seen.seen.log.push(KernelMessage { level: 4, micros: 0,
        text: "WARNING: CPU: 0 PID: 1 at block/bio.c:1 f+0x1/0x2".into() })),
    Witness::KernelLog)]
#[case::qemu(
    by(|seen| seen.qemu_stderr = "qemu: virtio: zero sized buffers are not allowed".into()),
    Witness::Qemu)]
#[case::dirty(by(|seen| seen.liveness = Liveness::Dirty("busy".into())), Witness::Liveness)]
fn what_is_wrong_with_a_read_is_noticed(#[case] tamper: Tamper, #[case] witness: Witness) {
    is_noticed(&case(Op::Read, vec![fault(0, Op::Read)]), &tamper, witness);
}

/// The message has both accounts where they differ, and the counts where they
/// differ only in those.
#[rstest]
#[case::otherwise(
    by(|seen| { let ends = &mut seen.seen.trace;
             ends.iter_mut().find(|event| event.error != 0).unwrap().error = 0; }),
    "the guest saw read 2176+128 ok, the device did read 2176+128 failed")]
#[case::made_up(
    by(|seen| { let mut end = event(Kind::RqComplete, leg_dev(0), FROM, 8, 0);
             end.rwbs = "RS".into(); seen.seen.trace.push(end); }),
    "the guest saw read 2048+8 ok, the device did no such thing")]
#[case::not_seen(
    by(|seen| { let is = |event: &TraceEvent| event.dev == leg_dev(0) && event.error != 0;
             seen.seen.trace.retain(|event| !is(event)); }),
    "the device did read 2176+128 failed, the guest saw no such thing")]
#[case::once_more(
    by(|seen| { let end = seen.seen.trace.iter().find(|event| event.error != 0).unwrap().clone();
             seen.seen.trace.push(end); }),
    "the guest saw 5 requests end, the device ended 4")]
fn what_the_guest_believed_is_told(#[case] tamper: Tamper, #[case] text: &str) {
    let case = case(Op::Read, vec![fault(0, Op::Read)]);
    let mut seen = observe(&case);
    tamper(&mut seen);
    let verdict = judge(&case, &seen);
    let told = |found: &Difference| found.text == format!("leg 0: {text}");
    assert!(verdict.differences.iter().any(told), "{verdict:#?}");
}

/// How far off a byte lay, and how often a leg was asked, in words for people.
#[rstest]
#[case::before(
    1,
    by(|seen| report(seen).guard_damage.push(GuardDamage { segment: 0, distance: -1, found: 0 })),
    "the byte 1 before the start")]
#[case::behind(
    1,
    by(|seen| report(seen).guard_damage.push(GuardDamage { segment: 0, distance: 0, found: 0 })),
    "the byte 1 behind the end")]
#[case::exactly(1, by(again), "was asked for twice, correct is once")]
#[case::unevenly(1, by(|seen| seen.journal.retain(|entry| entry.sector != FROM + 128)),
    "2048+512 was not asked for whole: sector 2048 once, sector 2176 0 times")]
#[case::at_most(4, by(again), "was asked for twice, correct is 0 to 1 times")]
fn numbers_are_told(#[case] requests: u32, #[case] tamper: Tamper, #[case] text: &str) {
    let mut case = case(Op::Read, vec![]);
    case.io.requests = requests;
    let mut seen = observe(&case);
    tamper(&mut seen);
    let verdict = judge(&case, &seen);
    let told = |found: &Difference| found.text.contains(text);
    assert!(verdict.differences.iter().any(told), "{verdict:#?}");
}

/// Doubles every request in the journal.
fn again(seen: &mut Observation) {
    seen.journal.extend(seen.journal.clone());
}

/// QEMU also flushes by itself: such a flush is no request that comes too
/// early.
#[test]
fn a_flush_is_in_no_order() {
    let case = case(Op::Read, vec![fault(0, Op::Read)]);
    let mut seen = observe(&case);
    for entry in &mut seen.journal {
        entry.order += 1;
    }
    for sector in [0, FROM + 8] {
        let mut flush = seen.journal[0];
        (flush.order, flush.member, flush.layer) = (0, Member::Leg(1), Layer::Medium);
        (flush.command, flush.result, flush.sector) = (Command::Flush, Some(0), sector);
        seen.journal.push(flush);
    }
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:#?}");
}

/// A line that QEMU always writes under emulation says nothing about a device.
#[rstest]
#[case::of_its_cpu(
    "\nqemu-system-x86_64: warning: TCG doesn't support requested feature: x\n",
    Outcome::Pass
)]
#[case::of_a_device("\nqemu-system-x86_64: virtio: bogus descriptor\n", Outcome::Fail)]
fn qemu_says_what_it_always_says(#[case] stderr: &str, #[case] outcome: Outcome) {
    let case = case(Op::Read, vec![]);
    let mut seen = observe(&case);
    seen.qemu_stderr = stderr.into();
    assert_eq!(judge(&case, &seen).outcome, outcome);
}

/// Changes to a write that leg 1 failed, and the witness that must notice each.
#[rstest]
#[case::swallowed_by_medium(
    by(|seen| seen.media[0].spans = vec![span(0, 512, 0, FROM)]), Witness::Medium)]
#[case::hole(
    by(|seen| seen.media[0].spans[0].sectors = 511), Witness::Medium)]
#[case::zeros(by(|seen| seen.media[0].spans[0].what = What::Zero), Witness::Medium)]
#[case::shifted(
    by(|seen| seen.media[0].spans[0].what = What::Stamp { origin: Origin::Writer(0), generation: 1,
        sector: FROM + 1 }), Witness::Medium)]
#[case::other_request(
    by(|seen| seen.media[0].spans[0].what = What::Stamp { origin: Origin::Writer(7), generation: 1,
        sector: FROM }), Witness::Medium)]
#[case::bad_sector_written(
    by(|seen| seen.media[1].spans = vec![Span { at: 0, sectors: 512, what: What::Stamp {
        origin: Origin::Writer(0), generation: 1, sector: FROM } }]), Witness::Medium)]
#[case::sync_kept(
    by(|seen| seen.status.as_mut().unwrap().targets[0] = "2 254:0 254:16 128/128 1 AD 1 core".into()),
    Witness::Status)]
#[case::buffer(by(|seen| report(seen).buffer_changed.push(7)), Witness::Content)]
#[case::unexamined(by(|seen| { seen.media.remove(1); }), Witness::Medium)]
fn what_is_wrong_with_a_write_is_noticed(#[case] tamper: Tamper, #[case] witness: Witness) {
    is_noticed(
        &case(Op::Write, vec![fault(1, Op::Write)]),
        &tamper,
        witness,
    );
}

/// Observations that prove nothing about the resubmission must have another
/// outcome than `Pass` and `Fail`.
#[rstest]
#[case::panic(
    by(|seen| { seen.console = "Kernel panic - not syncing: sysrq triggered crash".into();
             seen.liveness = Liveness::Exited("exit status 0".into()); }),
    Outcome::Crash)]
#[case::bug_in_the_log_only(
    by(|seen| seen.seen.log.push(KernelMessage { level: 2, micros: 0,
        text: "kernel BUG at block/bio.c:1!".into() })),
    Outcome::Crash)]
#[case::qemu_died(by(|seen| seen.liveness = Liveness::Exited("killed by signal 9".into())),
    Outcome::Infrastructure)]
#[case::silent(by(|seen| seen.liveness = Liveness::Silent), Outcome::Hang)]
#[case::io_pending(
    by(|seen| seen.io = Some(IoState::Pending { pending: 1, stacks: vec!["io_schedule".into()] })),
    Outcome::Hang)]
#[case::io_held(by(|seen| seen.io = Some(IoState::Quiet { pending: 1 })), Outcome::Hang)]
#[case::trace_lost(by(|seen| seen.seen.lost = 1), Outcome::Inconclusive)]
#[case::no_trace(by(|seen| { seen.seen.trace.clear(); seen.seen.lost = 3; }), Outcome::Inconclusive)]
fn the_kind_of_a_verdict(#[case] tamper: Tamper, #[case] outcome: Outcome) {
    let case = case(Op::Read, vec![fault(0, Op::Read)]);
    let mut seen = observe(&case);
    tamper(&mut seen);
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, outcome);
    let hangs = verdict.reason.contains("1 read request(s) never came back");
    assert_eq!(
        hangs,
        matches!(
            seen.io,
            Some(IoState::Pending { .. } | IoState::Quiet { .. })
        )
    );
}

/// If the trace does not tell what became of the write, no region is counted as
/// wrong.
#[test]
fn a_trace_with_holes_makes_no_status_wrong() {
    let case = case(Op::Write, vec![fault(1, Op::Write)]);
    let mut seen = observe(&case);
    seen.seen.trace.clear();
    seen.seen.lost = 3;
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, Outcome::Inconclusive, "{verdict:#?}");
}

#[test]
fn a_fault_that_did_not_fire_proves_nothing() {
    let clean = case(Op::Read, vec![]);
    let mut seen = observe(&clean);
    let faulty = case(Op::Read, vec![fault(1, Op::Read)]);
    // Leg 1 is never asked, so its fault cannot fire.
    assert_eq!(judge(&faulty, &seen).outcome, Outcome::Inconclusive);
    // Even a healthy mirror does not pass if the fault did not fire.
    let faulty = case(Op::Write, vec![fault(1, Op::Write)]);
    seen = observe(&case(Op::Write, vec![]));
    assert_eq!(judge(&faulty, &seen).outcome, Outcome::Inconclusive);
}

/// Changes the observation as if leg 0 had been asked for the whole I/O at
/// once, and had failed that.
fn fails_in_one_request(seen: &mut Observation) {
    let of_leg = |entry: &Entry| entry.member == Member::Leg(0);
    let first = entry_of(seen, 0);
    let mut whole = seen.journal[first];
    (whole.sector, whole.sectors, whole.result) = (FROM, SECTORS, Some(-5));
    seen.journal.retain(|entry| !of_leg(entry));
    seen.journal.insert(0, whole);
    let mut end = event(Kind::RqComplete, leg_dev(0), FROM, SECTORS, -5);
    end.rwbs = "RS".into();
    let trace = &mut seen.seen.trace;
    trace.retain(|event| event.dev != leg_dev(0));
    trace.push(end);
}

#[test]
fn partial_is_not_partial_without_a_completed_piece() {
    let case = case(Op::Read, vec![fault(0, Op::Read)]);
    let mut seen = observe(&case);
    fails_in_one_request(&mut seen);
    // A flush of the leg is no piece of the I/O.
    let mut flush = event(Kind::RqComplete, leg_dev(0), 0, 0, 0);
    flush.rwbs = "FF".into();
    seen.seen.trace.push(flush);
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, Outcome::Inconclusive, "{verdict:#?}");
    assert!(verdict.reason.contains("other pieces"));
}

/// A bio of 64 pages, each a segment of its own, is split for a disk that takes
/// fewer segments (`bio_split_rw`). If the guest shows no limit, the disk may
/// have got it whole.
#[rstest]
#[case::cut(63, Outcome::Inconclusive)]
#[case::whole(64, Outcome::Pass)]
#[case::not_shown(0, Outcome::Pass)]
fn a_disk_that_takes_few_segments_fails_a_part(#[case] most: u32, #[case] outcome: Outcome) {
    let mut case = case(Op::Read, vec![fault(0, Op::Read)]);
    case.legs.max_sectors_kb = None;
    let mut seen = observe(&case);
    fails_in_one_request(&mut seen);
    // The other leg is asked for nothing that its limit would matter for.
    for (leg, most) in [(0, most), (1, 1)] {
        seen.disks[leg].1.limits.max_segments = most;
    }
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, outcome, "{verdict:#?}");
}

/// A disk that moves 8 sectors at a time has written the sectors before the bad
/// one: 2176 to 2295 here, and 8 sectors further on leg 1.
#[rstest]
#[case::the_last_of_them(2288 + 8, Outcome::Pass)]
#[case::the_first_of_them(2176 + 8, Outcome::Pass)]
#[case::what_lies_before_the_piece(2168 + 8, Outcome::Inconclusive)]
#[case::what_lies_behind(2296 + 8, Outcome::Inconclusive)]
fn a_write_that_a_disk_tore_was_done_in_part(#[case] reached: u64, #[case] outcome: Outcome) {
    let mut case = case(Op::Write, vec![fault(1, Op::Write)]);
    case.legs.max_transfer = Some(8);
    let mut seen = observe(&case);
    // Other entries near the piece do not count.
    let of_medium = |entry: &Entry| entry.layer == Layer::Medium;
    let before = |entry: &Entry| entry.member == Member::Leg(1) && entry.sector < BAD;
    seen.journal
        .retain(|entry| !of_medium(entry) || !before(entry));
    let mut written = seen.journal[0];
    (written.member, written.layer) = (Member::Leg(1), Layer::Medium);
    (written.sector, written.sectors, written.result) = (reached, 8, Some(0));
    seen.journal.push(written);
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, outcome, "{verdict:#?}");
}

/// The page cache asks as often as it likes, and a leg must refuse the bad
/// sector each time.
#[rstest]
#[case::refused(0, 0, Times::Always, Outcome::Pass)]
#[case::let_through(0, BAD, Times::Always, Outcome::Inconclusive)]
#[case::up_to_it(0, BAD - 7, Times::Always, Outcome::Inconclusive)]
#[case::before_it(0, BAD - 8, Times::Always, Outcome::Pass)]
#[case::behind_it(0, BAD + 1, Times::Always, Outcome::Pass)]
#[case::of_the_good_leg(1, BAD, Times::Always, Outcome::Pass)]
#[case::worn_off(0, BAD, Times::Count(1), Outcome::Pass)]
fn a_fault_that_lasts_lets_nothing_through(
    #[case] leg: u8,
    #[case] sector: u64,
    #[case] times: Times,
    #[case] outcome: Outcome,
) {
    let mut case = case(Op::Read, vec![fault(0, Op::Read)]);
    case.io.path = Path::Buffered;
    case.faults[0].times = times;
    let mut seen = observe(&case);
    if sector > 0 {
        let at = entry_of(&mut seen, leg);
        let mut again = seen.journal[at];
        again.sector = sector + case.legs.offset[usize::from(leg)];
        (again.sectors, again.order, again.result) = (8, 1000, Some(0));
        seen.journal.push(again);
        let mut end = event(Kind::RqComplete, leg_dev(leg), again.sector, 8, 0);
        end.rwbs = "R".into();
        seen.seen.trace.push(end);
    }
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, outcome, "{verdict:#?}");
}

/// The bios on the dm device must be the whole I/O, from its start. If events
/// are missing, nothing is said of that.
#[rstest]
#[case::half(FROM, 256, 0, true)]
#[case::not_from_the_start(FROM + 8, SECTORS - 8, 0, true)]
#[case::too_much(FROM, SECTORS + 8, 0, true)]
#[case::all(FROM, SECTORS, 0, false)]
#[case::events_lost(FROM, 256, 1, false)]
fn the_bios_are_the_io(
    #[case] sector: u64,
    #[case] sectors: u64,
    #[case] lost: u64,
    #[case] noticed: bool,
) {
    let case = case(Op::Read, vec![]);
    let mut seen = observe(&case);
    (seen.seen.trace[0].sector, seen.seen.trace[0].sectors) = (sector, sectors);
    seen.seen.lost = lost;
    let verdict = judge(&case, &seen);
    let mut texts = verdict.differences.iter().map(|found| &found.text);
    let unlike = texts.any(|text| text.contains("the bios on the dm device end at"));
    assert_eq!(unlike, noticed, "{verdict:#?}");
}

/// Four requests in flight together, one of which leg 1 fails.
fn merged() -> Case {
    let mut case = case(Op::Write, vec![fault(1, Op::Write)]);
    case.io.requests = 4;
    case.legs.max_sectors_kb = None;
    case
}

#[test]
fn sound_requests_in_flight_together_pass() {
    let case = merged();
    let verdict = judge(&case, &observe(&case));
    assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:#?}");
}

/// Each sector must carry the number of the request that wrote it.
#[test]
fn what_another_request_wrote_is_noticed() {
    let case = merged();
    let mut seen = observe(&case);
    seen.media[0].spans = vec![Span {
        at: 0,
        sectors: SECTORS,
        what: What::Stamp {
            origin: Origin::Writer(0),
            generation: 1,
            sector: FROM,
        },
    }];
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, Outcome::Fail, "{verdict:#?}");
    assert!(
        verdict
            .reason
            .contains("sector 2176 holds sector 2176 of request 0"),
        "{verdict:#?}"
    );
}

/// A later request's acknowledged data lie on no leg that counts: they were
/// never sent, or only to the failed leg.
#[rstest]
#[case::nowhere(&[0, 1])]
#[case::on_the_failed_leg_only(&[0])]
fn an_acknowledged_write_that_is_lost_is_noticed(#[case] legs: &[u8]) {
    let case = merged();
    let mut seen = observe(&case);
    let lost = FROM + 384;
    for &leg in legs {
        let offset = case.legs.offset[usize::from(leg)];
        let is_lost = |at: u64| (FROM + at) >= lost;
        seen.journal
            .retain(|entry| entry.member != Member::Leg(leg) || entry.sector - offset < lost);
        seen.seen
            .trace
            .retain(|event| event.dev != leg_dev(leg) || event.sector - offset < lost);
        let medium = &mut seen.media[usize::from(leg)];
        let mut spans = Vec::new();
        for span in medium.spans.clone() {
            for step in 0..span.sectors {
                let at = span.at + step;
                let what = match span.what {
                    _ if is_lost(at) => What::Stamp {
                        origin: Origin::Leg(leg),
                        generation: 0,
                        sector: medium.sector + at,
                    },
                    What::Stamp {
                        origin,
                        generation,
                        sector,
                    } => What::Stamp {
                        origin,
                        generation,
                        sector: sector + step,
                    },
                    other => other,
                };
                halfway_protocol::content::push(&mut spans, at, what);
            }
        }
        medium.spans = spans;
    }
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, Outcome::Fail, "{verdict:#?}");
    assert!(verdict.reason.contains("acknowledged"), "{verdict:#?}");
}

/// Puts a write of the log before the writes of the legs.
fn write_log_first(seen: &mut Observation) {
    for entry in &mut seen.journal {
        entry.order += 1;
    }
    let mut entry = seen.journal[0];
    (entry.order, entry.member, entry.sector, entry.sectors) = (0, Member::Log, 0, 8);
    (entry.command, entry.result) = (Command::Write, Some(0));
    seen.journal.push(entry);
}

#[test]
fn a_disk_log_is_written_before_the_legs() {
    let mut case = case(Op::Write, vec![fault(1, Op::Write)]);
    if let Stack::Raid1(mirror) = &mut case.stack {
        mirror.log = Log::Disk;
    }
    let mut seen = observe(&case);
    assert_eq!(
        judge(&case, &seen).outcome,
        Outcome::Fail,
        "no write to the log at all"
    );
    write_log_first(&mut seen);
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:#?}");
    seen.journal.last_mut().expect("an entry").order = 1000;
    assert_eq!(judge(&case, &seen).outcome, Outcome::Fail);
}

/// A region that the mirror could not recover is already marked dirty
/// (`dm_rh_inc` marks one that is clean), so the log need not be written first.
/// The recovery of region 2 failed here.
#[rstest]
#[case::unrecovered(FROM, false)]
#[case::recovered(FROM + 1024, true)]
fn a_log_need_not_be_told_of_a_dirty_region(#[case] sector: u64, #[case] told: bool) {
    let mut case = case(Op::Write, vec![]);
    case.other_faults.push(OtherFault {
        disk: Place::Leg,
        during: During::SetUp,
        fault: fault(1, Op::Write),
    });
    if let Stack::Raid1(mirror) = &mut case.stack {
        (mirror.log, mirror.sync) = (Log::Disk, Sync::Synced);
    }
    let mut seen = observe(&case);
    for entry in &mut seen.journal {
        entry.sector = entry.sector - FROM + sector;
    }
    let verdict = judge(&case, &seen);
    let mut texts = verdict.differences.iter().map(|found| &found.text);
    let early = texts.any(|text| text.contains("before the log knew"));
    assert_eq!(early, told, "{verdict:#?}");
}

/// A region in which a leg missed a write (region 2 here) must not be clean in
/// the log.
#[rstest]
#[case::dirty(128, &[0, 1, 3], Outcome::Pass)]
#[case::clean(128, &[0, 1, 2, 3], Outcome::Fail)]
#[case::no_log(0, &[], Outcome::Fail)]
fn a_disk_log_does_not_forget_a_failed_write(
    #[case] regions: u64,
    #[case] clean: &[u64],
    #[case] outcome: Outcome,
) {
    let mut case = case(Op::Write, vec![fault(1, Op::Write)]);
    if let Stack::Raid1(mirror) = &mut case.stack {
        (mirror.log, mirror.keep_log) = (Log::Disk, true);
    }
    let mut seen = observe(&case);
    write_log_first(&mut seen);
    seen.log = Some(DirtyLog {
        regions,
        clean: clean.to_vec(),
    });
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, outcome, "{verdict:#?}");
    let named = verdict.reason.contains("the log on its disk");
    assert_eq!(named, outcome == Outcome::Fail, "{verdict:#?}");
}

/// The log of a mirror that was repaired belongs to another table, which has
/// recovered what the first one missed. Nothing is known of a log that is not
/// at rest.
#[rstest]
#[case::repaired(by(|seen| seen.repair = Some(halfway_case::observation::Repair {
    status: seen.status.clone().unwrap(), interventions: Vec::new(), io: seen.io.clone().unwrap() })))]
#[case::not_taken_down(by(|seen| seen.liveness = Liveness::Dirty("busy".into())))]
fn a_log_is_only_read_at_rest(#[case] tamper: Tamper) {
    let mut case = case(Op::Write, vec![fault(1, Op::Write)]);
    if let Stack::Raid1(mirror) = &mut case.stack {
        (mirror.log, mirror.keep_log) = (Log::Disk, true);
    }
    let mut seen = observe(&case);
    seen.log = Some(DirtyLog {
        regions: 128,
        clean: vec![0, 1, 2, 3],
    });
    let of_log = |seen: &Observation| {
        let verdict = judge(&case, seen);
        let mut found = verdict.differences.into_iter();
        found.any(|found| found.text.contains("the log on its disk"))
    };
    assert!(of_log(&seen));
    tamper(&mut seen);
    assert!(!of_log(&seen));
}

/// Columns: which legs are flushed, and when: after the data, before them, only
/// the other leg, or never.
#[rstest]
#[case::flushed(&[0, 1], 1000, Outcome::Pass)]
#[case::failed_leg_does_not_count(&[0], 1000, Outcome::Pass)]
#[case::too_early(&[0, 1], 0, Outcome::Fail)]
#[case::elsewhere(&[1], 1000, Outcome::Fail)]
#[case::never(&[], 1000, Outcome::Fail)]
fn what_must_be_durable_is_flushed(
    #[case] legs: &[u8],
    #[case] order: u64,
    #[case] outcome: Outcome,
) {
    let mut case = case(Op::Write, vec![fault(1, Op::Write)]);
    case.io.dsync = true;
    let mut seen = observe(&case);
    for entry in &mut seen.journal {
        entry.order += 1;
    }
    for &leg in legs {
        let mut flush = seen.journal[0];
        (flush.order, flush.member, flush.layer) = (order, Member::Leg(leg), Layer::Medium);
        (flush.command, flush.result) = (Command::Flush, Some(0));
        seen.journal.push(flush);
    }
    let verdict = judge(&case, &seen);
    assert_eq!(verdict.outcome, outcome, "{verdict:#?}");
}

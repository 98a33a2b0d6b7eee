//! Cases on machines.
//!
//! Each job has one machine at a time and takes cases from a common queue. A
//! crash, a hang or a stack that cannot be taken down ends the machine, not the
//! run. An infrastructure failure is tried once more, on another machine, and so is a
//! case that showed nothing, on the same one.

use super::boots::{self, Try};
use super::event::{Details, Event, Stamped};
use super::manner::Manner;
use super::needs;
use super::perform::perform;
use super::plan::{self, Kind, Plan, PlannedCase, Watch};
use super::refusals::Refusals;
use super::stack;
use super::station::{Blueprint, Station, StationError};
use crate::machine::command::Boot;
use halfway_case::Case;
use halfway_case::observation::{KernelText, Liveness, Member, Observation};
use halfway_case::{Outcome, Verdict};
use halfway_oracle::{Unfit, model};
use halfway_protocol::facility::Facility;
use halfway_protocol::io::IoState;
use halfway_protocol::message::{KernelMessage, Target};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{mpsc, watch};

/// How often a case is tried while the infrastructure fails, or nothing is shown: a
/// busy host lets a request come too late, or two of them together.
const ATTEMPTS: u32 = 2;

/// Why a run was given up. What was judged before is in the events.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No machine could be had.
    #[error("no machine could be had after {attempts} attempt(s): {source}")]
    NoMachine {
        /// How many were made.
        attempts: u32,
        /// What the last one failed with.
        source: StationError,
    },
}

/// A case that waits for a machine.
struct Queued {
    case: Case,
    /// Why it cannot be judged, if it cannot.
    unfit: Option<Unfit>,
    attempt: u32,
    /// What was judged of it before it was queued again to be watched.
    unwatched: Option<Judged>,
}

impl Queued {
    fn new(planned: PlannedCase) -> Self {
        Queued {
            case: planned.case,
            unfit: planned.unfit,
            attempt: 1,
            unwatched: None,
        }
    }
}

/// What came of a case.
#[derive(Clone)]
struct Judged {
    verdict: Verdict,
    details: Option<Arc<Details>>,
}

struct Shared {
    /// What is run; its cases have gone to the queue.
    plan: Plan,
    overview: Overview,
    queue: RefCell<VecDeque<Queued>>,
    events: mpsc::UnboundedSender<Stamped>,
    stop: watch::Receiver<bool>,
    started: Instant,
    machines: Cell<u32>,
    tally: RefCell<BTreeMap<Outcome, u64>>,
    /// Whether it has been said that bios cannot be watched.
    said_unwatched: Cell<bool>,
    refusals: RefCell<Refusals>,
    /// What the guests' kernel was built without; unknown before the first hello.
    lacking: RefCell<Option<Vec<Facility>>>,
    /// What kernels complained of when no case was run, as it has been said.
    complaints: RefCell<BTreeSet<String>>,
}

impl Shared {
    fn say(&self, event: Event) {
        let at_ms = self.started.elapsed().as_millis() as u64;
        // Nobody listens any more when the run is being thrown away.
        let _ = self.events.send(Stamped { at_ms, event });
    }

    fn stopped(&self) -> bool {
        *self.stop.borrow()
    }

    fn count(&self, outcome: Outcome) {
        *self.tally.borrow_mut().entry(outcome).or_default() += 1;
    }

    /// Whether the whole plan is for machines of that kind.
    fn is_all_on(&self, kind: Kind) -> bool {
        let mut kinds = self.overview.kinds.iter();
        kinds.all(|(one, _)| *one == kind)
    }

    /// Why this kernel cannot serve a case, as far as that is known.
    fn lacks(&self, case: &Case) -> Option<String> {
        let lacking = self.lacking.borrow();
        let mut needed = needs::facilities(case).into_iter();
        let lacked = needed.find(|facility| lacking.iter().flatten().any(|one| one == facility));
        lacked.map(needs::lacks)
    }

    /// Hears from the first machine what the kernel of all was built without, and says
    /// once which cases that concerns.
    fn learn(&self, lacking: &[Facility]) {
        if self.lacking.borrow().is_some() {
            return;
        }
        *self.lacking.borrow_mut() = Some(lacking.to_vec());
        for facility in lacking {
            if let Some(count) = self.overview.facilities.get(facility) {
                let text = format!("{} ({count} cases are skipped)", needs::lacks(*facility));
                self.say(Event::Note { text });
            }
        }
    }

    /// Takes the cases for machines of that kind out of the queue.
    fn take_all_on(&self, kind: Kind) -> Vec<Case> {
        let mut queue = self.queue.borrow_mut();
        let all = std::mem::take(&mut *queue);
        let (lost, left) = all
            .into_iter()
            .partition::<VecDeque<_>, _>(|queued| Kind::of(&queued.case) == kind);
        *queue = left;
        lost.into_iter().map(|queued| queued.case).collect()
    }
}

/// What must be known of all cases of a plan, whichever of them are still to be run.
struct Overview {
    /// How many there are.
    cases: usize,
    /// The kinds of machines, in the order in which the cases name them first, with the
    /// disks that each needs.
    kinds: Vec<(Kind, Vec<(Member, u64)>)>,
    /// How many cases need each facility of a kernel.
    facilities: BTreeMap<Facility, usize>,
    /// The table of a stack that serves any of them.
    spare: Option<Target>,
}

impl Overview {
    fn of(cases: &[PlannedCase]) -> Self {
        let mut by_kind: Vec<(Kind, Vec<&Case>)> = Vec::new();
        let mut facilities = BTreeMap::new();
        for PlannedCase { case, .. } in cases {
            let kind = Kind::of(case);
            match by_kind.iter_mut().find(|(one, _)| *one == kind) {
                Some((_, alike)) => alike.push(case),
                None => by_kind.push((kind, vec![case])),
            }
            for facility in needs::facilities(case) {
                *facilities.entry(facility).or_default() += 1;
            }
        }
        Overview {
            cases: cases.len(),
            kinds: (by_kind.into_iter())
                .map(|(kind, cases)| (kind, plan::members(cases)))
                .collect(),
            facilities,
            spare: stack::spare(cases.iter().map(|planned| &planned.case)),
        }
    }

    fn place(&self, kind: Kind) -> Option<usize> {
        self.kinds.iter().position(|(one, _)| *one == kind)
    }

    /// The disks that a machine of this kind needs.
    fn members(&self, kind: Kind) -> &[(Member, u64)] {
        let at = self.place(kind);
        at.map_or(&[], |at| &self.kinds[at].1)
    }
}

/// A case for which there is no machine.
fn without_machine(shared: &Shared, case: Case, outcome: Outcome, reason: String) {
    const NONE: u32 = 0;
    shared.count(outcome);
    shared.say(Event::CaseStarted {
        id: case.id.clone(),
        machine: NONE,
        attempt: 1,
    });
    let keep = outcome != Outcome::Skipped || shared.plan.record_all;
    shared.say(Event::CaseFinished {
        id: case.id.clone(),
        scenario: case.scenario.clone(),
        machine: NONE,
        attempt: 1,
        retried: false,
        verdict: Verdict::bare(outcome, reason),
        millis: 0,
        details: keep.then(|| {
            Arc::new(Details {
                case,
                observation: None,
                console: String::new(),
            })
        }),
    });
}

/// Runs a plan. `events` hears everything; `stop` turned true ends the run
/// after the cases in flight. Must be called within a `LocalSet`.
pub async fn run(
    mut plan: Plan,
    events: mpsc::UnboundedSender<Stamped>,
    stop: watch::Receiver<bool>,
) -> Result<BTreeMap<Outcome, u64>, RunError> {
    let overview = Overview::of(&plan.cases);
    let jobs = plan.jobs.clamp(1, overview.cases.max(1));
    let cases = std::mem::take(&mut plan.cases);
    let shared = Rc::new(Shared {
        queue: RefCell::new(by_kind(cases, &overview)),
        overview,
        events,
        stop,
        started: Instant::now(),
        machines: Cell::new(0),
        tally: RefCell::default(),
        said_unwatched: Cell::default(),
        refusals: RefCell::default(),
        lacking: RefCell::default(),
        complaints: RefCell::default(),
        plan,
    });
    let cases = shared.overview.cases as u64;
    shared.say(Event::RunStarted {
        cases,
        whole: shared.plan.whole,
    });
    for text in &shared.plan.notes {
        let text = text.clone();
        shared.say(Event::Note { text });
    }

    let workers: Vec<_> = (0..jobs)
        .map(|_| tokio::task::spawn_local(work(Rc::clone(&shared))))
        .collect();
    let mut result = Ok(());
    for worker in workers {
        match worker.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => result = Err(error),
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
    let tally = shared.tally.borrow().clone();
    let judged: u64 = tally.values().sum();
    shared.say(Event::RunFinished {
        tally: tally.clone(),
        millis: shared.started.elapsed().as_millis() as u64,
        interrupted: judged < cases,
    });
    result.map(|()| tally)
}

/// The cases of one kind of machine together, since they share machines, and the
/// kinds in the order in which the cases name them first.
fn by_kind(mut cases: Vec<PlannedCase>, overview: &Overview) -> VecDeque<Queued> {
    cases.sort_by_cached_key(|planned| overview.place(Kind::of(&planned.case)));
    cases.into_iter().map(Queued::new).collect()
}

/// A station with its number in the run.
struct Placed {
    station: Station,
    number: u32,
    kind: Kind,
}

async fn work(shared: Rc<Shared>) -> Result<(), RunError> {
    let mut placed: Option<Placed> = None;
    loop {
        if shared.stopped() {
            break;
        }
        let Some(queued) = shared.queue.borrow_mut().pop_front() else {
            break;
        };
        if let Some(why) = queued.unfit {
            without_machine(&shared, queued.case, Outcome::Skipped, why.to_string());
            continue;
        }
        if let Some(why) = shared.lacks(&queued.case) {
            without_machine(&shared, queued.case, Outcome::Skipped, why);
            continue;
        }
        if let Some(why) = shared.refusals.borrow().why_not(&queued.case) {
            without_machine(&shared, queued.case, Outcome::Inconclusive, why);
            continue;
        }
        let kind = Kind::of(&queued.case);
        let controller = kind.fitting.controller;
        let boot = match (shared.plan.images).boot(&shared.plan.boot, &queued.case) {
            Ok(boot) => boot,
            Err(why) => {
                without_machine(&shared, queued.case, Outcome::Skipped, why.to_string());
                continue;
            }
        };
        if let Some(other) = placed.take_if(|placed| placed.kind != kind) {
            let reason = format!("the next case is on {kind}");
            end(&shared, other, reason, true).await;
        }
        let mut current = match placed.take() {
            Some(current) => current,
            None => match new_machine(&shared, &boot, kind).await {
                Ok(Some(current)) => current,
                Ok(None) => break,
                Err(error) if shared.is_all_on(kind) => {
                    // The others would fare no better.
                    shared.queue.borrow_mut().clear();
                    return Err(error);
                }
                Err(error) => {
                    let reason = error.to_string();
                    for case in std::iter::once(queued.case).chain(shared.take_all_on(kind)) {
                        without_machine(&shared, case, Outcome::Infrastructure, reason.clone());
                    }
                    continue;
                }
            },
        };
        if let Some(why) = shared.lacks(&queued.case) {
            without_machine(&shared, queued.case, Outcome::Skipped, why);
            placed = Some(current);
            continue;
        }
        let why_ended = one_case(&shared, &mut current, queued).await;
        match why_ended {
            None if controller.profile().keeps_reads => {
                let reason = format!("the driver of {controller} remembers what it read");
                end(&shared, current, reason, true).await;
            }
            None => placed = Some(current),
            Some(reason) => end(&shared, current, reason, false).await,
        }
    }
    if let Some(current) = placed {
        end(&shared, current, "no case is left".to_owned(), true).await;
    }
    Ok(())
}

async fn end(shared: &Shared, mut placed: Placed, reason: String, expected: bool) {
    if expected && let Ok(text) = placed.station.kernel_text().await {
        say_complaint(shared, &text, placed.number, "after its last case");
    }
    placed.station.machine.end().await;
    shared.say(Event::MachineEnded {
        machine: placed.number,
        reason,
        expected,
    });
}

/// Boots a machine, or says why not; `None` when the run was stopped meanwhile.
async fn new_machine(shared: &Shared, boot: &Boot, kind: Kind) -> Result<Option<Placed>, RunError> {
    let blueprint = Blueprint {
        boot,
        fitting: kind.fitting,
        members: shared.overview.members(kind),
        patience: shared.plan.patience,
        spare: shared.overview.spare.clone(),
        shell: false,
    };
    // Each try is a machine of its own.
    let number = Cell::new(0);
    let hear = |told| match told {
        Try::Begins => {
            number.set(shared.machines.get() + 1);
            shared.machines.set(number.get());
        }
        Try::Starting(command) => shared.say(Event::MachineStarting {
            machine: number.get(),
            command,
        }),
        Try::Failed(error) => shared.say(Event::MachineEnded {
            machine: number.get(),
            reason: error.to_string(),
            expected: false,
        }),
    };
    let workshop = &shared.plan.workshop;
    let started = boots::start(&blueprint, workshop, || shared.stopped(), hear).await;
    let station = started.map_err(|no| RunError::NoMachine {
        attempts: no.attempts,
        source: no.source,
    })?;
    let Some(station) = station else {
        return Ok(None);
    };
    let number = number.get();
    say_complaint(shared, &station.boot_text, number, "while it came up");
    shared.say(Event::MachineReady {
        machine: number,
        release: station.hello.release.clone(),
        version: station.hello.version.clone(),
        boot_ms: station.boot_time.as_millis() as u64,
    });
    shared.learn(&station.hello.lacking);
    Ok(Some(Placed {
        station,
        number,
        kind,
    }))
}

/// Runs and judges one case. `Some` says why the machine must be ended.
async fn one_case(shared: &Shared, placed: &mut Placed, queued: Queued) -> Option<String> {
    let Queued {
        case,
        unfit: _,
        attempt,
        unwatched,
    } = queued;
    let machine = placed.number;
    shared.say(Event::CaseStarted {
        id: case.id.clone(),
        machine,
        attempt,
    });
    let before = Instant::now();
    let seed = plan::case_seed(shared.plan.seed, &case.id);
    let performed = perform(
        &mut placed.station,
        &case,
        seed,
        Manner {
            deadline: case
                .legs
                .controller
                .profile()
                .deadline(shared.plan.deadline),
            attempt,
            watched: shared.plan.watch == Watch::On || unwatched.is_some(),
            standing: false,
            due: model::due(&case),
        },
    )
    .await;
    let (verdict, observation) = match performed {
        Ok(observation) => (
            halfway_oracle::judge(&case, &observation),
            Some(observation),
        ),
        Err(error) => {
            let reason = format!("the disks failed: {}", chain(&error));
            let verdict = Verdict::bare(Outcome::Infrastructure, reason);
            let said = placed.station.kernel_text().await;
            let crash = said.ok().and_then(|text| text.crash());
            (halfway_oracle::blamed(verdict, crash.as_ref(), ""), None)
        }
    };
    let why_ended = match &observation {
        None => Some(verdict.reason.clone()),
        Some(observation) => must_end(observation).map(|why| format!("{}: {why}", case.id)),
    };
    say_unwatched(shared, observation.as_ref());
    let to_watch = shared.plan.watch == Watch::Failures
        && unwatched.is_none()
        && verdict.outcome.blames_kernel();
    let shows_nothing = matches!(
        verdict.outcome,
        Outcome::Infrastructure | Outcome::Inconclusive
    );
    let retried = to_watch || shows_nothing && attempt < ATTEMPTS && unwatched.is_none();
    if !retried && let Some(seen) = &observation {
        say_refused(shared, &case, seen);
    }
    let keep = |verdict: &Verdict| verdict.outcome != Outcome::Pass || shared.plan.record_all;
    let details = keep(&verdict).then(|| {
        let console = placed.station.machine.console().since(0);
        Arc::new(Details {
            case: case.clone(),
            observation,
            console,
        })
    });
    let mut judged = Judged { verdict, details };
    if retried {
        shared.queue.borrow_mut().push_front(Queued {
            case: case.clone(),
            unfit: None,
            attempt: attempt + 1,
            unwatched: to_watch.then(|| judged.clone()),
        });
    } else {
        if let Some(before) = unwatched {
            judged = of_both(before, judged);
        }
        shared.count(judged.verdict.outcome);
    }
    let Judged { verdict, details } = judged;
    shared.say(Event::CaseFinished {
        id: case.id,
        scenario: case.scenario,
        machine,
        attempt,
        retried,
        verdict,
        millis: before.elapsed().as_millis() as u64,
        details,
    });
    why_ended
}

/// What counts of a case that was run unwatched, and then watched: a failure
/// that does not come again has been one all the same.
fn of_both(unwatched: Judged, watched: Judged) -> Judged {
    if watched.verdict.outcome.blames_kernel() {
        return watched;
    }
    let mut judged = unwatched;
    judged.verdict.evidence.contract = format!(
        "when it was run again to be watched: {}: {}",
        watched.verdict.outcome, watched.verdict.reason
    );
    judged
}

/// Says what the kernel complained of when no case was run, which no case is
/// blamed for.
fn say_complaint(shared: &Shared, text: &KernelText, machine: u32, when: &str) {
    if let Some(crash) = text.crash()
        && shared.complaints.borrow_mut().insert(crash.title.clone())
    {
        let title = crash.title;
        let text = format!("the kernel of machine {machine} complained {when}: {title}");
        shared.say(Event::Note { text });
    }
}

/// Says once in a run that bios cannot be watched.
fn say_unwatched(shared: &Shared, observation: Option<&Observation>) {
    if let Some(Err(refusal)) = observation.and_then(|seen| seen.seen.bios.as_ref())
        && !shared.said_unwatched.replace(true)
    {
        let text = format!("the bio vectors are not watched: {refusal}");
        shared.say(Event::Note { text });
    }
}

/// Notes whether a case's set-up was refused, and says once that no more like it are tried.
fn say_refused(shared: &Shared, case: &Case, seen: &Observation) {
    let mut refusals = shared.refusals.borrow_mut();
    if refusals.note(case, seen.refusal.as_ref())
        && let Some(text) = refusals.why_not(case)
    {
        shared.say(Event::Note {
            text: format!("from here on cases like {} are {text}", case.id),
        });
    }
}

/// Why a machine cannot serve another case after this.
pub fn must_end(seen: &Observation) -> Option<String> {
    match &seen.liveness {
        Liveness::Exited(how) => return Some(format!("QEMU ended ({how})")),
        Liveness::Silent => return Some("the guest no longer answers".to_owned()),
        Liveness::Dirty(why) => return Some(why.clone()),
        Liveness::Alive => {}
    }
    match seen.last_io() {
        Some(IoState::Done(_)) => {}
        // What there was of a stack was taken away.
        None if seen.refusal.is_some() => {}
        _ => return Some("the I/O never came back".to_owned()),
    }
    // A kernel that has warned is no longer a fair judge of the next case.
    let warned = seen.crash().or_else(|| seen.left.crash());
    let warned = warned.map(|crash| crash.title);
    warned.or_else(|| slowed_down(&seen.seen.log))
}

/// Libata takes a disk's queue away and slows its link down once some requests have
/// timed out within minutes (`ata_eh_speed_down` in drivers/ata/libata-eh.c): the next
/// case would find another disk.
fn slowed_down(log: &[KernelMessage]) -> Option<String> {
    const SAID: [&str; 2] = ["NCQ disabled due to excessive errors", "limiting speed to"];
    let said = |message: &&KernelMessage| SAID.iter().any(|said| message.text.contains(said));
    log.iter().find(said).map(|message| message.text.clone())
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// As Linux 6.1 says it.
    #[rstest]
    #[case("ata1.00: NCQ disabled due to excessive errors", true)]
    #[case("ata1.00: limiting speed to UDMA/66:PIO4", true)]
    #[case("ata1.00: configured for UDMA/100", false)]
    fn a_disk_that_libata_slowed_down_is_another_one(#[case] text: &str, #[case] slowed: bool) {
        let message = KernelMessage {
            level: 4,
            text: text.to_owned(),
            micros: 0,
        };
        assert_eq!(slowed_down(&[message]).is_some(), slowed);
    }
}

//! The expectation against the observation.
//!
//! There are many witnesses, and any one of them suffices for a failure. Each
//! has a file of its own here and returns the differences that it saw.

mod answers;
mod completions;
mod content;
mod contract;
mod dirty_log;
mod durable;
mod evidence;
mod fired;
mod given_up;
mod hold;
mod interventions;
mod journal;
mod kernel_log;
mod medium;
mod multipathd;
mod other_faults;
mod pieces;
mod progress;
mod race;
mod requests;
mod soak;
mod state;
mod stop;
mod trace;
mod unplug;
mod words;

#[cfg(test)]
mod tests;

pub use words::entry_words;

use super::controller;
use super::model::{self, Environment, Expectation, races};
use super::units::{self, Unit};
use halfway_case::Case;
use halfway_case::Fault;
use halfway_case::observation::{Command, Entry, Layer, Liveness, Member, Observation};
use halfway_case::verdict::{Difference, LEFT_BEHIND, Outcome, Verdict, Witness};
use halfway_controllers::FailureHandling;
use halfway_crash::Crash;
use halfway_protocol::io::{IoReport, IoState, Op, Path};
use halfway_protocol::trace::Dev;
use halfway_scsi::FaultReport;
use requests::DriverRequest;

/// What all witnesses look at.
struct Scene<'a> {
    case: &'a Case,
    seen: &'a Observation,
    expected: &'a Expectation,
    failure_handling: FailureHandling,
    /// Major and minor number of the kernel release.
    release: (u32, u32),
    /// Faults that wear off before device-mapper sees them.
    absorbed: &'a [Fault],
    crash: Option<Crash>,
}

impl Scene<'_> {
    /// The I/O's report, even if the I/O was complete only after a repair.
    fn report(&self) -> Option<&IoReport> {
        match self.seen.last_io()? {
            IoState::Done(report) => Some(report),
            IoState::Quiet { .. } | IoState::Pending { .. } => None,
        }
    }

    fn dev_of(&self, member: Member) -> Option<Dev> {
        let mut disks = self.seen.disks.iter();
        let found = disks.find(|(other, _)| *other == member);
        found.map(|(_, disk)| disk.dev)
    }

    fn leg_dev(&self, leg: u8) -> Option<Dev> {
        self.dev_of(Member::Leg(leg))
    }

    /// The name of a disk in messages: a leg, and in a nested stack its path
    /// too.
    fn name(&self, disk: u8) -> String {
        match self.case.stack.nested() {
            Some(_) => self.case.stack.disk_name(disk),
            None => format!("leg {disk}"),
        }
    }

    /// The legs to which the media of these disks belong.
    fn legs(&self, disks: &[u8]) -> Vec<u8> {
        let paths = self.case.stack.nested().map_or(1, |paths| paths.count);
        disks.iter().map(|disk| disk / paths).collect()
    }

    /// The requests that the guest's driver sent to one leg, with sectors as on
    /// the dm device.
    fn asked(&self, leg: u8) -> impl Iterator<Item = Entry> + '_ {
        let commands = self.commands(leg);
        let entries: Vec<Entry> = match self.failure_handling.progress {
            false => commands.collect(),
            true => {
                let (told, others): (Vec<Entry>, Vec<Entry>) =
                    commands.partition(|entry| entry.target_reply.is_some());
                let requests = requests::requests_of(&told, self.command_context(leg)).into_iter();
                let requests = requests.map(|one| one.entry());
                requests.chain(others).collect()
            }
        };
        entries.into_iter()
    }

    /// The same requests, with the fate of each part. Only devices that tell
    /// have that.
    fn requests(&self, leg: u8) -> Vec<DriverRequest> {
        let commands: Vec<Entry> = self.commands(leg).collect();
        requests::requests_of(&commands, self.command_context(leg))
    }

    /// How the commands of a leg are to be read.
    fn command_context(&self, leg: u8) -> requests::CommandContext {
        requests::CommandContext {
            offline: self.offline(leg),
            ahead: (self.case.io.op, self.case.io.path) == (Op::Read, Path::Buffered),
        }
    }

    /// Whether a leg was taken offline because it gave no answer.
    fn offline(&self, leg: u8) -> bool {
        let mut faults = self.case.faults.iter().filter(|fault| fault.leg == leg);
        faults.any(|fault| fault.report.is_some_and(FaultReport::is_offline))
    }

    /// The device journal of one leg, with sectors as on the dm device (sectors
    /// before the mirror's start wrap around and match nothing). Flushes,
    /// discards and write-zeroes are only in the medium journal, flushes
    /// together with those that QEMU made by itself.
    fn commands(&self, leg: u8) -> impl Iterator<Item = Entry> + '_ {
        let offset = model::offset(self.case, leg);
        self.seen
            .journal
            .iter()
            .filter(move |entry| {
                let told = match entry.command {
                    Command::Read | Command::Write => Layer::Device,
                    Command::Flush | Command::Discard | Command::WriteZeroes => Layer::Medium,
                };
                entry.member == Member::Leg(leg) && entry.layer == told
            })
            .filter(|entry| !stop::was_repeated(self, entry))
            .map(move |entry| {
                let mut entry = *entry;
                entry.sector = entry.sector.wrapping_sub(offset);
                entry
            })
            // The recovery's requests are not the I/O's.
            .filter(|entry| {
                let range = Unit {
                    sector: entry.sector,
                    sectors: entry.sectors,
                };
                !races::is_copy(self.case, range)
            })
    }
}

fn difference(witness: Witness, text: impl Into<String>) -> Difference {
    Difference {
        witness,
        text: text.into(),
    }
}

/// Judges a case. A kernel that complained of itself never passes, whatever
/// else was seen, even if nothing was shown or a device model is to blame.
pub fn judge(case: &Case, seen: &Observation) -> Verdict {
    let crash = seen.crash();
    let left = seen.left.crash();
    let verdict = by_witnesses(case, seen, crash.clone());
    let verdict = blamed(verdict, crash.as_ref(), "");
    blamed(verdict, left.as_ref(), LEFT_BEHIND)
}

/// The verdict, changed to one against the kernel if the kernel reported a
/// failure of its own.
pub fn blamed(verdict: Verdict, crash: Option<&Crash>, when: &str) -> Verdict {
    let Some(crash) = crash.filter(|_| !verdict.outcome.blames_kernel()) else {
        return verdict;
    };
    let outcome = match crash.survivable {
        true => Outcome::Fail,
        false => Outcome::Crash,
    };
    let mut differences = vec![kernel_log::complaint(crash, when)];
    if verdict.outcome != Outcome::Pass {
        let text = format!("{}: {}", verdict.outcome, verdict.reason);
        differences.push(difference(Witness::KernelLog, text));
    }
    differences.extend(verdict.differences);
    Verdict {
        outcome,
        reason: format!("{}: {when}{}", Witness::KernelLog, crash.title),
        differences,
        evidence: verdict.evidence,
    }
}

fn by_witnesses(case: &Case, seen: &Observation, crash: Option<Crash>) -> Verdict {
    let environment = Environment {
        release: Environment::release_of(&seen.release),
        dma_alignment: seen
            .dm
            .as_ref()
            .and_then(|(_, limits)| limits.dma_alignment),
        max_segments: (seen.disks.iter())
            .find(|(member, _)| *member == Member::Leg(0))
            .map(|(_, disk)| disk.limits.max_segments)
            .filter(|most| *most > 0),
        refused: answers::are_all(seen, model::EINVAL),
    };
    let units = match &seen.dm {
        Some((dev, _)) => units::with_copies(
            units::traced(&seen.seen.trace, *dev),
            &units::nominal(&case.io.parts(), &case.boundaries()),
        ),
        None => Vec::new(),
    };
    let (case, absorbed) = &controller::as_dm_meets(case);
    let expected = model::expect(case, &environment, &units);
    let scene = Scene {
        case,
        seen,
        expected: &expected,
        failure_handling: controller::failure_handling(case),
        release: environment.release,
        absorbed,
        crash,
    };
    let verdict = |outcome, reason: String, differences| Verdict {
        outcome,
        reason,
        differences,
        evidence: evidence::gather_evidence(&scene),
    };

    let broken = contract::differences(&scene);
    if let Some(crash) = scene.crash.as_ref().filter(|crash| !crash.survivable) {
        let text = difference(Witness::KernelLog, crash.excerpt.clone());
        let differences = [vec![text], broken, soak::told(&scene)].concat();
        return verdict(Outcome::Crash, crash.title.clone(), differences);
    }
    match &seen.liveness {
        Liveness::Exited(how) => {
            if let Some(words) = unplug::abort(&scene) {
                let reason = format!("{} aborts: {words}", case.legs.controller);
                return verdict(Outcome::Finding, reason, Vec::new());
            }
            let reason =
                format!("QEMU ended in mid-case ({how}), and the kernel said nothing of it");
            return verdict(Outcome::Infrastructure, reason, Vec::new());
        }
        Liveness::Silent => {
            let reason = match &scene.crash {
                Some(crash) => format!("the guest no longer answers; it said: {}", crash.title),
                None => "the guest no longer answers, and its kernel said nothing of it".into(),
            };
            let said = kernel_log::differences(&scene);
            return verdict(Outcome::Hang, reason, [said, soak::told(&scene)].concat());
        }
        Liveness::Alive | Liveness::Dirty(_) => {}
    }
    if let Some(refusal) = &seen.refusal {
        let reason = format!("the guest refused the set-up: {refusal}");
        return verdict(Outcome::Inconclusive, reason, Vec::new());
    }
    if case.soak.is_some() {
        let (outcome, reason, differences) = soak::judge(&scene, broken);
        return verdict(outcome, reason, differences);
    }
    if scene.report().is_none() {
        let (reason, mut differences) = state::of_hang(&scene);
        differences.extend(kernel_log::differences(&scene));
        if !broken.is_empty() {
            differences.extend(broken);
            return verdict(Outcome::Hang, reason, differences);
        }
        if let Some(silence) = pieces::silence(&scene) {
            let reason = format!("{} falls silent: {silence}", case.legs.controller);
            return verdict(Outcome::Finding, reason, differences);
        }
        return verdict(Outcome::Hang, reason, differences);
    }

    if broken.is_empty()
        && let Some(reason) = unplug::inconclusive_unplug(&scene)
    {
        return verdict(Outcome::Inconclusive, reason, Vec::new());
    }

    let lies = pieces::lies(&scene);
    if let Some(first) = lies.first()
        && broken.is_empty()
    {
        let honest = without(case, &lies);
        let expected = model::expect(&honest, &environment, &units);
        let told = Scene {
            case: &honest,
            expected: &expected,
            crash: None,
            ..scene
        };
        let mut differences = Vec::new();
        differences.extend(kernel_log::differences(&told));
        differences.extend(answers::differences(&told));
        differences.extend(state::differences(&told));
        if differences.is_empty() {
            differences.extend(content::differences(&scene));
            differences.extend(medium::differences(&scene));
            let reason = format!("{} lies: {}", case.legs.controller, first.words());
            return verdict(Outcome::Finding, reason, differences);
        }
    }

    if broken.is_empty()
        && let Some(reason) = fired::not_injected(&scene)
    {
        return verdict(Outcome::Inconclusive, reason, Vec::new());
    }

    // A broken contract comes first: it is the cause of what else is seen.
    let mut differences = broken;
    differences.extend(kernel_log::differences(&scene));
    differences.extend(answers::differences(&scene));
    differences.extend(content::differences(&scene));
    differences.extend(medium::differences(&scene));
    differences.extend(durable::differences(&scene));
    differences.extend(dirty_log::differences(&scene));
    // An I/O that came back too late may have gone another way, so that comes
    // next.
    differences.extend(interventions::differences(&scene));
    differences.extend(journal::differences(&scene));
    differences.extend(race::differences(&scene));
    differences.extend(state::differences(&scene));
    differences.extend(multipathd::differences(&scene));
    differences.extend(trace::differences(&scene));
    differences.extend(given_up::differences(&scene));
    differences.extend(unplug::differences(&scene));
    if let Some(first) = differences.first() {
        let reason = format!("{}: {}", first.witness, first.text);
        return verdict(Outcome::Fail, reason, differences);
    }
    if let Some(lie) = durable::lie(&scene) {
        let reason = format!("{} lies: {lie}", case.legs.controller);
        return verdict(Outcome::Finding, reason, Vec::new());
    }
    match fired::inconclusive_fault(&scene) {
        Some(reason) => verdict(Outcome::Inconclusive, reason, Vec::new()),
        None => verdict(Outcome::Pass, evidence::shown(&scene), Vec::new()),
    }
}

/// The case as a kernel sees it that believes these lies: without the faults
/// that were not reported to it.
fn without(case: &Case, lies: &[pieces::Lie]) -> Case {
    let mut honest = case.clone();
    honest.faults.retain(|fault| {
        !lies.iter().any(|lie| {
            lie.leg == fault.leg && lie.command == fault.op.into() && lie.told.covers(fault.sector)
        })
    });
    honest
}

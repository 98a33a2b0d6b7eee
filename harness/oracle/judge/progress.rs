//! Legs whose device reports how far each command got: what the guest's kernel
//! made of that report, by its tracepoints.

use super::{DriverRequest, Scene, completions, difference, words};
use crate::units::Unit;
use halfway_case::observation::{Command, Entry};
use halfway_case::verdict::{Difference, Witness};
use halfway_case::{Fault, Times};
use halfway_protocol::io::Op;
use halfway_scsi::FaultReport;
use std::fmt::Write;

/// What the guest took for done was done, what it took for failed was not, and
/// it saw an end of everything that was asked for.
///
/// A kernel that fails more of a request than it must wastes time but no data.
/// That is no difference here; [`not_shown`] then says that nothing was tested.
pub fn beliefs(scene: &Scene<'_>, leg: u8) -> Option<Difference> {
    let requests = scene.requests(leg);
    let moves = |command| matches!(command, Command::Read | Command::Write);
    let completions: Vec<_> = completions::completions(scene, leg)
        .filter(|seen| moves(seen.command))
        .collect();
    let told = |text: String| {
        Some(difference(
            Witness::Trace,
            format!("{}: {text}", scene.name(leg)),
        ))
    };
    let covers = |command: Command, done: bool, sector: u64| {
        let of_command = requests.iter().filter(move |one| one.command == command);
        let mut parts = of_command.flat_map(|one| one.parts.iter());
        parts.any(|(part, was_done)| *was_done == done && part.covers(sector))
    };
    for seen in &completions {
        let command = seen.command;
        let mut sectors = seen.range.sector..seen.range.end();
        if seen.ok {
            if let Some(sector) = sectors.find(|sector| !covers(command, true, *sector)) {
                return told(format!(
                    "the guest saw {seen} end well, and the device did not do sector {sector}"
                ));
            }
        } else if !sectors.any(|sector| covers(command, false, sector)) {
            return told(format!(
                "the guest saw {seen} fail, and the device failed nothing of it"
            ));
        }
    }
    let moved = requests.iter().filter(|one| moves(one.command));
    for one in moved {
        let ends = completions
            .iter()
            .filter(|seen| seen.command == one.command);
        let ends = ends.map(|seen| seen.range);
        let ends: Vec<Unit> = ends.chain(not_failed(scene, leg, one)).collect();
        let mut sectors = one.range.sector..one.range.end();
        let unseen = sectors.find(|sector| {
            let same = requests.iter().filter(|other| {
                other.command == one.command
                    && other.result.is_some()
                    && other.range.covers(*sector)
            });
            ends.iter().filter(|end| end.covers(*sector)).count() < same.count().max(1)
        });
        if let Some(sector) = unseen {
            return told(format!(
                "the device ended {}+{}, and the guest saw no end of sector {sector}",
                one.range.sector, one.range.sectors
            ));
        }
    }
    None
}

/// The part of a failed request that the kernel took back and sent again. If a
/// request was merged of bios with different failfast bits, the kernel fails it
/// only up to the end of those that are like the first (`blk_rq_err_bytes`,
/// which `scsi_io_completion_action` calls).
fn not_failed(scene: &Scene<'_>, leg: u8, failed: &DriverRequest) -> Option<Unit> {
    let ends_with = |sector: u64| {
        let mut ends = completions::completions(scene, leg).filter(|seen| !seen.ok);
        ends.any(|seen| seen.command == failed.command && seen.range.end() == sector)
    };
    completions::handed_back(scene, leg)
        .filter(|back| back.command == failed.command && back.range.lies_in(failed.range))
        .map(|back| back.range)
        .find(|back| back.end() == failed.range.end() && ends_with(back.sector))
}

/// Why it is not shown that the kernel met the fault as it should. The device
/// must have got exactly as far as the fault lets it, and the tracepoints must
/// show a completion of that much and then the fate of the rest.
pub fn not_shown(scene: &Scene<'_>, fault: &Fault) -> Option<String> {
    if !scene.failure_handling.progress {
        return None;
    }
    let what = format!(
        "the fault on {} at sector {}",
        scene.name(fault.leg),
        fault.sector
    );
    let requests = scene.requests(fault.leg);
    let met = |one: &&DriverRequest| {
        one.command == Command::from(fault.op) && one.range.covers(fault.sector)
    };
    let Some(met) = requests.iter().find(met) else {
        return Some(format!("{what} was met by no request"));
    };
    if fault.times == Times::Always
        && let Some(reason) = not_exact(scene, fault)
    {
        return Some(format!("{what}: {reason}"));
    }
    let progress = met.progress();
    let range = met.range;
    let ends: Vec<(u64, u64, bool)> = completions::completions(scene, fault.leg)
        .filter(|seen| seen.range.lies_in(range) && seen.command == met.command)
        .map(|seen| (seen.range.sector, seen.range.sectors, seen.ok))
        .collect();
    let partial = progress > 0 && fault.completes_progress(scene.release);
    let ok = met.result == Some(0);
    let end = not_failed(scene, fault.leg, met).map_or(range.end(), |rest| rest.sector);
    let sectors = end - range.sector;
    let wanted = match partial {
        true => vec![
            (range.sector, progress, true),
            (range.sector + progress, sectors - progress, ok),
        ],
        false => vec![(range.sector, sectors, ok)],
    };
    let shown = ends.windows(wanted.len()).any(|ends| *ends == wanted);
    (!shown).then(|| {
        let list = |ends: &[(u64, u64, bool)]| {
            let words = ends.iter().map(|(sector, sectors, ok)| {
                let result = if *ok { "ok" } else { "failed" };
                format!("{sector}+{sectors} {result}")
            });
            words.collect::<Vec<_>>().join(", ")
        };
        format!(
            "{what} was to make the guest complete {}, and its tracepoints show {}",
            list(&wanted),
            list(&ends)
        )
    })
}

/// A target that moves more or less than the blocks before the bad one plays
/// another fault.
fn not_exact(scene: &Scene<'_>, fault: &Fault) -> Option<String> {
    let block = scene.case.legs.block();
    let of_leg = scene.case.faults.iter().filter(|other| {
        other.leg == fault.leg && other.op == fault.op && other.times == Times::Always
    });
    let reads = fault.op == Op::Read;
    let hit = |entry: &Entry, fault: &Fault| {
        let end = entry.sector.saturating_add(entry.sectors);
        (entry.sector..end).contains(&fault.sector)
    };
    let located = fault
        .report
        .and_then(|report| report.answer())
        .is_some_and(|answer| answer.moves_what_is_good(reads));
    // An HBA that is gone does nothing of any command.
    let lost = fault.report.is_some_and(FaultReport::is_gone);
    let mut commands = scene
        .commands(fault.leg)
        .filter(|entry| entry.command == Command::from(fault.op) && hit(entry, fault))
        .take(if lost { 1 } else { usize::MAX });
    let wrong = commands.find(|entry| {
        let first = of_leg
            .clone()
            .filter(|other| hit(entry, other))
            .map(|other| (other.sector - entry.sector) / block * block)
            .min();
        let expected = if located { first } else { Some(0) };
        entry.target_reply.map(|told| told.good) != expected
    })?;
    Some(format!(
        "the target did another part of it: {}",
        words::entry_words(&wrong)
    ))
}

/// How far a leg got before it failed, in words.
pub fn progress_words(scene: &Scene<'_>, leg: u8) -> String {
    let mut text = String::new();
    for one in scene.requests(leg).iter().filter(|one| one.progress() > 0) {
        let _ = write!(
            text,
            ", {} of {} sectors done before",
            one.progress(),
            one.range.sectors
        );
    }
    text
}

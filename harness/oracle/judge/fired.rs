//! Did the fault fire as the case asks? If not, nothing was tested.

use super::{Scene, contract, hold, journal, multipathd, other_faults, progress, stop, words};
use crate::units::Unit;
use crate::{controller, model};
use halfway_case::observation::{Command, Entry, Layer, Member};
use halfway_case::{Fault, OnError, Times};
use halfway_protocol::io::Op;
use halfway_protocol::trace::Kind;
use halfway_scsi::Reply;

/// Why the case proves nothing; `None` if it proves something.
pub fn inconclusive_fault(scene: &Scene<'_>) -> Option<String> {
    if scene.expected.refused {
        let nothing = journal::is_empty(scene);
        return (!nothing).then(|| "the kernel refused the I/O, and a leg saw it".to_owned());
    }
    if scene.seen.seen.lost > 0 {
        return Some(format!("{} trace events were lost", scene.seen.seen.lost));
    }
    if scene.expected.units.is_empty() {
        return Some("the tracepoints show no bio on the dm device".to_owned());
    }
    if scene.expected.fires.is_empty() && !scene.case.faults.is_empty() && !absorbs(scene) {
        return Some("no fault of this case can fire: no leg is asked for a bad sector".to_owned());
    }
    if let Some(reason) = hold::inconclusive_hold(scene) {
        return Some(reason);
    }
    let faults = scene
        .expected
        .fires
        .iter()
        .map(|index| &scene.case.faults[*index]);
    // A failure that stopped the machine never reached the driver, so the
    // driver has absorbed none.
    let told = scene.case.legs.on_error == OnError::Report;
    let absorbed = scene.absorbed.iter().filter(|_| told);
    (stop::inconclusive_stops(scene))
        .or_else(|| multipathd::inconclusive_multipathd(scene))
        .or_else(|| other_faults::missed(scene))
        .or_else(|| {
            let mut faults = faults.into_iter().filter(|fault| !is_spared(scene, fault));
            faults.find_map(|fault| not_fired(scene, fault))
        })
        .or_else(|| absorbed.into_iter().find_map(|fault| not_met(scene, fault)))
        .or_else(|| unrelieved(scene))
        .or_else(|| contract::unchecked(scene))
}

/// Whether a driver met a fault that its retries absorb, so that device-mapper
/// does not see it.
fn absorbs(scene: &Scene<'_>) -> bool {
    let met = |fault: &Fault| scene.commands(fault.leg).any(|entry| hits(&entry, fault));
    scene.absorbed.iter().any(met)
}

/// A leg or path that has failed at one bad sector need not be asked for another, but for
/// read-ahead, which meets both.
fn is_spared(scene: &Scene<'_>, fault: &Fault) -> bool {
    let other = |other: &&Fault| {
        let same = (other.leg, other.op) == (fault.leg, fault.op);
        same && other.sector != fault.sector && fault.op != Op::Flush
    };
    let others = || scene.case.faults.iter().filter(other);
    let of_others = |entry: &Entry| others().any(|other| hits(entry, other));
    let ahead = controller::is_ahead(scene.case, fault);
    let mut asked = scene.asked(fault.leg).filter(|entry| hits(entry, fault));
    let was_asked = asked.any(|entry| !(ahead && of_others(&entry)));
    let failed = |entry: &Entry| entry.result.is_some_and(|result| result != 0);
    let mut all = scene.asked(fault.leg);
    !was_asked && all.any(|entry| failed(&entry) && of_others(&entry))
}

/// A fault that wears off beneath device-mapper must have been met all the same
/// if its leg was asked.
fn not_met(scene: &Scene<'_>, fault: &Fault) -> Option<String> {
    let mut answers = scene
        .commands(fault.leg)
        .filter(|entry| hits(entry, fault))
        .peekable();
    let first = *answers.peek()?;
    let missed = first.target_reply.is_none() && first.result == Some(0);
    if missed || answers.all(|entry| entry.result == Some(0)) {
        return Some(format!(
            "the fault on {} at sector {} did not fire, and its driver had nothing to repeat",
            scene.name(fault.leg),
            fault.sector
        ));
    }
    progress::not_shown(scene, fault)
}

/// Why the case was not played as asked: a leg was asked for a bad sector and
/// did not fail, or a request that was to be held did not come as a request of
/// its own (the block layer may have merged it). What else is seen then belongs
/// to another case.
pub fn not_injected(scene: &Scene<'_>) -> Option<String> {
    // Of an I/O that the kernel refuses there is nothing to hold.
    let expects_holds = !scene.case.holds.is_empty() && !scene.expected.refused;
    if expects_holds && scene.seen.meanwhile.is_none() {
        return hold::inconclusive_hold(scene);
    }
    let faults = scene
        .expected
        .fires
        .iter()
        .map(|index| &scene.case.faults[*index]);
    // A flush that was never sent is for the other witnesses to find.
    let mut faults = faults.into_iter().filter(|fault| fault.op != Op::Flush);
    faults.find_map(|fault| {
        let mut answers = scene.asked(fault.leg).filter(|entry| hits(entry, fault));
        let first = answers.next().filter(|entry| entry.result == Some(0))?;
        answers.all(|entry| entry.result == Some(0)).then(|| {
            format!(
                "the fault on {} at sector {} did not fire: the leg answered {}",
                scene.name(fault.leg),
                fault.sector,
                words::entry_words(&first)
            )
        })
    })
}

/// Each command without an answer must have been given back by a reset of its
/// disk.
fn unrelieved(scene: &Scene<'_>) -> Option<String> {
    let told = scene
        .seen
        .journal
        .iter()
        .filter_map(|entry| entry.target_reply);
    let unanswered = told.filter(|told| told.answer == Reply::Nothing).count();
    let resets = scene.seen.unit_resets.len();
    (unanswered != resets).then(|| {
        format!("{unanswered} commands were not answered, and disks were reset {resets} times")
    })
}

/// Whether a request failed only by faults that wear off while its driver
/// retries. The request's sectors are those of the dm device.
pub fn is_absorbed(scene: &Scene<'_>, entry: &Entry) -> bool {
    let by = |fault: &Fault| entry.member == Member::Leg(fault.leg) && hits(entry, fault);
    scene.absorbed.iter().any(by) && !scene.case.faults.iter().any(by)
}

/// Whether the fault fails this request. The request's sectors are those of the
/// dm device.
fn hits(entry: &Entry, fault: &Fault) -> bool {
    entry.command == fault.op.into() && fault.meets(fault.op, entry.sector, entry.sectors)
}

/// Why a fault of flushes did not fire; a flush has no sectors.
fn flush_not_fired(scene: &Scene<'_>, fault: &Fault) -> Option<String> {
    let what = format!("the fault of flushes on leg {}", fault.leg);
    let failed = |entry: &Entry| {
        entry.command == Command::Flush && entry.result.is_some_and(|result| result != 0)
    };
    if !scene.asked(fault.leg).any(|entry| failed(&entry)) {
        return Some(format!("{what} did not fire: its medium refused none"));
    }
    let dev = scene.leg_dev(fault.leg)?;
    let shown = scene.seen.seen.trace.iter().any(|event| {
        event.kind == Kind::RqComplete
            && event.dev == dev
            && event.error != 0
            && event.rwbs.contains('F')
    });
    (!shown).then(|| format!("{what} fired on the host, and no tracepoint of the guest shows it"))
}

fn not_fired(scene: &Scene<'_>, fault: &Fault) -> Option<String> {
    if fault.op == Op::Flush {
        return flush_not_fired(scene, fault);
    }
    let what = format!(
        "the fault on {} at sector {}",
        scene.name(fault.leg),
        fault.sector
    );
    let command = Command::from(fault.op);
    let asked: Vec<Entry> = scene
        .asked(fault.leg)
        .filter(|entry| hits(entry, fault))
        .collect();
    let is_failed = |entry: &&Entry| entry.result.is_some_and(|result| result != 0);
    let Some(failed) = asked.first().filter(is_failed) else {
        return Some(format!(
            "{what} did not fire: the leg's journal shows no error there, or not the first time"
        ));
    };
    // Another fault may have answered the request.
    let answering = |entry: &Entry| {
        let range = Unit {
            sector: entry.sector,
            sectors: entry.sectors,
        };
        controller::met(scene.case, fault.op, fault.leg, range).unwrap_or(fault)
    };
    let attempts = asked.iter().map(answering);
    let attempts = attempts.map(|fault| controller::asked_at_least(scene.case, fault));
    let attempts = attempts.min().unwrap_or(1);
    let failures = asked.iter().filter(is_failed).count();
    if failures < attempts as usize {
        return Some(format!(
            "{what} fired {failures} time(s), and its driver gives up after {attempts}"
        ));
    }

    let offset = model::offset(scene.case, fault.leg);
    let dev = scene.leg_dev(fault.leg)?;
    let completions = || {
        scene.seen.seen.trace.iter().filter(move |event| {
            event.kind == Kind::RqComplete && event.dev == dev && event.sectors > 0
        })
    };
    let shown = completions().any(|event| {
        event.error != 0
            && (event.sector..event.sector.saturating_add(event.sectors))
                .contains(&(fault.sector + offset))
    });
    if !shown {
        return Some(format!(
            "{what} fired on the host ({}), and no tracepoint of the guest shows it",
            words::entry_words(failed)
        ));
    }
    if scene.expected.partial && !completions().any(|event| event.error == 0) {
        return Some(format!(
            "{what} was to leave other pieces complete, and no tracepoint shows one"
        ));
    }
    if let Some(reason) = progress::not_shown(scene, fault) {
        return Some(reason);
    }
    if let Some(reason) = not_torn(scene, fault, failed).or_else(|| not_in_part(scene, fault)) {
        return Some(format!("{what} fired, and {reason}"));
    }
    // blkdebug refuses a request before it forwards it, so the medium beneath
    // it must have seen nothing of the refused request. (A short answer of the
    // target is a successful one, and left out.)
    let let_through = scene.seen.journal.iter().find(|entry| {
        entry.target_reply.is_none()
            && entry.member == Member::Leg(fault.leg)
            && entry.command == command
            && entry.result == Some(0)
            && (entry.sector..entry.sector.saturating_add(entry.sectors))
                .contains(&(fault.sector + offset))
            && fault.times == Times::Always
    });
    let_through.map(|entry| {
        format!(
            "{what} fired, and yet there was {}",
            words::entry_words(entry)
        )
    })
}

/// Why a transfer was not torn as it should be: a disk that moves some sectors
/// at a time must have done everything before the failing piece of the request,
/// and nothing behind it.
fn not_torn(scene: &Scene<'_>, fault: &Fault, failed: &Entry) -> Option<String> {
    let step = u64::from(scene.case.legs.max_transfer?);
    if !matches!(fault.op, Op::Read | Op::Write) {
        return None;
    }
    // With several bad sectors the disk stops at the first.
    let bad = (scene.case.faults.iter())
        .filter(|other| other.leg == fault.leg && hits(failed, other))
        .map(|other| other.sector);
    let first = bad.fold(fault.sector, u64::min);
    let done = (first - failed.sector) / step * step;
    if done == 0 || fault.times != Times::Always {
        return None;
    }
    none_done(scene, fault, failed.sector, done)
}

/// Why a request was not done in part as it should be: a driver that goes step
/// by step must have done all steps before the one that failed, counted from
/// the start of what device-mapper asked for.
fn not_in_part(scene: &Scene<'_>, fault: &Fault) -> Option<String> {
    let step = scene.failure_handling.step?;
    let mut units = scene.expected.units.iter().map(|expected| expected.unit);
    let unit = units.find(|unit| unit.covers(fault.sector))?;
    let done = (fault.sector - unit.sector) / step * step;
    if done == 0 || fault.times != Times::Always {
        return None;
    }
    none_done(scene, fault, unit.sector, done)
}

/// Whether nothing of `sectors` from `sector` on reached the fault's medium.
fn none_done(scene: &Scene<'_>, fault: &Fault, sector: u64, sectors: u64) -> Option<String> {
    let first = sector + model::offset(scene.case, fault.leg);
    let command = Command::from(fault.op);
    let mut reached = scene.seen.journal.iter().filter(|entry| {
        entry.layer == Layer::Medium
            && entry.member == Member::Leg(fault.leg)
            && entry.command == command
            && (first..first + sectors).contains(&entry.sector)
    });
    reached
        .next()
        .is_none()
        .then(|| format!("none of the {sectors} sectors before it reached the medium"))
}

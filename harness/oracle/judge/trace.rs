//! What the guest's kernel believed, against the host's account.

use super::completions::{Completion, completions, completions_of};
use super::words::command_name;
use super::{Scene, difference, pieces, progress};
use halfway_case::observation::{Command, Layer, Member};
use halfway_case::verdict::{Difference, Witness};
use halfway_protocol::io::{Op, Path};
use halfway_protocol::trace::Kind;

const EOPNOTSUPP: i32 = 95;

pub fn differences(scene: &Scene<'_>) -> Vec<Difference> {
    // A trace with holes proves nothing; `fired` makes the case inconclusive.
    if scene.seen.seen.lost > 0 {
        return Vec::new();
    }
    let mut found = Vec::new();
    found.extend(dm_completion(scene));
    for leg in 0..scene.case.legs.count {
        found.extend(beliefs(scene, leg));
    }
    found.extend(of_log(scene));
    found
}

/// Each end that the guest saw on the log's disk must have happened there, with
/// the same result. The numbers are not compared: the mirror's worker writes
/// its log in its own time.
fn of_log(scene: &Scene<'_>) -> Option<Difference> {
    let ended = |done: &Completion| {
        scene.seen.journal.iter().any(|entry| {
            (entry.member, entry.layer) == (Member::Log, Layer::Device)
                && entry.command == done.command
                && (entry.result == Some(0)) == done.ok
                && (entry.sector, entry.sectors) == (done.range.sector, done.range.sectors)
        })
    };
    let unlike = completions_of(scene, Member::Log, 0).find(|done| !ended(done))?;
    let result = if unlike.ok { "well" } else { "badly" };
    let text = format!("the log: the guest saw {unlike} end {result}, and no such thing happened");
    Some(difference(Witness::Trace, text))
}

/// A bio of the dm device ends with an error exactly if the application was
/// told of an error.
fn dm_completion(scene: &Scene<'_>) -> Option<Difference> {
    let (dm, _) = scene.seen.dm.as_ref()?;
    if scene.case.io.path == Path::Buffered {
        return None;
    }
    // `blkdev_issue_discard` does not return EOPNOTSUPP.
    let kept = |error: i32| scene.case.io.op == Op::Discard && error == -EOPNOTSUPP;
    let failed = scene.seen.seen.trace.iter().find(|event| {
        event.kind == Kind::BioComplete
            && event.dev == *dm
            && event.error != 0
            && !kept(event.error)
    });
    let told = scene.report()?.ops.iter().any(|op| op.result.is_err());
    match failed {
        Some(event) if !told => Some(difference(
            Witness::Trace,
            format!("{event}: a bio of the dm device failed, and the application was not told"),
        )),
        _ => None,
    }
}

/// The guest saw each request on a leg end as the device ended it: what failed
/// there did not succeed in the guest, and nothing was made up.
fn beliefs(scene: &Scene<'_>, leg: u8) -> Option<Difference> {
    if scene.failure_handling.progress {
        // Such a device reports its progress only for reads and writes.
        let others = |command| matches!(command, Command::Discard | Command::WriteZeroes);
        return progress::beliefs(scene, leg).or_else(|| exactly(scene, leg, others));
    }
    if !scene.failure_handling.exact {
        return pieces::beliefs(scene, leg);
    }
    exactly(scene, leg, |command| command != Command::Flush)
}

/// For these commands the guest must have seen exactly the ends that the device
/// gave.
fn exactly(scene: &Scene<'_>, leg: u8, which: impl Fn(Command) -> bool) -> Option<Difference> {
    type Ended = (u64, u64, &'static str, bool);
    let mut believed: Vec<Ended> = completions(scene, leg)
        .filter(|done| which(done.command))
        .map(|done| {
            let name = command_name(done.command);
            (done.range.sector, done.range.sectors, name, done.ok)
        })
        .collect();
    let mut happened: Vec<Ended> = scene
        .asked(leg)
        .filter(|entry| which(entry.command))
        .map(|entry| {
            let name = command_name(entry.command);
            (entry.sector, entry.sectors, name, entry.result == Some(0))
        })
        .collect();
    believed.sort_unstable();
    happened.sort_unstable();
    let words = |&(sector, sectors, name, ok): &Ended| {
        let result = if ok { "ok" } else { "failed" };
        format!("{name} {sector}+{sectors} {result}")
    };
    if believed == happened {
        return None;
    }
    let only =
        |one: &[Ended], other: &[Ended]| one.iter().find(|entry| !other.contains(entry)).map(words);
    let text = match (only(&believed, &happened), only(&happened, &believed)) {
        (Some(guest), Some(host)) => format!("the guest saw {guest}, the device did {host}"),
        (Some(guest), None) => format!("the guest saw {guest}, the device did no such thing"),
        (None, Some(host)) => format!("the device did {host}, the guest saw no such thing"),
        (None, None) => format!(
            "the guest saw {} requests end, the device ended {}",
            believed.len(),
            happened.len()
        ),
    };
    Some(difference(
        Witness::Trace,
        format!("{}: {text}", scene.name(leg)),
    ))
}

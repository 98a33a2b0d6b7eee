//! What the guest's kernel believed, against the host's account.

use super::{Scene, difference, pieces};
use crate::observation::Command;
use crate::oracle::model;
use crate::oracle::units::Unit;
use crate::oracle::verdict::{Difference, Witness};
use halfway_protocol::io::{Op, Path};
use halfway_protocol::trace::Kind;

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
    found
}

/// The dm device's own bios end with an error when and only when the
/// application was told so.
fn dm_completion(scene: &Scene<'_>) -> Option<Difference> {
    let (dm, _) = scene.seen.dm.as_ref()?;
    if scene.case.io.path == Path::Buffered {
        return None;
    }
    let failed = scene
        .seen
        .seen
        .trace
        .iter()
        .find(|event| event.kind == Kind::BioComplete && event.dev == *dm && event.error != 0);
    let told = scene.report()?.ops.iter().any(|op| op.result.is_err());
    match failed {
        Some(event) if !told => Some(difference(
            Witness::Trace,
            format!("{event}: a bio of the dm device failed, and the application was not told"),
        )),
        _ => None,
    }
}

/// A part of a request that a driver ended, on the dm device.
pub struct Completion {
    /// Which sectors.
    pub range: Unit,
    /// Whether it was a write; else it was a read.
    pub write: bool,
    /// Whether it ended well.
    pub ok: bool,
}

impl std::fmt::Display for Completion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let op = if self.write { "write" } else { "read" };
        write!(f, "{op} {}+{}", self.range.sector, self.range.sectors)
    }
}

/// What the guest saw end on a leg.
pub fn completions<'a>(
    scene: &'a Scene<'_>,
    leg: u8,
) -> impl Iterator<Item = Completion> + use<'a> {
    let dev = scene.leg_dev(leg);
    let offset = model::offset(scene.case, leg);
    let events = scene.seen.seen.trace.iter().filter(move |event| {
        event.kind == Kind::RqComplete && Some(event.dev) == dev && event.sectors > 0
    });
    events.filter_map(move |event| {
        let write = match event.rwbs.chars().find(|letter| "RWDF".contains(*letter)) {
            Some('R') => false,
            Some('W') => true,
            _ => return None,
        };
        Some(Completion {
            range: Unit {
                sector: event.sector.wrapping_sub(offset),
                sectors: event.sectors,
            },
            write,
            ok: event.error == 0,
        })
    })
}

/// The guest saw each request on a leg end as the device ended it: what failed
/// there did not succeed here, and nothing was made up.
fn beliefs(scene: &Scene<'_>, leg: u8) -> Option<Difference> {
    if !scene.conduct.exact {
        return pieces::beliefs(scene, leg);
    }
    let mut believed: Vec<(u64, u64, bool, bool)> = completions(scene, leg)
        .map(|done| (done.range.sector, done.range.sectors, done.write, done.ok))
        .collect();
    let mut happened: Vec<(u64, u64, bool, bool)> = scene
        .asked(leg)
        .filter(|entry| matches!(entry.command, Command::Read | Command::Write))
        .map(|entry| {
            let write = entry.command == Command::Write;
            (entry.sector, entry.sectors, write, entry.result == Some(0))
        })
        .collect();
    believed.sort_unstable();
    happened.sort_unstable();
    let words = |&(sector, sectors, write, ok): &(u64, u64, bool, bool)| {
        let op = if write { Op::Write } else { Op::Read };
        let result = if ok { "ok" } else { "failed" };
        format!("{op:?} {sector}+{sectors} {result}").to_lowercase()
    };
    if believed == happened {
        return None;
    }
    let only = |one: &[(u64, u64, bool, bool)], other: &[(u64, u64, bool, bool)]| {
        one.iter().find(|entry| !other.contains(entry)).map(words)
    };
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
    Some(difference(Witness::Trace, format!("leg {leg}: {text}")))
}

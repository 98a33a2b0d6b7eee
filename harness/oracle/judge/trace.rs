//! What the guest's kernel believed, against the host's account.

use super::{Scene, difference, journal, pieces, progress};
use crate::model;
use crate::units::Unit;
use halfway_case::observation::{Command, Layer, Member};
use halfway_case::verdict::{Difference, Witness};
use halfway_protocol::io::{Op, Path};
use halfway_protocol::trace::{Kind, TraceEvent};

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

/// A part of a request that a driver ended, or that the kernel took back from
/// it. Sectors are those of the dm device.
pub struct Completion {
    /// The sectors that ended.
    pub range: Unit,
    /// The operation of the request.
    pub command: Command,
    /// Whether it ended with success.
    pub ok: bool,
    /// Whether the device had to put it on its medium before the answer
    /// (`REQ_FUA`).
    pub forced: bool,
    /// Index of the event in the trace.
    pub place: usize,
}

impl std::fmt::Display for Completion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let op = journal::name(self.command);
        write!(f, "{op} {}+{}", self.range.sector, self.range.sectors)
    }
}

/// The ends that the guest saw on a leg.
pub fn completions<'a>(
    scene: &'a Scene<'_>,
    leg: u8,
) -> impl Iterator<Item = Completion> + use<'a> {
    completions_of(scene, Member::Leg(leg), model::offset(scene.case, leg))
}

/// What the guest's kernel took back from a leg's driver in order to send it
/// again.
pub fn handed_back<'a>(
    scene: &'a Scene<'_>,
    leg: u8,
) -> impl Iterator<Item = Completion> + use<'a> {
    let offset = model::offset(scene.case, leg);
    of_requests(scene, Kind::RqRequeue, Member::Leg(leg), offset)
}

fn completions_of<'a>(
    scene: &'a Scene<'_>,
    member: Member,
    offset: u64,
) -> impl Iterator<Item = Completion> + use<'a> {
    of_requests(scene, Kind::RqComplete, member, offset)
}

fn of_requests<'a>(
    scene: &'a Scene<'_>,
    kind: Kind,
    member: Member,
    offset: u64,
) -> impl Iterator<Item = Completion> + use<'a> {
    let dev = scene.dev_of(member);
    let events = (scene.seen.seen.trace.iter().enumerate()).filter(move |(_, event)| {
        event.kind == kind && Some(event.dev) == dev && event.sectors > 0 && !event.is_passthrough()
    });
    events.filter_map(move |(place, event)| {
        // The letters come from `blk_fill_rwbs`. Write-zeroes have a letter of
        // their own since 6.16.
        let command = match event.rwbs.chars().find(|letter| "RWDNF".contains(*letter)) {
            Some('R') => Command::Read,
            Some('W') if event.rwbs.contains('Z') => Command::WriteZeroes,
            Some('W') => Command::Write,
            Some('D') => Command::Discard,
            Some('N') => Command::WriteZeroes,
            _ => return None,
        };
        let range = Unit {
            sector: event.sector.wrapping_sub(offset),
            sectors: event.sectors,
        };
        (!model::races::is_copy(scene.case, range)).then_some(Completion {
            range,
            command,
            ok: event.error == 0,
            forced: is_forced(&event.rwbs),
            place,
        })
    })
}

/// Whether a leg's driver ended a flush with success after all writes that it
/// ended. A flush has no sectors.
pub fn has_flushed(scene: &Scene<'_>, leg: u8) -> bool {
    let dev = scene.leg_dev(leg);
    let is_flush = |(_, event): &(usize, &TraceEvent)| {
        (event.kind, Some(event.dev), event.sectors) == (Kind::RqComplete, dev, 0)
            && matches!(event.sector, 0 | u64::MAX)
            && event.error == 0
    };
    let mut all = scene.seen.seen.trace.iter().enumerate();
    let last = completions(scene, leg).map(|done| done.place).max();
    all.rfind(is_flush)
        .is_some_and(|(place, _)| Some(place) > last)
}

/// Whether a request at the driver carries `REQ_FUA`. Its letter `F` comes
/// behind the command's letter; an `F` before that is `REQ_PREFLUSH`
/// (`blk_fill_rwbs`). A device without FUA gets the write without the flag, and
/// a flush behind it (`blk_insert_flush`).
fn is_forced(rwbs: &str) -> bool {
    let behind = rwbs.split_once('W').map(|(_, behind)| behind);
    behind.is_some_and(|behind| behind.contains('F'))
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
            let name = journal::name(done.command);
            (done.range.sector, done.range.sectors, name, done.ok)
        })
        .collect();
    let mut happened: Vec<Ended> = scene
        .asked(leg)
        .filter(|entry| which(entry.command))
        .map(|entry| {
            let name = journal::name(entry.command);
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

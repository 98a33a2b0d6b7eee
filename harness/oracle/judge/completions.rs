//! What the guest's tracepoints show of requests at the drivers of the lower devices.

use super::Scene;
use super::words::command_name;
use crate::model;
use crate::units::Unit;
use halfway_case::observation::{Command, Member};
use halfway_protocol::trace::{Kind, TraceEvent};

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
        let op = command_name(self.command);
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

/// The ends that the guest saw on a lower device; `offset` is where the dm device
/// begins on it, in sectors.
pub fn completions_of<'a>(
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

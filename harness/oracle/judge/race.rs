//! An I/O that races the recovery of its own region: did the two meet, and did
//! the write wait?

use super::{Scene, completions, difference, words};
use crate::model::{self, races};
use crate::units::Unit;
use halfway_case::observation::{Command, Entry, Layer, Member};
use halfway_case::verdict::{Difference, Witness};
use halfway_protocol::content::{Origin, What};
use halfway_protocol::io::Op;
use halfway_protocol::trace::Kind;

/// What the media did, in order: of the region's recovery (`recovery` is true)
/// or of the I/O, with sectors as on the dm device.
fn done<'a>(scene: &'a Scene<'_>, recovery: bool) -> impl Iterator<Item = (u8, Entry)> + 'a {
    let region = races::copied(scene.case);
    let entries = scene.seen.journal.iter();
    entries.filter_map(move |entry| {
        let Member::Leg(leg) = entry.member else {
            return None;
        };
        let sector = entry.sector.wrapping_sub(model::offset(scene.case, leg));
        let range = Unit {
            sector,
            sectors: entry.sectors,
        };
        let moves = matches!(entry.command, Command::Read | Command::Write);
        let wanted = entry.layer == Layer::Medium
            && moves
            && range.meets(region)
            && (range == region) == recovery;
        wanted.then_some((leg, *entry))
    })
}

/// The region is copied once, whole, to every other leg, and is not written
/// before that.
pub fn differences(scene: &Scene<'_>) -> Vec<Difference> {
    if !model::races_recovery(scene.case) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for leg in 0..scene.case.legs.count {
        let command = if leg == 0 {
            Command::Read
        } else {
            Command::Write
        };
        let of_leg = done(scene, true).filter(|(other, _)| *other == leg);
        let copies: Vec<Command> = of_leg.map(|(_, entry)| entry.command).collect();
        if copies != [command] {
            found.push(difference(
                Witness::Journal,
                format!(
                    "the recovery of the region asked leg {leg} {}, correct is one {}",
                    words::times_in_words(copies.len() as u32),
                    words::command_name(command)
                ),
            ));
        }
    }
    let recovered = done(scene, true).map(|(_, entry)| entry.order).max();
    let early = done(scene, false)
        .find(|(_, entry)| entry.command == Command::Write && Some(entry.order) < recovered);
    if let Some((leg, entry)) = early {
        found.push(difference(
            Witness::Journal,
            format!(
                "leg {leg}: {} was done before its region was recovered",
                words::entry_words(&entry)
            ),
        ));
    }
    found.extend(stale(scene));
    found
}

/// The content of a leg's own that the recovery should have overwritten.
fn stale(scene: &Scene<'_>) -> Option<Difference> {
    let of_itself = |member: Member, what: &What| match (member, *what) {
        (Member::Leg(leg), What::Stamp { origin, .. }) => leg > 0 && origin == Origin::Leg(leg),
        _ => false,
    };
    let legs = 0..scene.case.legs.count;
    let mut media = (scene.seen.media.iter())
        .filter(|medium| legs.clone().any(|leg| medium.member == Member::Leg(leg)));
    media.find_map(|medium| {
        let mut spans = medium.spans.iter();
        let span = spans.find(|span| of_itself(medium.member, &span.what))?;
        Some(difference(
            Witness::Medium,
            format!(
                "{}: sector {} of the disk counts as recovered, and holds what it held before",
                medium.member,
                medium.sector + span.at
            ),
        ))
    })
}

/// Why the two did not meet; `None` if they did. By the guest's tracepoints the
/// I/O must have come, and a read must have been answered, before the
/// recovery's request ended.
pub fn inconclusive_race(scene: &Scene<'_>) -> Option<String> {
    let (dm, _) = scene.seen.dm.as_ref()?;
    let hold = scene.case.holds.first()?;
    let dev = scene.leg_dev(hold.leg)?;
    let region = races::copied(scene.case);
    let first = region.sector + model::offset(scene.case, hold.leg);
    let place = |kind: Kind, of: halfway_protocol::trace::Dev, sector: Option<u64>| {
        scene.seen.seen.trace.iter().position(|event| {
            event.kind == kind
                && event.dev == of
                && event.sectors > 0
                && sector
                    .is_none_or(|sector| (event.sector, event.sectors) == (sector, region.sectors))
        })
    };
    let Some(recovered) = place(Kind::RqComplete, dev, Some(first)) else {
        return Some("the guest saw no end of the recovery's request".to_owned());
    };
    let reads = scene.case.io.op == Op::Read;
    let (kind, what) = match reads {
        true => (Kind::BioComplete, "was answered"),
        false => (Kind::BioQueue, "came"),
    };
    let in_time = place(kind, *dm, None).is_some_and(|place| place < recovered);
    // On some kernels a read through dm-io ends its bio without a tracepoint.
    let in_time = in_time
        || reads
            && completions::completions(scene, 0).any(|done| done.place < recovered && done.ok);
    (!in_time).then(|| format!("the I/O {what} only after its region had been recovered"))
}

//! Faults off the way of the I/O: on the log's disk, or met while the stack was
//! set up.

use super::{Scene, words};
use crate::model;
use halfway_case::observation::{Entry, Member};
use halfway_case::{Disk, During, OtherFault};

/// The requests that the fault failed.
fn failed<'a>(scene: &'a Scene<'_>, other: &'a OtherFault) -> impl Iterator<Item = &'a Entry> {
    let fault = &other.fault;
    let offset = match other.disk {
        Disk::Leg => model::offset(scene.case, fault.leg),
        Disk::Log => 0,
    };
    let journal = match other.during {
        During::SetUp => &scene.seen.set_up,
        During::Io => &scene.seen.journal,
    };
    journal.iter().filter(move |entry| {
        let sector = entry.sector.wrapping_sub(offset);
        entry.member == member(other)
            && entry.result.is_some_and(|result| result != 0)
            && entry.command == fault.op.into()
            && (other.disk == Disk::Log || fault.meets(fault.op, sector, entry.sectors))
    })
}

fn member(other: &OtherFault) -> Member {
    match other.disk {
        Disk::Leg => Member::Leg(other.fault.leg),
        Disk::Log => Member::Log,
    }
}

/// The first of these faults that was not met.
pub fn missed(scene: &Scene<'_>) -> Option<String> {
    let mut others = scene.case.other_faults.iter();
    let missed = others.find(|other| failed(scene, other).next().is_none())?;
    Some(format!(
        "the fault did not fire: the journal has no {} that {} failed",
        words::command_name(missed.fault.op.into()),
        member(missed)
    ))
}

/// A line for each request that one of these faults failed.
pub fn evidence<'a>(scene: &'a Scene<'_>) -> impl Iterator<Item = String> + 'a {
    scene.case.other_faults.iter().flat_map(move |other| {
        let line = move |entry| {
            format!(
                "{} {}{}",
                member(other),
                words::entry_words(entry),
                when(other)
            )
        };
        failed(scene, other).map(line)
    })
}

/// What each of these faults did, in words.
pub fn other_fault_words<'a>(scene: &'a Scene<'_>) -> impl Iterator<Item = String> + 'a {
    scene.case.other_faults.iter().map(move |other| {
        let count = failed(scene, other).count();
        format!("{} failed {count} request(s){}", member(other), when(other))
    })
}

fn when(other: &OtherFault) -> &'static str {
    match other.during {
        During::SetUp => " while the mirror was set up",
        During::Io => "",
    }
}

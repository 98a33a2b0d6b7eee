//! Faults off the way of the I/O: on the log's disk, or met while the stack was
//! set up.

use super::{Scene, journal};
use crate::observation::{Entry, Member};
use crate::oracle::model;
use crate::scenario::case::{Aside, Disk, During};

/// The requests that the fault failed.
fn failed<'a>(scene: &'a Scene<'_>, aside: &'a Aside) -> impl Iterator<Item = &'a Entry> {
    let fault = &aside.fault;
    let offset = match aside.disk {
        Disk::Leg => model::offset(scene.case, fault.leg),
        Disk::Log => 0,
    };
    let journal = match aside.during {
        During::SetUp => &scene.seen.set_up,
        During::Io => &scene.seen.journal,
    };
    journal.iter().filter(move |entry| {
        let sector = entry.sector.wrapping_sub(offset);
        entry.member == member(aside)
            && entry.result.is_some_and(|result| result != 0)
            && entry.command == fault.op.into()
            && (aside.disk == Disk::Log || fault.meets(fault.op, sector, entry.sectors))
    })
}

fn member(aside: &Aside) -> Member {
    match aside.disk {
        Disk::Leg => Member::Leg(aside.fault.leg),
        Disk::Log => Member::Log,
    }
}

/// The first of them that was not met.
pub fn missed(scene: &Scene<'_>) -> Option<String> {
    let mut asides = scene.case.aside.iter();
    let missed = asides.find(|aside| failed(scene, aside).next().is_none())?;
    Some(format!(
        "the fault did not fire: the journal has no {} that {} failed",
        journal::name(missed.fault.op.into()),
        member(missed)
    ))
}

/// A line for each request that one of them failed.
pub fn evidence<'a>(scene: &'a Scene<'_>) -> impl Iterator<Item = String> + 'a {
    scene.case.aside.iter().flat_map(move |aside| {
        let line =
            move |entry| format!("{} {}{}", member(aside), journal::words(entry), when(aside));
        failed(scene, aside).map(line)
    })
}

/// What each of them did.
pub fn words<'a>(scene: &'a Scene<'_>) -> impl Iterator<Item = String> + 'a {
    scene.case.aside.iter().map(move |aside| {
        let count = failed(scene, aside).count();
        format!("{} failed {count} request(s){}", member(aside), when(aside))
    })
}

fn when(aside: &Aside) -> &'static str {
    match aside.during {
        During::SetUp => " while the mirror was set up",
        During::Io => "",
    }
}

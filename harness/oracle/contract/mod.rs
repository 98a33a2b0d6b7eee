//! "The bio vector is not modified": the contract between whoever submits a bio
//! and the driver that it is submitted to, checked on what the guest's watcher
//! saw of every bio.
//!
//! * `follow`: from events to lives and violations, pure.
//! * this file: what comes of it, in words.

mod follow;
pub mod samples;
#[cfg(test)]
mod tests;

pub use follow::follow;

use halfway_protocol::bio::{BioEvent, BioTrace, Bvec, Iter, Point};
use halfway_protocol::content::SECTOR;
use halfway_protocol::trace::{Dev, Kind, TraceEvent};
use std::collections::HashSet;

/// A bio on one device: from its submission to when it is handed back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    /// Its address.
    pub bio: u64,
    /// The device.
    pub dev: Dev,
    /// Whether it writes; else it reads.
    pub write: bool,
    /// The iterator when it was submitted.
    pub submitted: Iter,
    /// What the driver handed back; `None` where it has not, or where only the
    /// end of a piece told that all of it is done.
    pub end: Option<End>,
    /// Whether its vector was changed meanwhile, by this driver as far as can be
    /// told.
    pub changed: bool,
}

/// A bio as its driver hands it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// `bi_status`.
    pub status: u8,
    /// The iterator.
    pub iter: Iter,
}

/// One entry of a vector that is not what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its place in the vector.
    pub index: usize,
    /// When the bio was submitted.
    pub before: Bvec,
    /// When it was seen next.
    pub after: Bvec,
}

/// A vector that was changed while its bio was with a driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The device whose driver had the bio last.
    pub dev: Dev,
    /// Other devices that had a bio with the same vector at that time, but for
    /// the one that the vector was made for.
    pub others: Vec<Dev>,
    /// Where the change was seen.
    pub point: Point,
    /// The bio that it was seen with.
    pub bio: u64,
    /// The entries, by their place; at least one.
    pub changes: Vec<Change>,
}

/// What the watcher's events come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Bios that move data, in the order of their submission.
    pub lives: Vec<Life>,
    /// In the order in which they were seen.
    pub violations: Vec<Violation>,
    /// Vectors with more entries than the watcher could see.
    pub cut: u64,
}

/// A device in words: driver, name and number, as far as the guest knows them.
pub fn named(trace: &BioTrace, dev: Dev) -> String {
    let known = trace.devices.iter().find(|device| device.dev == dev);
    let words = known.map(|device| [device.driver.as_str(), device.name.as_str()]);
    let words = words.unwrap_or_default().into_iter();
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    match words.is_empty() {
        true => format!("the driver of {dev}"),
        false => format!("{} ({dev})", words.join(" ")),
    }
}

impl Violation {
    /// Who changed what, from what to what.
    pub fn words(&self, trace: &BioTrace) -> String {
        let first = &self.changes[0];
        let more = match self.changes.len() {
            1 => String::new(),
            2 => ", and one more entry".to_owned(),
            many => format!(", and {} more entries", many - 1),
        };
        let others: Vec<String> = self.others.iter().map(|dev| named(trace, *dev)).collect();
        let others = match others.is_empty() {
            true => String::new(),
            false => format!(", while {} had it too", others.join(", ")),
        };
        format!(
            "{} changed the vector of bio {:#x}: entry {} was {} and is {}{more}, seen at {}{others}",
            named(trace, self.dev),
            self.bio,
            first.index,
            first.before,
            first.after,
            self.point.function(),
        )
    }
}

/// Sightings that are missing from what the watcher saw. With any, nothing is
/// proved.
///
/// Where the kernel's own count of them is in doubt ([`BioTrace::doubted`]), the
/// tracepoints are asked: each bio that they saw queued went through
/// [`Point::Submit`] first, with what it was queued with.
pub fn holes(bios: &BioTrace, trace: &[TraceEvent]) -> u64 {
    if bios.lost > 0 || bios.doubted == 0 {
        return bios.lost;
    }
    let submitted: HashSet<(Dev, u64, u64)> = bios
        .events
        .iter()
        .filter(|event| event.point == Point::Submit)
        .map(|event| (event.dev, event.iter.sector, bytes_in_sectors(event)))
        .collect();
    let unseen = trace.iter().filter(|event| {
        // A bio without data is queued with no sector in particular.
        event.kind == Kind::BioQueue
            && event.sectors > 0
            && !submitted.contains(&(event.dev, event.sector, event.sectors))
    });
    unseen.count() as u64
}

fn bytes_in_sectors(event: &BioEvent) -> u64 {
    u64::from(event.iter.bytes) / SECTOR as u64
}

/// What was watched and what came of it, in a line.
pub fn summary(trace: &BioTrace, account: &Account, holes: u64) -> String {
    if holes > 0 {
        return format!("{holes} sightings of bios were lost: not checked");
    }
    if trace.events.is_empty() {
        return "no bio was seen: not checked".to_owned();
    }
    if account.lives.is_empty() {
        return "no bio with data was seen: there was no vector to check".to_owned();
    }
    let devices: Vec<String> = trace
        .devices
        .iter()
        .filter(|device| account.lives.iter().any(|life| life.dev == device.dev))
        .map(|device| named(trace, device.dev))
        .collect();
    let result = match account.violations.len() {
        0 => "no vector was changed".to_owned(),
        1 => "a vector was changed".to_owned(),
        many => format!("vectors were changed {many} times"),
    };
    let cut = match account.cut {
        0 => String::new(),
        cut => format!(
            " (of {cut} vectors only the first {} entries were watched)",
            trace.entries
        ),
    };
    format!(
        "{} bios on {}, seen {} times: {result}{cut}",
        account.lives.len(),
        devices.join(", "),
        trace.events.len()
    )
}

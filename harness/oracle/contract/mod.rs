//! "The bio vector is not modified": the contract between the submitter of a
//! bio and the driver that gets it. It is checked on what the guest's watcher
//! saw of every bio.
//!
//! - `follow`: from events to lives and violations, pure.
//! - this file: the results, in words.

mod follow;
pub mod samples;
#[cfg(test)]
mod tests;

pub use follow::follow;

use halfway_protocol::bio::{BioEvent, BioTrace, Bvec, Iter, Point};
use halfway_protocol::content::SECTOR;
use halfway_protocol::trace::{Dev, Kind, TraceEvent};
use std::collections::HashSet;

/// A bio on one device, from its submission until the driver hands it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    /// Address of the `struct bio` in the guest.
    pub bio: u64,
    /// The device that the bio was submitted to.
    pub dev: Dev,
    /// Whether the bio writes; else it reads.
    pub write: bool,
    /// The iterator (`bi_iter`) at the submission.
    pub submitted: Iter,
    /// What the driver handed back. `None` if it has not, or if the only sign
    /// that the bio is complete was the end of one of its pieces.
    pub end: Option<End>,
    /// Whether the bio's vector was changed meanwhile; as far as the events
    /// tell, by this driver.
    pub changed: bool,
}

/// What a driver hands back when it ends a bio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// `bi_status` (`BLK_STS_*`): 0 is success.
    pub status: u8,
    /// The iterator (`bi_iter`) at the end.
    pub iter: Iter,
}

/// One entry of a vector that was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Index of the entry in the vector.
    pub index: usize,
    /// The entry when the bio was submitted.
    pub before: Bvec,
    /// The entry when it was seen next.
    pub after: Bvec,
}

/// A vector that was changed while its bio was with a driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The device whose driver had the bio last.
    pub dev: Dev,
    /// Other devices that had a bio with the same vector at that time. The
    /// device that the vector was made for is not among them.
    pub others: Vec<Dev>,
    /// The point at which the change was seen.
    pub point: Point,
    /// Address of the bio that it was seen with.
    pub bio: u64,
    /// The changed entries by their index; at least one.
    pub changes: Vec<Change>,
}

/// The result of following the watcher's events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Bios that move data, in the order of their submission.
    pub lives: Vec<Life>,
    /// Violations, in the order in which they were seen.
    pub violations: Vec<Violation>,
    /// How many vectors have more entries than the watcher could see.
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
    /// The violation in words: which driver changed which entry, from what to
    /// what.
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

/// How many sightings are missing from what the watcher saw. If any is missing,
/// nothing is proved.
///
/// Where the kernel's own count of them is in doubt ([`BioTrace::doubted`]),
/// the tracepoints decide: each bio that they saw queued must have passed
/// [`Point::Submit`] first, with the same sector and length.
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
        // A bio without data may be queued with any sector, so it is left out.
        event.kind == Kind::BioQueue
            && event.sectors > 0
            && !submitted.contains(&(event.dev, event.sector, event.sectors))
    });
    unseen.count() as u64
}

fn bytes_in_sectors(event: &BioEvent) -> u64 {
    u64::from(event.iter.bytes) / SECTOR as u64
}

/// What was watched and the result, in one line.
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

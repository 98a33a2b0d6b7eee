//! A request that its driver gave up while the disk held it (`timeout` in its
//! controller's profile). Was it given up, was it retried, and does its result
//! come from the retry?

use super::{Scene, completions, difference};
use crate::units::Unit;
use halfway_case::Hold;
use halfway_case::observation::{Command, Entry};
use halfway_case::timeout;
use halfway_case::verdict::{Difference, Witness};
use halfway_controllers::AfterTimeout;

/// Why it is not shown that the driver gave the held request up exactly once;
/// `None` if it is shown.
pub fn inconclusive_timeout(scene: &Scene<'_>) -> Option<String> {
    let hold = scene.case.holds.first()?;
    match timeout::of_case(scene.case)?.then {
        AfterTimeout::Waits { logged } => {
            let mut log = scene.seen.seen.log.iter();
            let told = log.any(|message| message.text.contains(logged));
            (!told).then(|| {
                "the kernel's log does not tell of a driver that gave a request up".to_owned()
            })
        }
        AfterTimeout::AskedAgain { .. } => match attempts(scene, hold) {
            2 => None,
            0 | 1 => Some(format!(
                "leg {} was not asked again for what it held at sector {}: its driver has not \
                 given it up",
                hold.leg, hold.sector
            )),
            more => Some(format!(
                "the driver of leg {} gave up what it held at sector {} {} times, also what \
                 nobody held",
                hold.leg,
                hold.sector,
                more - 1
            )),
        },
    }
}

/// How often the leg was asked for the request that it held.
fn attempts(scene: &Scene<'_>, hold: &Hold) -> usize {
    let command = Command::from(scene.case.io.op);
    let held = |entry: &Entry| {
        let range = Unit {
            sector: entry.sector,
            sectors: entry.sectors,
        };
        entry.command == command && range.covers(hold.sector)
    };
    scene.asked(hold.leg).filter(held).count()
}

/// How often a leg may be asked for a sector of a request that its driver has
/// given up: least and most. `None` if the driver has given nothing up.
///
/// For each retry the kernel's tracepoints must show that it took the request
/// back (`blk_mq_requeue_request`); it also does so when the driver is busy. A
/// device model that was stopped in the middle of the request had not asked its
/// medium for all of it.
pub fn asked_again(scene: &Scene<'_>, leg: u8, sector: u64) -> Option<(u32, u32)> {
    if !timeout::asks_again(scene.case) {
        return None;
    }
    let back = completions::handed_back(scene, leg).filter(|one| one.range.covers(sector));
    let back = back.count() as u32;
    let hold = scene.case.holds.first()?;
    let least = match (hold.leg, hold.sector) == (leg, sector) {
        true => 2,
        false => 1,
    };
    (back > 0).then_some((least, 1 + back))
}

/// The request ends once, by its retry. The late end of the request that was
/// given up belongs to nobody.
pub fn differences(scene: &Scene<'_>) -> Option<Difference> {
    let hold = scene.case.holds.first()?;
    if !timeout::asks_again(scene.case) {
        return None;
    }
    let command = Command::from(scene.case.io.op);
    let held =
        |one: &completions::Completion| one.command == command && one.range.covers(hold.sector);
    let ends = completions::completions(scene, hold.leg).filter(held);
    let ends: Vec<usize> = ends.map(|end| end.place).collect();
    let back = completions::handed_back(scene, hold.leg)
        .filter(held)
        .map(|back| back.place);
    let text = match (ends.as_slice(), back.last()) {
        ([_, _, ..], _) => "ended more than once",
        ([end, ..], Some(back)) if *end < back => {
            "ended, and was taken back from the driver after that"
        }
        _ => return None,
    };
    let name = scene.name(hold.leg);
    Some(difference(
        Witness::Trace,
        format!("{name}: what it held at sector {} {text}", hold.sector),
    ))
}

/// What a pass has shown of the timeout, in words.
pub fn timeout_words(scene: &Scene<'_>) -> Option<String> {
    let hold = scene.case.holds.first()?;
    let then = match timeout::of_case(scene.case)?.then {
        AfterTimeout::Waits { .. } => "waited on",
        AfterTimeout::AskedAgain { .. } => "asked again",
    };
    let name = scene.case.stack.disk_name(hold.leg);
    Some(format!("the driver of {name} gave a request up and {then}"))
}

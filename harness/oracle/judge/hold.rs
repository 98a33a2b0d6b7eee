//! Were the requests held, and did the guest see them end in the order in which
//! they were let go? If not, another case was played than the one that was asked
//! for.

use super::{Scene, race, trace};
use crate::observation::{Command, Entry};
use crate::oracle::model;
use crate::scenario::case::{Ending, Hold, Meanwhile};
use crate::scenario::impatience::{self, Impatience, Then};

/// Why the holds of the case prove nothing, if they do not.
pub fn missing(scene: &Scene<'_>) -> Option<String> {
    let case = scene.case;
    if case.holds.is_empty() {
        return None;
    }
    if scene.seen.meanwhile.is_none() {
        return Some("a request that was to be held never reached its disk".to_owned());
    }
    if model::races_recovery(case) {
        return race::missing(scene);
    }
    if let Some(driver) = impatience::of_case(case)
        && let Some(reason) = not_given_up(scene, &driver)
    {
        return Some(reason);
    }
    let order = Hold::order(&case.holds);
    let ends = order.iter().map(|index| (index, end(scene, *index)));
    let mut before = None;
    for (index, place) in ends {
        let Hold { leg, sector, .. } = case.holds[*index];
        let Some(place) = place else {
            return Some(format!(
                "the guest saw no end of what leg {leg} held at sector {sector}"
            ));
        };
        if before > Some(place) {
            return Some(format!(
                "the guest saw what leg {leg} held at sector {sector} end before what was let go \
                 before it"
            ));
        }
        before = Some(place);
    }
    None
}

/// When the guest saw the request end that a hold kept: its place among all that
/// was traced.
fn end(scene: &Scene<'_>, index: usize) -> Option<usize> {
    let hold = &scene.case.holds[index];
    let command = scene.case.io.op.into();
    let mut ends = trace::completions(scene, hold.leg)
        .filter(|end| end.command == command && end.range.covers(hold.sector));
    let ends_well = hold.then == Ending::Ok && hold.meanwhile != Meanwhile::Unplug;
    ends.find(|end| end.ok == ends_well).map(|end| end.place)
}

/// Why it is not shown that the driver gave the held request up, and once, if it is
/// not.
fn not_given_up(scene: &Scene<'_>, driver: &Impatience) -> Option<String> {
    let hold = &scene.case.holds[0];
    match driver.then {
        // `nvme_timeout` in drivers/nvme/host/pci.c, in all releases.
        Then::Waits => {
            let mut log = scene.seen.seen.log.iter();
            let told = log.any(|message| message.text.contains("timeout, aborting"));
            (!told).then(|| {
                "the kernel's log does not tell of a driver that gave a request up".to_owned()
            })
        }
        Then::AskedAgain => match attempts(scene, hold) {
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

/// How often the leg was asked for what it held.
fn attempts(scene: &Scene<'_>, hold: &Hold) -> usize {
    let command = Command::from(scene.case.io.op);
    let held = |entry: &Entry| {
        let end = entry.sector.saturating_add(entry.sectors);
        entry.command == command && (entry.sector..end).contains(&hold.sector)
    };
    scene.asked(hold.leg).filter(held).count()
}

/// How often a leg may be asked for a sector that its driver has given up: least and
/// most; `None` where it has not. The kernel's tracepoints must show that it took
/// the request back (`blk_mq_requeue_request`), once for each time that it is asked
/// for again; a device model that was stopped within it had not asked for all.
pub fn asked_again(scene: &Scene<'_>, leg: u8, sector: u64) -> Option<(u32, u32)> {
    if !impatience::asks_again(scene.case) {
        return None;
    }
    let mut back = trace::handed_back(scene, leg).filter(|range| range.covers(sector));
    back.next()?;
    let again = 1 + back.count() as u32;
    let hold = &scene.case.holds[0];
    let least = match (hold.leg, hold.sector) == (leg, sector) {
        true => 2,
        false => 1,
    };
    Some((least, 1 + again))
}

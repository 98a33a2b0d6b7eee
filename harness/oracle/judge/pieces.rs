//! Legs whose device model splits requests in its own way: what it asked its
//! medium for, against what the driver asked for and was told.

use super::{Scene, completions, difference, given_up, words};
use crate::controller;
use crate::units::{self, Unit};
use halfway_case::facts;
use halfway_case::observation::{Command, Entry};
use halfway_case::verdict::{Difference, Witness};
use halfway_case::{Fault, Times};
use halfway_protocol::io::Path;

/// A request that the device model reported as done although its medium refused
/// a part of it.
pub struct Lie {
    /// Index of the leg that lied.
    pub leg: u8,
    /// The range that was reported to the driver as done, on the dm device.
    pub told: Unit,
    /// Whether it is a read or a write.
    pub command: Command,
    /// The entry of the medium journal that was refused.
    pub refused: Entry,
}

impl Lie {
    /// The lie in words, for the verdict.
    pub fn words(&self) -> String {
        format!(
            "leg {}: it told the kernel that {}+{} is done, and its medium had refused it ({})",
            self.leg,
            self.told.sector,
            self.told.sectors,
            words::entry_words(&self.refused)
        )
    }
}

fn range(entry: &Entry) -> Unit {
    Unit {
        sector: entry.sector,
        sectors: entry.sectors,
    }
}

/// Whether a completion of that range may be the answer to what was asked of the
/// medium: of requests that overlap, as those for a page that was read ahead before,
/// only if the sectors that it has of that are those that fail.
fn answers(scene: &Scene<'_>, leg: u8, done: Unit, asked: &Entry) -> bool {
    let bad = |fault: &Fault| {
        fault.leg == leg
            && Command::from(fault.op) == asked.command
            && done.covers(fault.sector)
            && range(asked).covers(fault.sector)
    };
    match (scene.case.io.overlap, scene.case.io.path) {
        (0, Path::Direct) => range(asked).meets(done),
        _ => scene.case.faults.iter().any(bad),
    }
}

/// The lies that the device models of this case told.
pub fn lies(scene: &Scene<'_>) -> Vec<Lie> {
    if scene.failure_handling.exact {
        return Vec::new();
    }
    let mut found = Vec::new();
    for leg in 0..scene.case.legs.count {
        let entries: Vec<Entry> = scene.asked(leg).collect();
        for done in completions::completions(scene, leg).filter(|done| done.ok) {
            let of_range = |entry: &&Entry| {
                entry.command == done.command && answers(scene, leg, done.range, entry)
            };
            // A part that was refused first and let through later is no lie.
            let refused = entries.iter().filter(of_range).find(|refused| {
                let failed = refused.result.is_some_and(|result| result != 0);
                let mended = |later: &Entry| {
                    later.order > refused.order
                        && later.result == Some(0)
                        && range(later).meets(range(refused))
                };
                failed && !entries.iter().filter(of_range).any(mended)
            });
            if let Some(refused) = refused {
                found.push(Lie {
                    leg,
                    told: done.range,
                    command: done.command,
                    refused: *refused,
                });
            }
        }
    }
    found
}

/// A refusal that the device model never reported to its driver, if the model
/// is known for that.
pub fn silence(scene: &Scene<'_>) -> Option<String> {
    if !scene.failure_handling.falls_silent {
        return None;
    }
    (0..scene.case.legs.count).find_map(|leg| {
        let mut refused = scene
            .asked(leg)
            .filter(|entry| entry.result.is_some_and(|result| result != 0));
        let untold = refused.find(|entry| {
            entry.command == Command::Read
                && !completions::completions(scene, leg)
                    .any(|done| answers(scene, leg, done.range, entry))
        })?;
        Some(format!(
            "{}: its medium refused a request ({}), and it did not tell the kernel of it",
            scene.name(leg),
            words::entry_words(&untold)
        ))
    })
}

/// Each unit is asked of the medium whole, as often as the model and the
/// driver's retries say. If a part was refused, a device model may stop there,
/// and the rest of the driver's request need not be asked for.
pub fn coverage(scene: &Scene<'_>, leg: u8, entries: &[Entry]) -> Option<Difference> {
    let handling = &scene.failure_handling;
    let wanted = Command::from(scene.case.op_on_legs());
    let entries: Vec<&Entry> = entries
        .iter()
        .filter(|entry| entry.command == wanted)
        .collect();
    let troubled: Vec<Unit> = entries
        .iter()
        .filter(|entry| entry.result != Some(0))
        .flat_map(|refused| {
            let of_driver = completions::completions(scene, leg)
                .map(|done| done.range)
                .filter(|done| done.meets(range(refused)));
            let behind = (scene.failure_handling.step).map(|_| Unit {
                sector: refused.sector,
                sectors: u64::MAX - refused.sector,
            });
            let all = of_driver.chain([range(refused)]).chain(behind);
            all.collect::<Vec<_>>()
        })
        .collect();
    let shared = units::shared(scene.expected.units.iter().map(|expected| expected.unit));
    let is_shared = |sector: u64| shared.iter().any(|range| range.covers(sector));
    let asked = |sector: u64| {
        let all = scene.expected.units.iter();
        units::asked_together(
            sector,
            all.map(|one| (one.unit, one.asked[usize::from(leg)])),
        )
    };
    let is_troubled = |sector: u64| troubled.iter().any(|unit| unit.covers(sector));
    for expected in &scene.expected.units {
        let unit = expected.unit;
        let own = expected.asked[usize::from(leg)];
        let mut sound = None;
        for sector in unit.sector..unit.end() {
            let is_shared = is_shared(sector);
            let (least, most) = if is_shared { asked(sector) } else { own };
            let count = entries
                .iter()
                .filter(|entry| range(entry).covers(sector))
                .count() as u32;
            let always = scene.case.faults.iter().any(|fault| {
                fault.leg == leg
                    && fault.sector == sector
                    && Command::from(fault.op) == wanted
                    && fault.times == Times::Always
            });
            let again = most.saturating_mul(handling.attempts.1);
            let given_up = given_up::asked_again(scene, leg, sector);
            let (from, to) = match (always && count > 0, given_up) {
                (true, _) => {
                    let covering = entries.iter().filter(|entry| range(entry).covers(sector));
                    let (fewest, most_often) = attempts(scene, leg, covering);
                    (least.max(1) * fewest, most.saturating_mul(most_often))
                }
                (false, Some(asked)) => asked,
                (false, None) => match () {
                    () if is_troubled(sector) => (0, again),
                    () if handling.reads_ahead => (least, u32::MAX),
                    () if handling.disturbs && !troubled.is_empty() => (least, again),
                    () if is_shared => (least, most),
                    () => {
                        let first = *sound.get_or_insert((sector, count));
                        if first.1 != count {
                            return Some(difference(
                                Witness::Journal,
                                format!(
                                    "{}: {}+{} was not asked for whole: sector {} {}, sector \
                                     {sector} {}",
                                    scene.name(leg),
                                    unit.sector,
                                    unit.sectors,
                                    first.0,
                                    words::times_in_words(first.1),
                                    words::times_in_words(count)
                                ),
                            ));
                        }
                        (least, most)
                    }
                },
            };
            if !(from..=to).contains(&count) {
                return Some(difference(
                    Witness::Journal,
                    format!(
                        "{}: sector {sector} was asked for {}, correct is {from} to {to} times",
                        scene.name(leg),
                        words::times_in_words(count)
                    ),
                ));
            }
        }
    }
    None
}

/// How often the driver asks for what these requests of a leg are, of which each meets a
/// fault: least and most. Other faults of the leg may be what they meet, of which its
/// errno tells the driver something else.
fn attempts<'a>(
    scene: &Scene<'_>,
    leg: u8,
    requests: impl Iterator<Item = &'a &'a Entry>,
) -> (u32, u32) {
    let op = scene.case.op_on_legs();
    let mut all = Vec::new();
    for request in requests {
        let request = range(request);
        let faults = scene.case.faults.iter().chain(scene.absorbed);
        let meets =
            |fault: &&Fault| fault.leg == leg && fault.meets(op, request.sector, request.sectors);
        let known: Vec<&Fault> = faults.filter(meets).collect();
        match known.iter().all(|fault| fault.times == Times::Always) {
            true => all.extend(controller::met(scene.case, op, leg, request)),
            false => all.extend(known),
        }
    }
    let bounds = all.into_iter().map(|fault| {
        let (fewest, most) = controller::asked(scene.case, fault);
        (
            fewest.min(controller::asked_at_least(scene.case, fault)),
            most,
        )
    });
    bounds
        .reduce(|(a, b), (fewest, most)| (a.min(fewest), b.max(most)))
        .unwrap_or((1, 1))
}

/// What the driver was told must be what happened on the medium.
pub fn beliefs(scene: &Scene<'_>, leg: u8) -> Option<Difference> {
    let entries: Vec<Entry> = scene.asked(leg).collect();
    let done: Vec<_> = completions::completions(scene, leg).collect();
    let told = |text: String| {
        Some(difference(
            Witness::Trace,
            format!("{}: {text}", scene.name(leg)),
        ))
    };
    let faulty = scene.case.faults.iter().any(|fault| fault.leg == leg);
    let mut absorbed = scene.absorbed.iter().filter(|fault| fault.leg == leg);
    let ahead = absorbed.any(|fault| controller::is_ahead(scene.case, fault));
    let may_fail = faulty || ahead || facts::unplugged_leg(scene.case) == Some(leg);
    for done in &done {
        let of_range =
            |entry: &&Entry| entry.command == done.command && range(entry).meets(done.range);
        // A fault that wears off while the driver retries fails nothing.
        let refused =
            may_fail && (entries.iter().filter(of_range)).any(|entry| entry.result != Some(0));
        // Read-ahead that was in flight with what failed is not tried again.
        let aborted = scene.failure_handling.disturbs
            && (done.command, scene.case.io.path) == (Command::Read, Path::Buffered)
            && entries.iter().any(|entry| entry.result != Some(0));
        if !done.ok && !refused && !aborted {
            return told(format!(
                "the guest saw {done} fail, the medium refused nothing of it"
            ));
        }
        let mut sectors = done.range.sector..done.range.end();
        let missing = sectors.find(|sector| {
            let mut all = entries.iter().filter(of_range);
            !all.any(|entry| range(entry).covers(*sector))
        });
        if let Some(sector) = missing.filter(|_| done.ok) {
            return told(format!(
                "the guest saw {done} end well, the medium was never asked for sector {sector}"
            ));
        }
    }
    let moved = entries
        .iter()
        .filter(|entry| matches!(entry.command, Command::Read | Command::Write));
    for entry in moved
        .filter(|entry| !(scene.failure_handling.reads_ahead && entry.command == Command::Read))
    {
        let mut sectors = entry.sector..entry.sector.saturating_add(entry.sectors);
        let unknown = sectors.any(|sector| {
            !done
                .iter()
                .any(|done| done.command == entry.command && done.range.covers(sector))
        });
        if unknown {
            return told(format!(
                "the device did {}, the guest saw no such thing",
                words::entry_words(entry)
            ));
        }
    }
    None
}

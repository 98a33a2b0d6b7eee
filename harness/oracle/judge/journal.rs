//! What reached the legs, by the host's account: is each unit asked for whole,
//! of the right legs, as often as it must be?

use super::words::{entry_words, times_in_words};
use super::{DriverRequest, Scene, difference, pieces};
use crate::model;
use crate::units::{self, Unit};
use halfway_case::observation::{Command, Entry, Layer, Member};
use halfway_case::verdict::{Difference, Witness};
use halfway_protocol::io::{Op, Path};

pub fn differences(scene: &Scene<'_>) -> Vec<Difference> {
    let mut found = Vec::new();
    for leg in 0..scene.case.legs.count {
        let entries: Vec<Entry> = scene.asked(leg).collect();
        found.extend(outside(scene, leg, &entries));
        if scene.case.io.path == Path::Direct {
            found.extend(coverage(scene, leg, &entries));
        }
        if let Some(open) = entries.iter().find(|entry| entry.result.is_none()) {
            found.push(difference(
                Witness::Journal,
                format!(
                    "{}: {} was never answered",
                    scene.name(leg),
                    entry_words(open)
                ),
            ));
        }
    }
    found.extend(log_first(scene));
    if scene.case.io.path == Path::Direct {
        found.extend(unknown_to_dm(scene));
        found.extend(order(scene));
        found.extend(resubmitted(scene));
    }
    found
}

fn moves_data(entry: &Entry) -> bool {
    entry.command != Command::Flush
}

/// Nothing that the I/O does not need may reach a leg.
fn outside(scene: &Scene<'_>, leg: u8, entries: &[Entry]) -> Option<Difference> {
    let case = scene.case;
    let needed = |entry: &Entry| match (entry.command, case.op_on_legs(), case.io.path) {
        (Command::Flush, _, _) => true,
        (Command::Read, Op::Read, _) if scene.failure_handling.reads_ahead => true,
        // Read-ahead goes beyond what was asked for. A write of a part of a
        // page reads the rest of the page.
        (Command::Read, Op::Read, Path::Buffered) => inside(
            entry,
            Unit {
                sector: 0,
                sectors: case.legs.sectors,
            },
        ),
        (Command::Read, Op::Write, Path::Buffered)
        | (Command::Write, Op::Write, Path::Buffered) => inside(entry, model::pages(case)),
        (command, op, Path::Direct) if command == op.into() => inside(entry, model::whole(case)),
        _ => false,
    };
    let stray = entries.iter().find(|entry| !needed(entry))?;
    Some(difference(
        Witness::Journal,
        format!(
            "{}: {} reached it, which the I/O does not need",
            scene.name(leg),
            entry_words(stray)
        ),
    ))
}

fn inside(entry: &Entry, range: Unit) -> bool {
    entry.sector >= range.sector
        && entry
            .sector
            .checked_add(entry.sectors)
            .is_some_and(|end| end <= range.end())
}

/// Each unit is asked for whole: all of its sectors equally often, and as often
/// as the model says. Sectors that several units share are asked for as often
/// as all of those together.
fn coverage(scene: &Scene<'_>, leg: u8, entries: &[Entry]) -> Option<Difference> {
    if !scene.failure_handling.exact {
        return pieces::coverage(scene, leg, entries);
    }
    let wanted = Command::from(scene.case.op_on_legs());
    let counts = |range: Unit| {
        let mut counts = vec![0u32; range.sectors as usize];
        for entry in entries.iter().filter(|entry| entry.command == wanted) {
            let from = entry.sector.max(range.sector);
            let to = entry.sector.saturating_add(entry.sectors).min(range.end());
            for sector in from..to.max(from) {
                counts[(sector - range.sector) as usize] += 1;
            }
        }
        (range.sector..).zip(counts)
    };
    let units = &scene.expected.units;
    let shared = units::shared(units.iter().map(|expected| expected.unit));
    let is_shared = |sector: u64| shared.iter().any(|range| range.covers(sector));
    // How often each unit may have been asked for, as far as the sectors seen
    // so far tell.
    let mut known: Vec<(u32, u32)> = Vec::new();
    for expected in units {
        let unit = expected.unit;
        let bounds = expected.asked[usize::from(leg)];
        let mut own = counts(unit).filter(|(sector, _)| !is_shared(*sector));
        let Some((name, first)) = own.next() else {
            known.push(bounds);
            continue;
        };
        if let Some((uneven, count)) = own.find(|(_, count)| *count != first) {
            return Some(difference(
                Witness::Journal,
                format!(
                    "{}: {}+{} was not asked for whole: sector {name} {}, sector {uneven} {}",
                    scene.name(leg),
                    unit.sector,
                    unit.sectors,
                    times_in_words(first),
                    times_in_words(count),
                ),
            ));
        }
        if !contains(bounds, first) {
            let what = format!("{}+{}", unit.sector, unit.sectors);
            return Some(too_often(scene, leg, &what, first, bounds));
        }
        known.push((first, first));
    }
    shared
        .iter()
        .flat_map(|range| counts(*range))
        .find_map(|(sector, count)| {
            let all = units.iter().zip(&known);
            let bounds =
                units::asked_together(sector, all.map(|(one, bounds)| (one.unit, *bounds)));
            let what = format!("sector {sector}, of several requests,");
            (!contains(bounds, count)).then(|| too_often(scene, leg, &what, count, bounds))
        })
}

fn contains((least, most): (u32, u32), count: u32) -> bool {
    (least..=most).contains(&count)
}

/// The difference for `what` having been asked for `count` times, too often or
/// too seldom.
fn too_often(
    scene: &Scene<'_>,
    leg: u8,
    what: &str,
    count: u32,
    (least, most): (u32, u32),
) -> Difference {
    let correct = match least == most {
        true => times_in_words(least),
        false => format!("{least} to {most} times"),
    };
    difference(
        Witness::Journal,
        format!(
            "{}: {what} was asked for {}, correct is {correct}",
            scene.name(leg),
            times_in_words(count)
        ),
    )
}

/// A disk log must be written before the legs are. Else a crash in between
/// leaves legs that differ in a region that counts as in sync (`dm_rh_flush` in
/// `do_writes`). A region that is out of sync is marked in the log already.
fn log_first(scene: &Scene<'_>) -> Option<Difference> {
    let case = scene.case;
    if !case.has_log_disk() || case.op_on_legs() != Op::Write || scene.expected.refused {
        return None;
    }
    let bad = model::unrecovered(case);
    let counts = |entry: &&Entry| match entry.member {
        Member::Log => true,
        Member::Leg(leg) => case.stack.target().region_size().is_some_and(|region| {
            let sector = entry.sector.wrapping_sub(model::offset(case, leg));
            !bad.contains(&(sector / u64::from(region)))
        }),
    };
    let first = |is_leg: bool| {
        let written = scene.seen.journal.iter().filter(|entry| {
            entry.layer == Layer::Device
                && entry.command == Command::Write
                && matches!(entry.member, Member::Leg(_)) == is_leg
        });
        written.filter(counts).map(|entry| entry.order).min()
    };
    match (first(false), first(true)) {
        (Some(log), Some(leg)) if log < leg => None,
        (_, None) => None,
        _ => Some(difference(
            Witness::Journal,
            "a leg was written before the log knew that its region is dirty",
        )),
    }
}

/// A leg is asked only after the leg before it has failed.
fn order(scene: &Scene<'_>) -> Option<Difference> {
    for expected in &scene.expected.units {
        let Some(order) = &expected.order else {
            continue;
        };
        let of_leg = |leg: u8| -> Vec<Entry> {
            let is_of = |entry: &Entry| {
                let range = Unit {
                    sector: entry.sector,
                    sectors: entry.sectors,
                };
                let unit = expected.unit;
                moves_data(entry) && (range.lies_in(unit) || unit.lies_in(range))
            };
            scene.commands(leg).filter(is_of).collect()
        };
        for pair in order.windows(2) {
            let before = of_leg(pair[0]).iter().map(|entry| entry.order).max();
            let after = of_leg(pair[1]).iter().map(|entry| entry.order).min();
            if let (Some(before), Some(after)) = (before, after)
                && after < before
            {
                return Some(difference(
                    Witness::Journal,
                    format!(
                        "{} was asked before {} had failed",
                        scene.name(pair[1]),
                        scene.name(pair[0])
                    ),
                ));
            }
        }
    }
    None
}

/// Over another path only what failed is resubmitted. A unit that a request has
/// completed, according to a device that tells, is not asked for again. A unit
/// that was acknowledged was done whole by one path.
fn resubmitted(scene: &Scene<'_>) -> Option<Difference> {
    let wanted = Command::from(scene.case.op_on_legs());
    let told = scene.failure_handling.progress && matches!(wanted, Command::Read | Command::Write);
    if !scene.case.stack.shares_medium() || !told {
        return None;
    }
    let of_path = |path: u8| {
        let mut requests = scene.requests(path);
        requests.retain(|one| one.command == wanted);
        requests
    };
    let paths: Vec<Vec<DriverRequest>> = (0..scene.case.legs.count).map(of_path).collect();
    scene.expected.units.iter().find_map(|expected| {
        let unit = expected.unit;
        let named = format!("{}+{}", unit.sector, unit.sectors);
        let all = || {
            (0..)
                .zip(&paths)
                .flat_map(|(path, all)| all.iter().map(move |one| (path, one)))
        };
        let covers = |part: Unit| part.sector <= unit.sector && unit.end() <= part.end();
        let done = |one: &DriverRequest| one.done().any(covers);
        // What lies there may be a unit of the request that overlaps.
        let is_of_another = |range: Unit| {
            let mut others = scene.expected.units.iter().map(|other| other.unit);
            scene.case.io.overlap > 0
                && others.any(|other| other != unit && other.lies_in(range) && other.meets(unit))
        };
        let did = |(_, one): &(i32, &DriverRequest)| done(one) && !is_of_another(one.range);
        if let Some((path, first)) = all().find(did) {
            let is_again = |range: Unit| match scene.case.io.overlap {
                0 => unit.meets(range),
                _ => unit.lies_in(range) && !is_of_another(range),
            };
            let (other, again) = all()
                .find(|(_, one)| one.first.order > first.first.order && is_again(one.range))?;
            return Some(difference(
                Witness::Journal,
                format!(
                    "path {path} has done {named}, and yet path {other} was asked for it again: {}",
                    entry_words(&again.entry())
                ),
            ));
        }
        let whole = |requests: &Vec<DriverRequest>| {
            let parts: Vec<Unit> = requests.iter().flat_map(DriverRequest::done).collect();
            let mut sectors = unit.sector..unit.end();
            sectors.all(|sector| parts.iter().any(|part| part.covers(sector)))
        };
        (acknowledged(scene, unit) && !paths.iter().any(whole)).then(|| {
            let text = format!("{named} was acknowledged, and no path has done all of it");
            difference(Witness::Journal, text)
        })
    })
}

fn acknowledged(scene: &Scene<'_>, unit: Unit) -> bool {
    let parts = scene.case.io.parts();
    let Some(report) = scene.report() else {
        return false;
    };
    let mut answered = parts.iter().zip(&report.ops);
    answered.any(|(&(sector, sectors), op)| {
        op.result.is_ok() && model::is_piece(scene.case, unit, Unit { sector, sectors })
    })
}

/// The units that the trace shows must cover the whole I/O and nothing else.
fn unknown_to_dm(scene: &Scene<'_>) -> Option<Difference> {
    if scene.expected.refused || scene.seen.seen.lost > 0 {
        return None;
    }
    let mut at = scene.case.io.sector;
    let end = at + scene.case.io.sectors;
    for expected in &scene.expected.units {
        if expected.unit.sector > at {
            break;
        }
        at = at.max(expected.unit.end());
    }
    (at != end && !scene.expected.units.is_empty()).then(|| {
        difference(
            Witness::Trace,
            format!("the bios on the dm device end at sector {at}, the I/O at sector {end}"),
        )
    })
}

/// Whether no leg was asked for anything.
pub fn is_empty(scene: &Scene<'_>) -> bool {
    (0..scene.case.legs.count).all(|leg| !scene.asked(leg).any(|entry| moves_data(&entry)))
}

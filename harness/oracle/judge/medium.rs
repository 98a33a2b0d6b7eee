//! What lies on the legs afterwards, seen from the host.

use super::{Scene, content, difference};
use crate::model;
use crate::units::Unit;
use halfway_case::Case;
use halfway_case::facts;
use halfway_case::observation::{Command, Entry, Layer, Medium, Member};
use halfway_case::verdict::{Difference, Witness};
use halfway_case::{Sync, Times};
use halfway_protocol::content::{Origin, What};
use halfway_protocol::io::{Op, Path};
use std::collections::HashSet;

pub fn differences(scene: &Scene<'_>) -> Vec<Difference> {
    let mut found = Vec::new();
    for leg in model::media(scene.case) {
        let of_leg = |medium: &&Medium| medium.member == Member::Leg(leg);
        match scene.seen.media.iter().find(of_leg) {
            Some(medium) => found.extend(leg_differences(scene, leg, medium)),
            None => found.push(difference(
                Witness::Medium,
                format!("leg {leg} was not examined"),
            )),
        }
    }
    found.extend(lost(scene));
    found
}

/// What was acknowledged must lie whole on a leg that has not failed.
fn lost(scene: &Scene<'_>) -> Option<Difference> {
    let report = scene.report()?;
    let acknowledged: Vec<Unit> = scene
        .case
        .io
        .parts()
        .into_iter()
        .zip(&report.ops)
        .filter(|(_, op)| op.result.is_ok())
        .map(|((sector, sectors), _)| Unit { sector, sectors })
        .collect();
    let written: Vec<HashSet<u64>> = (0..scene.case.legs.count)
        .map(|leg| written(scene, leg))
        .collect();
    scene
        .expected
        .units
        .iter()
        .filter(|unit| !unit.one_of.is_empty())
        .find_map(|unit| {
            let missing = |leg: u8| {
                let mut sectors = unit.unit.sector..unit.unit.end();
                sectors.find(|sector| {
                    acknowledged.iter().any(|part| part.covers(*sector))
                        && !written[usize::from(leg)].contains(sector)
                })
            };
            let first = missing(unit.one_of[0])?;
            let nowhere = unit.one_of.iter().all(|leg| missing(*leg).is_some());
            nowhere.then(|| {
                difference(
                    Witness::Medium,
                    format!(
                        "{}+{} was acknowledged, and lies whole on no leg that counts ({}): sector \
                     {first} was lost",
                        unit.unit.sector,
                        unit.unit.sectors,
                        content::legs(&unit.one_of)
                    ),
                )
            })
        })
}

/// The sectors of a leg that hold what the case wrote, as numbers on the dm
/// device.
fn written(scene: &Scene<'_>, leg: u8) -> HashSet<u64> {
    let offset = model::offset(scene.case, leg);
    let media = scene
        .seen
        .media
        .iter()
        .filter(|medium| medium.member == Member::Leg(leg));
    media
        .flat_map(|medium| {
            medium
                .spans
                .iter()
                .map(move |span| (medium.sector + span.at, span))
        })
        .flat_map(|(first, span)| (0..span.sectors).map(move |step| (first + step, span, step)))
        .filter_map(|(disk_sector, span, step)| {
            let sector = disk_sector.checked_sub(offset)?;
            let holds = holds(scene, leg, sector, disk_sector, &span.what, step);
            matches!(holds, Ok(New)).then_some(sector)
        })
        .collect()
}

/// What a sector may hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Allowed {
    Old,
    New,
    Either,
}

/// The range that the I/O may touch: the page cache writes whole pages.
fn reached(case: &Case) -> Unit {
    match case.io.path {
        Path::Direct => model::whole(case),
        Path::Buffered => model::pages(case),
    }
}

fn leg_differences(scene: &Scene<'_>, leg: u8, medium: &Medium) -> Vec<Difference> {
    let case = scene.case;
    let offset = model::offset(case, leg);
    let writes: Vec<Entry> = model::ways_to(case, leg)
        .flat_map(|way| scene.commands(way))
        .filter(|entry| !matches!(entry.command, Command::Read | Command::Flush))
        .collect();
    let mut found = Vec::new();
    'spans: for span in &medium.spans {
        for step in 0..span.sectors {
            let disk_sector = medium.sector + span.at + step;
            let Some(sector) = disk_sector.checked_sub(offset) else {
                continue;
            };
            let holds = holds(scene, leg, sector, disk_sector, &span.what, step);
            let wrong = match (holds, allowed(scene, leg, sector, &writes)) {
                (Ok(New), Allowed::New | Allowed::Either)
                | (Ok(Old), Allowed::Old | Allowed::Either) => continue,
                (Ok(New), Allowed::Old) => "was written, and must not have been".to_owned(),
                (Ok(Old), Allowed::New) => "was not written".to_owned(),
                (Err(what), _) => what,
            };
            found.push(difference(
                Witness::Medium,
                format!("leg {leg}: sector {sector} {wrong}"),
            ));
            break 'spans;
        }
    }
    let range = reached(case);
    let first = medium.sector.saturating_sub(offset);
    let examined: u64 = medium.spans.iter().map(|span| span.sectors).sum();
    if first > range.sector || first + examined < range.end() {
        found.push(difference(
            Witness::Medium,
            format!("leg {leg}: only {first}+{examined} was examined"),
        ));
    }
    // A resynchronisation writes everywhere, but only leg 0's content.
    let stray = medium.strays.first().filter(|_| {
        case.stack
            .target()
            .sync()
            .is_none_or(|sync| sync == Sync::Nosync)
    });
    if let Some((sector, sectors)) = stray {
        found.push(difference(
            Witness::Medium,
            format!(
                "leg {leg}: {sectors} sectors from sector {} of the disk were written, which is \
                 outside of the I/O",
                sector
            ),
        ));
    }
    found
}

/// Whether the content of a sector is from before the I/O or from the I/O.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    Old,
    New,
}
use Holds::{New, Old};

/// What a sector of a leg holds, or what is wrong with it.
pub(super) fn holds(
    scene: &Scene<'_>,
    leg: u8,
    sector: u64,
    disk_sector: u64,
    what: &What,
    step: u64,
) -> Result<Holds, String> {
    match *what {
        What::Stamp {
            origin: Origin::Writer(index),
            generation,
            sector: first,
        } => {
            let number = first + step;
            let parts = scene.case.io.parts();
            let part = parts.get(usize::from(index));
            let inside = part.is_some_and(|&(from, count)| (from..from + count).contains(&sector));
            if generation != 1 {
                Err(format!("holds generation {generation} of request {index}"))
            } else if number != sector || !inside {
                Err(format!("holds sector {number} of request {index}"))
            } else {
                Ok(New)
            }
        }
        What::Stamp {
            origin,
            generation,
            sector: first,
        } => {
            let number = first + step;
            let old = (origin, number);
            let is = |leg: u8| old == model::content_of(scene.case, leg, sector);
            // The page cache fills up a page from whichever leg it reads, and
            // writes the page to all.
            let filled_up = scene.case.io.path == Path::Buffered
                && (!model::whole(scene.case).covers(sector) || shares_page(scene.case, sector))
                && (0..scene.case.legs.count).any(is);
            let untouched = is(leg) || old == (Origin::Leg(leg), disk_sector);
            if generation == 0 && (untouched || filled_up) {
                Ok(Old)
            } else {
                Err(format!(
                    "holds sector {number} of {origin:?}, generation {generation}"
                ))
            }
        }
        What::Damaged { good } => Err(format!("is torn within: its first {good} bytes are sound")),
        What::Zero if matches!(scene.case.io.op, Op::Discard | Op::WriteZeroes) => Ok(New),
        What::Prefill | What::Zero | What::Foreign => {
            Err("holds bytes that nobody wrote".to_owned())
        }
    }
}

/// Whether several requests of a buffered I/O share the sector's page. The page
/// is then written once for each request, the first time with some of the old
/// content.
fn shares_page(case: &Case, sector: u64) -> bool {
    let page = model::rounded(Unit { sector, sectors: 1 });
    let parts = case.io.parts().into_iter();
    let parts = parts.filter(|(sector, sectors)| {
        page.meets(Unit {
            sector: *sector,
            sectors: *sectors,
        })
    });
    case.io.path == Path::Buffered && parts.count() > 1
}

/// Whether the medium carried out a request although its disk was unplugged
/// with it.
fn done_all_the_same(scene: &Scene<'_>, leg: u8, sector: u64) -> bool {
    let unplugged = facts::unplugged_leg(scene.case);
    let mut ways = model::ways_to(scene.case, leg).filter(|way| unplugged == Some(*way));
    ways.any(|way| {
        let first = sector + model::offset(scene.case, way);
        scene.seen.journal.iter().any(|entry| {
            (entry.member, entry.layer) == (Member::Leg(way), Layer::Medium)
                && entry.command == Command::Write
                && entry.result == Some(0)
                && (entry.sector..entry.sector.saturating_add(entry.sectors)).contains(&first)
        })
    })
}

fn allowed(scene: &Scene<'_>, leg: u8, sector: u64, writes: &[Entry]) -> Allowed {
    let case = scene.case;
    let range = reached(case);
    if case.io.op == Op::Read || scene.expected.refused || !range.covers(sector) {
        return Allowed::Old;
    }
    // The page cache writes whole pages: outside of the request the content
    // stays old.
    if !model::whole(case).covers(sector) {
        return Allowed::Old;
    }
    let refused_always = model::ways_to(case, leg).all(|way| {
        case.faults.iter().any(|fault| {
            fault.op == case.op_on_legs()
                && fault.leg == way
                && fault.sector == sector
                && fault.times == Times::Always
        })
    });
    if refused_always {
        return Allowed::Old;
    }
    // A device that tells decides this itself: what it reported as written is
    // written, and what no request reached is not.
    let done = |entry: &Entry| {
        let sectors = match (entry.target_reply, entry.result) {
            (Some(told), _) => told.good,
            (None, Some(0)) => entry.sectors,
            (None, _) => 0,
        };
        (entry.sector..entry.sector.wrapping_add(sectors)).contains(&sector)
    };
    let must = scene
        .expected
        .units
        .iter()
        .any(|unit| unit.unit.covers(sector) && unit.good.contains(&leg));
    if writes.iter().any(done) || done_all_the_same(scene, leg, sector) {
        return match !must && shares_page(case, sector) {
            true => Allowed::Either,
            false => Allowed::New,
        };
    }
    match must {
        true => Allowed::New,
        // The device tells exactly how far it got.
        false if scene.failure_handling.progress => Allowed::Old,
        false => Allowed::Either,
    }
}

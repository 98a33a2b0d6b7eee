//! What a read delivered. Every sector says which one it is and where it lay.

use super::{Scene, difference};
use crate::model;
use crate::units::Unit;
use halfway_case::verdict::{Difference, Witness};
use halfway_case::{Case, Paths};
use halfway_protocol::content::{Origin, SECTOR, Span, What};
use halfway_protocol::io::{Op, OpReport};

pub fn differences(scene: &Scene<'_>) -> Vec<Difference> {
    if scene.case.io.op != Op::Read {
        return Vec::new();
    }
    let Some(report) = scene.report() else {
        return Vec::new();
    };
    let parts = scene.case.io.parts();
    report
        .ops
        .iter()
        .zip(parts)
        .enumerate()
        .flat_map(|(index, (op, (sector, sectors)))| {
            request(scene, index, op, Unit { sector, sectors })
        })
        .collect()
}

fn request(scene: &Scene<'_>, index: usize, op: &OpReport, range: Unit) -> Vec<Difference> {
    let arrived = match op.result {
        Ok(bytes) => bytes / SECTOR as u64,
        Err(_) => 0,
    };
    let mut found = Vec::new();
    let mut from_legs: Vec<(u64, u8)> = Vec::new();
    let mut covered = 0;
    for span in &op.content {
        covered += span.sectors;
        for step in 0..span.sectors {
            let at = span.at + step;
            let sector = range.sector + at;
            match judge_sector(scene, span, step, range, at < arrived) {
                Ok(Some(leg)) => from_legs.push((sector, leg)),
                Ok(None) => {}
                Err(what) => {
                    found.push(difference(
                        Witness::Content,
                        format!("request {index}: sector {sector} {what}"),
                    ));
                    // The rest of the span is wrong in the same way.
                    break;
                }
            }
        }
    }
    if covered != range.sectors {
        found.push(difference(
            Witness::Content,
            format!(
                "request {index}: {covered} sectors of {} were examined",
                range.sectors
            ),
        ));
    }
    if found.is_empty() && arrived == range.sectors {
        found.extend(mixed_units(scene, index, range, &from_legs));
    }
    found
}

/// The leg that a sector came from, or what is wrong with the sector.
/// `Ok(None)` where the sector need not have arrived.
fn judge_sector(
    scene: &Scene<'_>,
    span: &Span,
    step: u64,
    request: Unit,
    arrived: bool,
) -> Result<Option<u8>, String> {
    let case = scene.case;
    let sector = request.sector + span.at + step;
    match span.what {
        What::Stamp {
            origin,
            generation,
            sector: first,
        } => {
            let number = first + step;
            let leg = (0..case.legs.count).find(|leg| {
                generation == 0 && model::content_of(case, *leg, sector) == (origin, number)
            });
            match (leg, origin) {
                (Some(_), _) if !arrived => Ok(None),
                (Some(leg), _) => allowed(scene, leg, sector, request).map(Some),
                (None, Origin::Leg(leg)) => Err(format!(
                    "holds sector {} of leg {leg}",
                    i128::from(number) - i128::from(model::offset(case, leg))
                )),
                (None, other) => Err(format!("holds sector {number} of {other:?}")),
            }
        }
        What::Prefill if !arrived => Ok(None),
        What::Prefill => Err("was never filled: it holds what the buffer held before".to_owned()),
        What::Zero if !arrived && (scene.failure_handling.pads || zeroed(case)) => Ok(None),
        What::Zero => Err("is all zeros, which lie on no leg".to_owned()),
        What::Damaged { good } => Err(format!(
            "is a mixture: only its first {good} bytes are what it claims to be"
        )),
        What::Foreign => Err("holds bytes that lie on no leg".to_owned()),
    }
}

/// Whether the kernel itself may fill with zeros what could not be read. dm-io
/// zeroes what is left of a bio that failed (`endio` in drivers/md/dm-io.c).
/// That is all of the bio if the leg takes bios, as a multipath in bio mode
/// does; what a driver leaves is in its controller's profile.
fn zeroed(case: &Case) -> bool {
    let takes_bios = |paths: &Paths| !paths.multipath.queue_mode.is_request_based();
    let left = case
        .legs
        .controller
        .profile()
        .failure_handling
        .zeroed_by_dm_io;
    left && case.stack.target().uses_dm_io() || case.stack.nested().is_some_and(takes_bios)
}

fn allowed(scene: &Scene<'_>, leg: u8, sector: u64, request: Unit) -> Result<u8, String> {
    // If the legs are alike, the sector does not tell which one it came from.
    if model::alike(scene.case) {
        return Ok(leg);
    }
    let mut units = scene.expected.units.iter();
    let of_request = |unit: Unit| unit.covers(sector) && model::is_piece(scene.case, unit, request);
    let unit = units.find(|unit| of_request(unit.unit));
    match unit {
        Some(unit) if !unit.good.contains(&leg) => Err(format!(
            "came from {}, and a correct kernel takes it from {}",
            legs(&scene.legs(&[leg])),
            legs(&scene.legs(&unit.good))
        )),
        _ => Ok(leg),
    }
}

/// Each unit is read whole from one leg.
fn mixed_units(
    scene: &Scene<'_>,
    index: usize,
    request: Unit,
    from_legs: &[(u64, u8)],
) -> Vec<Difference> {
    let whole = scene.case.io.path == halfway_protocol::io::Path::Direct;
    let mut found = Vec::new();
    let units = scene.expected.units.iter();
    for unit in units.filter(|unit| whole && unit.unit.lies_in(request)) {
        let mut legs = from_legs
            .iter()
            .filter(|(sector, _)| unit.unit.covers(*sector))
            .map(|(_, leg)| *leg);
        if let Some(first) = legs.next()
            && let Some(other) = legs.find(|leg| *leg != first)
        {
            found.push(difference(
                Witness::Content,
                format!(
                    "request {index}: sectors {}+{} are a mixture of leg {first} and leg {other}, \
                     so they were not resubmitted whole",
                    unit.unit.sector, unit.unit.sectors
                ),
            ));
        }
    }
    found
}

/// Legs in words: `leg 1`, or `leg 1 or 2`, or `no leg`.
pub fn legs(legs: &[u8]) -> String {
    if legs.is_empty() {
        return "no leg".to_owned();
    }
    let numbers: Vec<String> = legs.iter().map(u8::to_string).collect();
    format!("leg {}", numbers.join(" or "))
}

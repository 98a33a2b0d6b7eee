//! The bio vectors, as the contract watcher saw them.

use super::{Scene, difference};
use crate::contract::{follow, holes, summary};
use halfway_case::verdict::{Difference, Witness};
use halfway_protocol::bio::BioTrace;
use halfway_protocol::trace::Kind;

/// Vectors that were changed while their bios were with a driver.
pub fn differences(scene: &Scene<'_>) -> Vec<Difference> {
    match &scene.seen.seen.bios {
        Some(Ok(bios)) if missed_sightings(scene, bios) == 0 => follow(bios)
            .violations
            .iter()
            .map(|violation| difference(Witness::Contract, violation.words(bios)))
            .collect(),
        _ => Vec::new(),
    }
}

/// Why the vectors were not checked, although the case asks for it and the
/// guest can do it.
pub fn unchecked(scene: &Scene<'_>) -> Option<String> {
    let Some(Ok(bios)) = &scene.seen.seen.bios else {
        return None;
    };
    let lost = missed_sightings(scene, bios);
    if lost > 0 {
        return Some(format!(
            "the contract watcher lost {lost} sightings of bios"
        ));
    }
    let mut queued = scene.seen.seen.trace.iter();
    let queued = queued.any(|event| event.kind == Kind::BioQueue && event.sectors > 0);
    (queued && bios.events.is_empty())
        .then(|| "the tracepoints show bios, and the contract watcher saw none".to_owned())
}

fn missed_sightings(scene: &Scene<'_>, bios: &BioTrace) -> u64 {
    holes(bios, &scene.seen.seen.trace)
}

/// The watcher's result in one line; empty if it was not used.
pub fn contract_words(scene: &Scene<'_>) -> String {
    match &scene.seen.seen.bios {
        None => String::new(),
        Some(Ok(bios)) => summary(bios, &follow(bios), missed_sightings(scene, bios)),
        Some(Err(refusal)) => format!("not watched: {refusal}"),
    }
}

//! What brought each request back: the kernel by itself, or something that was done for
//! it, and that the right thing.

use super::{Scene, difference};
use crate::model;
use halfway_case::Meanwhile;
use halfway_case::observation::Deed;
use halfway_case::verdict::{Difference, Witness};
use halfway_protocol::io::OpReport;

/// Nothing is said of a record from before deeds were told.
pub fn differences(scene: &Scene<'_>) -> Vec<Difference> {
    let (Some(deeds), Some(report)) = (&scene.seen.deeds, scene.report()) else {
        return Vec::new();
    };
    let found = [
        targets(scene, deeds, &report.ops),
        released(scene, deeds, &report.ops),
        reset(deeds, &report.ops),
    ];
    found.into_iter().flatten().collect()
}

/// Deeds that are told to the target, by somebody who waits for the I/O. What is done to
/// the disks a target knows nothing of, nor does one that works through need what is
/// done to it.
fn of_operator(scene: &Scene<'_>, deed: Deed) -> bool {
    let disks = matches!(deed, Deed::Reset(_) | Deed::Release(_));
    !disks && scene.seen.repair.is_some()
}

fn brought(deeds: &[Deed], op: &OpReport) -> Option<Deed> {
    let last = (op.after as usize).checked_sub(1)?;
    deeds.get(last).copied()
}

/// What a target holds comes back at the deed that must bring it back; what it does not
/// hold needs none.
fn targets(scene: &Scene<'_>, deeds: &[Deed], ops: &[OpReport]) -> Option<Difference> {
    let correct = model::brought_back(scene.case, scene.expected);
    let mut requests = ops.iter().zip(&correct).enumerate();
    requests.find_map(|(index, (op, correct))| {
        let deed = brought(deeds, op).filter(|deed| of_operator(scene, *deed));
        (!correct.contains(&deed)).then(|| {
            let correct: Vec<String> = correct.iter().map(|deed| words(*deed)).collect();
            difference(
                Witness::Liveness,
                format!(
                    "request {index} came back {}, correct is {}",
                    words(deed),
                    correct.join(", or ")
                ),
            )
        })
    })
}

fn words(deed: Option<Deed>) -> String {
    match deed {
        None => "by itself".to_owned(),
        Some(deed) => format!("after {deed}"),
    }
}

/// No request is back while a disk keeps a part of it, but one that its driver gave up.
fn released(scene: &Scene<'_>, deeds: &[Deed], ops: &[OpReport]) -> Option<Difference> {
    let meanwhile = scene.case.holds.first()?.meanwhile;
    let gives_up = matches!(meanwhile, Meanwhile::Timeout | Meanwhile::Unplug);
    if gives_up || model::races_recovery(scene.case) {
        return None;
    }
    let parts = scene.case.io.parts();
    let mut requests = ops.iter().zip(&parts).enumerate();
    requests.find_map(|(index, (op, (sector, sectors)))| {
        let kept = |hold: u8| {
            let holds = scene.case.holds.get(usize::from(hold));
            holds.is_some_and(|hold| (*sector..sector + sectors).contains(&hold.sector))
        };
        let last = deeds
            .iter()
            .rposition(|deed| matches!(deed, Deed::Release(hold) if kept(*hold)))?;
        ((op.after as usize) <= last).then(|| {
            difference(
                Witness::Liveness,
                format!("request {index} came back before {}", deeds[last]),
            )
        })
    })
}

/// One request is not back while a command of it has no answer.
fn reset(deeds: &[Deed], ops: &[OpReport]) -> Option<Difference> {
    let [op] = ops else {
        return None;
    };
    let last = (deeds.iter()).rposition(|deed| matches!(deed, Deed::Reset(_)))?;
    ((op.after as usize) <= last).then(|| {
        difference(
            Witness::Liveness,
            format!("the request came back before {}", deeds[last]),
        )
    })
}

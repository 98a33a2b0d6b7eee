//! What brought each request back: the kernel by itself, or an intervention,
//! and then the right one.

use super::{Scene, difference};
use crate::model;
use halfway_case::observation::Intervention;
use halfway_case::verdict::{Difference, Witness};
use halfway_protocol::io::OpReport;

/// A record from before interventions were recorded gives no difference.
pub fn differences(scene: &Scene<'_>) -> Vec<Difference> {
    let (Some(interventions), Some(report)) = (&scene.seen.interventions, scene.report()) else {
        return Vec::new();
    };
    let found = [
        targets(scene, interventions, &report.ops),
        released(scene, interventions, &report.ops),
        reset(interventions, &report.ops),
    ];
    found.into_iter().flatten().collect()
}

/// Whether an intervention is one on the target, by an operator who waits for
/// the I/O. The target does not see what is done to the disks, and a target
/// that works through needs no intervention.
fn of_operator(scene: &Scene<'_>, intervention: Intervention) -> bool {
    let disks = matches!(
        intervention,
        Intervention::Reset(_) | Intervention::Release(_)
    );
    !disks && scene.seen.repair.is_some()
}

fn brought(interventions: &[Intervention], op: &OpReport) -> Option<Intervention> {
    let last = (op.after as usize).checked_sub(1)?;
    interventions.get(last).copied()
}

/// A request that the target holds must come back at the intervention that
/// brings it back; any other request must come back without one.
fn targets(
    scene: &Scene<'_>,
    interventions: &[Intervention],
    ops: &[OpReport],
) -> Option<Difference> {
    let correct = model::brought_back(scene.case, scene.expected);
    let mut requests = ops.iter().zip(&correct).enumerate();
    requests.find_map(|(index, (op, correct))| {
        let intervention =
            brought(interventions, op).filter(|intervention| of_operator(scene, *intervention));
        (!correct.contains(&intervention)).then(|| {
            let correct: Vec<String> = correct
                .iter()
                .map(|intervention| after_what(*intervention))
                .collect();
            difference(
                Witness::Liveness,
                format!(
                    "request {index} came back {}, correct is {}",
                    after_what(intervention),
                    correct.join(", or ")
                ),
            )
        })
    })
}

fn after_what(intervention: Option<Intervention>) -> String {
    match intervention {
        None => "by itself".to_owned(),
        Some(intervention) => format!("after {intervention}"),
    }
}

/// No request comes back while a disk holds a part of it, except one that its
/// driver gave up.
fn released(
    scene: &Scene<'_>,
    interventions: &[Intervention],
    ops: &[OpReport],
) -> Option<Difference> {
    if scene.case.meanwhile().profile().disk_gives_up || model::races_recovery(scene.case) {
        return None;
    }
    let parts = scene.case.io.parts();
    let mut requests = ops.iter().zip(&parts).enumerate();
    requests.find_map(|(index, (op, (sector, sectors)))| {
        let kept = |hold: u8| {
            let holds = scene.case.holds.get(usize::from(hold));
            holds.is_some_and(|hold| (*sector..sector + sectors).contains(&hold.sector))
        };
        let last = interventions.iter().rposition(
            |intervention| matches!(intervention, Intervention::Release(hold) if kept(*hold)),
        )?;
        ((op.after as usize) <= last).then(|| {
            difference(
                Witness::Liveness,
                format!("request {index} came back before {}", interventions[last]),
            )
        })
    })
}

/// The request does not come back while one of its commands has no answer.
fn reset(interventions: &[Intervention], ops: &[OpReport]) -> Option<Difference> {
    let [op] = ops else {
        return None;
    };
    let last = (interventions.iter())
        .rposition(|intervention| matches!(intervention, Intervention::Reset(_)))?;
    ((op.after as usize) <= last).then(|| {
        difference(
            Witness::Liveness,
            format!("the request came back before {}", interventions[last]),
        )
    })
}

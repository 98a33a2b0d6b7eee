//! What brought each request back: the kernel by itself, or something that was done for
//! it, and that the right thing.

use super::{Scene, difference};
use crate::model;
use halfway_case::observation::Intervention;
use halfway_case::verdict::{Difference, Witness};
use halfway_protocol::io::OpReport;

/// Nothing is said of a record from before interventions were told.
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

/// Interventions that are told to the target, by somebody who waits for the I/O. What is done to
/// the disks a target knows nothing of, nor does one that works through need what is
/// done to it.
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

/// What a target holds comes back at the intervention that must bring it back; what it does not
/// hold needs none.
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

/// No request is back while a disk keeps a part of it, but one that its driver gave up.
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

/// One request is not back while a command of it has no answer.
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

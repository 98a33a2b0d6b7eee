//! What the application was told, and whether its memory is sound.

use super::{Scene, difference};
use crate::model::Answer;
use halfway_case::observation::Observation;
use halfway_case::verdict::{Difference, Witness};
use halfway_protocol::io::IoState;

/// Whether every request came back with that errno.
pub fn are_all(seen: &Observation, errno: i32) -> bool {
    let Some(IoState::Done(report)) = seen.last_io() else {
        return false;
    };
    !report.ops.is_empty() && report.ops.iter().all(|op| op.result == Err(errno))
}

pub fn differences(scene: &Scene<'_>) -> Vec<Difference> {
    let Some(report) = scene.report() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    if report.ops.len() != scene.expected.answers.len() {
        found.push(difference(
            Witness::Application,
            format!(
                "{} requests were made, {} were answered",
                scene.expected.answers.len(),
                report.ops.len()
            ),
        ));
    }
    for (index, (op, correct)) in report.ops.iter().zip(&scene.expected.answers).enumerate() {
        if !correct.contains(&op.result) {
            let correct: Vec<String> = correct.iter().map(answer_words).collect();
            found.push(difference(
                Witness::Application,
                format!(
                    "request {index} was answered with {}, correct is {}",
                    answer_words(&op.result),
                    correct.join(" or ")
                ),
            ));
        }
        if let Some(first) = op.guard_damage.first() {
            found.push(difference(
                Witness::Guards,
                format!(
                    "request {index}: the byte {} of segment {} was overwritten with {:#04x} \
                     ({} such bytes, or more)",
                    place(first.distance),
                    first.segment,
                    first.found,
                    op.guard_damage.len()
                ),
            ));
        }
        if let Some(first) = op.buffer_changed.first() {
            found.push(difference(
                Witness::Content,
                format!("request {index}: the buffer that was written changed at byte {first}"),
            ));
        }
    }
    found
}

fn place(distance: i32) -> String {
    if distance < 0 {
        format!("{} before the start", -distance)
    } else {
        format!("{} behind the end", distance + 1)
    }
}

fn answer_words(answer: &Answer) -> String {
    match answer {
        Ok(bytes) => format!("{bytes} bytes"),
        Err(errno) => std::io::Error::from_raw_os_error(*errno).to_string(),
    }
}

//! What multipathd did, if there is one, with its map and with the paths.

use super::{Scene, difference};
use halfway_case::NoPathRetry;
use halfway_case::facts;
use halfway_case::verdict::{Difference, Witness};

/// Microseconds between two checks of a path, as configured
/// (`polling_interval`).
const CHECK: u64 = 1_000_000;

pub fn differences(scene: &Scene<'_>) -> Vec<Difference> {
    let Some(retry) = scene.case.stack.no_path_retry() else {
        return Vec::new();
    };
    let found = [
        queueing(scene, retry),
        reinstated(scene),
        patience(scene, retry),
    ];
    found.into_iter().flatten().collect()
}

/// Why the case proves nothing: it is not shown that multipathd did its part.
/// `None` if it is.
pub fn inconclusive_multipathd(scene: &Scene<'_>) -> Option<String> {
    scene.case.stack.no_path_retry()?;
    if scene.seen.status_at_end.is_none() || scene.seen.table.is_none() {
        return Some("it was not seen what multipathd did".to_owned());
    }
    // The I/O must have waited for the disk, not only for multipathd.
    let waited = scene.expected.held && facts::hba_back(scene.case).is_some();
    let interventions = scene
        .seen
        .repair
        .as_ref()
        .map_or(0, |repair| repair.interventions.len());
    (waited && interventions == 0).then(|| "the I/O came back before its HBA did".to_owned())
}

/// While I/O is to wait for a path, the map must queue it (`set_no_path_retry`
/// in libmultipath/structs_vec.c).
fn queueing(scene: &Scene<'_>, retry: NoPathRetry) -> Option<Difference> {
    let table = scene.seen.table.as_deref()?;
    let queues = table.contains("queue_if_no_path");
    let correct = match retry {
        NoPathRetry::Fail => false,
        NoPathRetry::Queue => true,
        // After its checks multipathd has given up.
        NoPathRetry::Checks(_) => !scene.expected.held,
    };
    let words = |queues: bool| if queues { "queues" } else { "fails" };
    (queues != correct).then(|| {
        difference(
            Witness::Status,
            format!(
                "without a path the map {} I/O, correct is that it {} it: {table}",
                words(queues),
                words(correct)
            ),
        )
    })
}

/// Once all disks are in order, so must all paths be.
fn reinstated(scene: &Scene<'_>) -> Option<Difference> {
    let line = scene.seen.status_at_end.as_ref()?.targets.first();
    let text = line.map_or("there is none", String::as_str);
    let health = scene.case.stack.health(text).unwrap_or_default();
    let all = health.len() == usize::from(scene.case.legs.count);
    let reinstated = all && health.iter().all(|path| *path == 'A');
    (!reinstated).then(|| {
        difference(
            Witness::Status,
            format!(
                "all disks were in order again, and multipathd did not reinstate all paths: {text}"
            ),
        )
    })
}

/// An I/O for which no path comes back must not fail before the last of the
/// checks. The first check may come at once.
fn patience(scene: &Scene<'_>, retry: NoPathRetry) -> Option<Difference> {
    let NoPathRetry::Checks(checks) = retry else {
        return None;
    };
    let micros = scene.report().filter(|_| scene.expected.held)?.micros;
    let least = u64::from(checks.saturating_sub(1)) * CHECK;
    (micros < least).then(|| {
        difference(
            Witness::Liveness,
            format!(
                "the I/O failed after {} ms, before {checks} checks of the paths, one a second",
                micros / 1000
            ),
        )
    })
}

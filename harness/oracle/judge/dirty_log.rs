//! What a mirror's log on a disk says after the I/O. A restarted mirror takes
//! the regions that are clean in the log for in sync (`disk_resume` in
//! drivers/md/dm-log.c copies the clean bits to the sync bits), and reads them
//! from any leg.

use super::{Scene, difference, state};
use halfway_case::observation::Liveness;
use halfway_case::verdict::{Difference, Witness};

/// A region in which a leg missed a write must not be clean in the log. Its
/// clean bit is cleared before the write, and set again only after a write that
/// all legs have (`dm_rh_dec`, `dm_rh_update_states`).
///
/// Two cases are left out: a mirror that was repaired, whose log then belongs
/// to another table, and a log that failed itself, of which nothing is known.
pub fn differences(scene: &Scene<'_>) -> Vec<Difference> {
    let Some(region) = scene.case.stack.target().region_size().map(u64::from) else {
        return Vec::new();
    };
    let at_rest = scene.seen.repair.is_none()
        && scene.seen.liveness == Liveness::Alive
        && scene.case.other_faults.is_empty()
        && scene.expected.log == Some('A');
    // Records of earlier versions have no log.
    let (true, Some(log)) = (at_rest, &scene.seen.log) else {
        return Vec::new();
    };
    let regions = scene.case.legs.sectors.div_ceil(region);
    if log.regions != regions {
        let text = format!(
            "the log on its disk counts {} regions, the mirror has {regions}",
            log.regions
        );
        return vec![difference(Witness::Medium, text)];
    }
    let missed = state::unsynced(scene);
    let wrongly = missed.iter().filter(|region| log.clean.contains(region));
    wrongly
        .map(|region| {
            let text = format!(
                "the log on its disk calls region {region} clean, of which a leg missed a write: \
                 a restarted mirror would read it from any leg"
            );
            difference(Witness::Medium, text)
        })
        .collect()
}

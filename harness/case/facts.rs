//! Facts of a case that whoever performs it and whoever judges it both need, each for
//! itself: neither asks the other.

use crate::{Case, Disk, During, Fault, Meanwhile, Sync, Times};
use std::collections::BTreeSet;

/// Where the mirror starts on a leg, in sectors.
pub fn offset(case: &Case, leg: u8) -> u64 {
    case.legs.offset.get(usize::from(leg)).copied().unwrap_or(0)
}

/// Whether a disk of the stack is unplugged while it has a request of the I/O.
pub fn unplugs(case: &Case) -> bool {
    case.meanwhile() == Meanwhile::Unplug
}

/// The leg that is unplugged while it has a request of the I/O, if one is.
pub fn unplugged_leg(case: &Case) -> Option<u8> {
    let hold = case.holds.first()?;
    unplugs(case).then_some(hold.leg)
}

/// Whether the I/O meets the recovery of its own region.
pub fn races_recovery(case: &Case) -> bool {
    case.stack.target().sync() == Some(Sync::Syncing)
}

/// The regions that the mirror cannot recover while it is set up.
pub fn unrecovered(case: &Case) -> BTreeSet<u64> {
    let Some(region) = case.stack.target().region_size() else {
        return BTreeSet::new();
    };
    let faults = case.other_faults_of(Disk::Leg, During::SetUp);
    faults
        .map(|fault| fault.sector / u64::from(region))
        .collect()
}

/// Whether device-mapper sends an event of each leg that the I/O makes fail
/// (`trigger_event` of either target): of errors that a mirror does not handle it
/// tells nobody, and of what failed before the I/O it told before it.
pub fn tells_of_failures(case: &Case) -> bool {
    case.stack.target().tells_of_failures()
        && !case
            .other_faults
            .iter()
            .any(|other| other.during == During::SetUp)
}

/// The path whose HBA comes back while an I/O waits for one.
pub fn hba_back(case: &Case) -> Option<u8> {
    let mut faults: Vec<&Fault> = case.faults.iter().collect();
    faults.sort_by_key(|fault| fault.leg);
    let back = faults.iter().find(|fault| fault.times != Times::Always);
    back.map(|fault| fault.leg)
}

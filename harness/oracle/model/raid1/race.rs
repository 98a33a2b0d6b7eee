//! An I/O to a region that is being recovered, while a disk holds the
//! recovery's request.

use crate::model::{Expectation, UnitExpectation, Unknown, races_recovery, whole};
use crate::units::Unit;
use halfway_case::{Case, Ending, Log, Meanwhile, Raid1, Sync};
use halfway_protocol::io::{Op, Path};

/// 512-byte sectors that kcopyd copies in one piece on every kernel
/// (`SUB_JOB_SIZE` in drivers/md/dm-kcopyd.c; later kernels have a parameter,
/// which is larger).
const ONE_COPY: u32 = 128;

/// Whether the model knows the outcome of this race.
///
/// # Errors
///
/// If it does not, the reason.
pub fn knows_race(case: &Case, mirror: &Raid1) -> Result<(), Unknown> {
    if mirror.sync != Sync::Syncing {
        return Ok(());
    }
    let [hold] = case.holds.as_slice() else {
        return Err(Unknown(
            "a mirror is synchronised during the I/O; which comes first depends on timing: hold \
             the recovery's request to one leg",
        ));
    };
    if hold.then != Ending::Ok || hold.meanwhile != Meanwhile::Nothing {
        return Err(Unknown(
            "the recovery's request is held; known is what comes of an I/O if it then ends well",
        ));
    }
    let others = !case.faults.is_empty() || !case.other_faults.is_empty() || case.linear.is_some();
    if others || mirror.log != Log::Core || case.legs.max_sectors_kb.is_some() {
        return Err(Unknown(
            "a recovery is held, and something else is to happen too: leave out faults, `linear`, \
             `max_sectors_kb` and a log on a disk",
        ));
    }
    let moves_data = matches!(case.io.op, Op::Read | Op::Write) && case.io.path == Path::Direct;
    if !moves_data || case.io.dsync || case.io.requests > 1 {
        return Err(Unknown(
            "of an I/O to a region that is being recovered only one direct read or write is known",
        ));
    }
    let region = u64::from(mirror.region_size);
    let last = case.io.sector + case.io.sectors - 1;
    let inside = case.io.sector / region == last / region && case.io.sectors < region;
    if mirror.region_size > ONE_COPY || !inside {
        return Err(Unknown(
            "an I/O is told from the recovery by being a part of one region: let it be shorter \
             than the region, and the region of 128 sectors or less",
        ));
    }
    Ok(())
}

/// A region that is not in sync is read from the default leg, and the read does
/// not wait for the recovery (`do_reads`: `region_in_sync` is false, so it
/// takes `get_default_mirror`). A write to a region that is being recovered
/// waits until that is done (`do_writes`: `dm_rh_delay`); then it goes to all
/// legs.
pub fn expect(case: &Case, units: &[Unit]) -> Expectation {
    let legs = case.legs.count;
    let reads = case.io.op == Op::Read;
    let users: Vec<u8> = if reads { vec![0] } else { (0..legs).collect() };
    let times = |leg: u8| u32::from(users.contains(&leg));
    let unit = |&unit: &Unit| UnitExpectation {
        unit,
        order: reads.then(|| users.clone()),
        good: users.clone(),
        one_of: Vec::new(),
        asked: (0..legs).map(|leg| (times(leg), times(leg))).collect(),
    };
    Expectation {
        units: units.iter().map(unit).collect(),
        ..Expectation::undisturbed(case)
    }
}

/// Whether a range on the dm device is one that the recovery of a region
/// copies.
pub fn is_copy(case: &Case, range: Unit) -> bool {
    case.stack.target().region_size().is_some_and(|region| {
        let region = u64::from(region);
        races_recovery(case) && range.sectors == region && range.sector.is_multiple_of(region)
    })
}

/// The range that the recovery copies of the region that the I/O lies in.
pub fn copied(case: &Case) -> Unit {
    let region = case.stack.target().region_size().map_or(1, u64::from);
    Unit {
        sector: whole(case).sector / region * region,
        sectors: region,
    }
}

//! A mirror that could not recover some of its regions.
//!
//! The recovery tries each region once (`core_get_resync_work`). A region that
//! fails stays out of sync, and the leg that it failed on counts as failed
//! (`recovery_complete`).

use super::{bytes, others};
use crate::model::{
    EIO, Expectation, UnitExpectation, Unknown, fault_meets, indices, is_piece, splits,
    unrecovered, whole, whole_answers,
};
use crate::units::{self, Unit};
use halfway_case::{Case, Disk, During, Fault, Raid1, Times};
use halfway_protocol::io::{Op, Path};

pub fn knows_recovery(case: &Case, mirror: &Raid1) -> Result<(), Unknown> {
    let faults: Vec<&Fault> = case.other_faults_of(Disk::Leg, During::SetUp).collect();
    if faults.is_empty() {
        return Ok(());
    }
    let meets = |fault: &&Fault| {
        (fault.op == Op::Read && fault.leg == 0) || (fault.op == Op::Write && fault.leg > 0)
    };
    if !faults.iter().all(meets) {
        return Err(Unknown(
            "a recovery reads leg 0 and writes the others: no other fault can be met",
        ));
    }
    let source_fails = source_fails(case);
    if source_fails && faults.iter().any(|fault| fault.op == Op::Write) {
        return Err(Unknown(
            "the source and a destination of the recovery fail; which is met first depends on \
             timing",
        ));
    }
    if (!case.faults.is_empty() || !mirror.handle_errors) && !nowhere_left(case, mirror) {
        return Err(Unknown(
            "what a mirror that is out of sync does with further errors, or with any it does not \
             handle, is not worked out",
        ));
    }
    if case.io.path != Path::Direct || !matches!(case.io.op, Op::Read | Op::Write) {
        return Err(Unknown(
            "of a mirror that is out of sync only direct reads and writes are known",
        ));
    }
    let pieces = units::nominal(&case.io.parts(), &case.boundaries());
    let bad = unrecovered(case);
    let mut out_of_sync = pieces.iter().filter(|unit| is_bad(&bad, mirror, **unit));
    if case.io.op == Op::Write && source_fails && out_of_sync.next().is_some() {
        return Err(Unknown(
            "a region is written whose only good copy is on the leg that failed: what the operator \
             is to do is not known",
        ));
    }
    Ok(())
}

/// Whether the I/O reads what no leg has, of a mirror that handles no errors: its region
/// could be copied to none of the other legs, and leg 0 fails it.
fn nowhere_left(case: &Case, mirror: &Raid1) -> bool {
    let region = |sector: u64| sector / u64::from(mirror.region_size);
    let pieces = units::nominal(&case.io.parts(), &case.boundaries());
    let [piece] = pieces.as_slice() else {
        return false;
    };
    let not_copied = |leg: u8| {
        let mut faults = case.other_faults_of(Disk::Leg, During::SetUp);
        faults.any(|fault| fault.leg == leg && region(fault.sector) == region(piece.sector))
    };
    let meets = |fault: &Fault| fault_meets(fault, Op::Read, 0, *piece);
    let lasts = |fault: &Fault| fault.times == Times::Always;
    !mirror.handle_errors
        && case.io.op == Op::Read
        && (1..case.legs.count).all(not_copied)
        && case.faults.iter().any(meets)
        && case
            .faults
            .iter()
            .all(|fault| fault.leg == 0 && lasts(fault))
        && case.other_faults_of(Disk::Leg, During::SetUp).all(lasts)
}

/// The read of what no leg has is told so. That the mirror is not told to handle errors
/// lets it go on without a word of them (`DM_KCOPYD_IGNORE_ERROR` in `recover`), and does
/// not make another leg have the data. (Stock kernels count such a region as in sync, in
/// `dm_rh_update_states`, and read the other leg: results/findings.md.)
fn lost(case: &Case, units: &[Unit]) -> Expectation {
    let mut answers = whole_answers(case);
    answers.fill(vec![Err(EIO)]);
    let legs = usize::from(case.legs.count);
    let mut asked = vec![(0, 0); legs];
    asked[0] = (1, 1);
    let unit = |&unit: &Unit| UnitExpectation {
        unit,
        order: Some(vec![0]),
        good: Vec::new(),
        one_of: Vec::new(),
        asked: asked.clone(),
    };
    let mut health = vec!["A"; legs];
    health[0] = "R";
    for fault in case.other_faults_of(Disk::Leg, During::SetUp) {
        health[usize::from(fault.leg)] = "AS";
    }
    Expectation {
        answers,
        refused: false,
        held: false,
        units: units.iter().map(unit).collect(),
        health,
        active_group: None,
        log: None,
        beneath: Vec::new(),
        loses_sync: false,
        fires: indices(case, |fault| fault_meets(fault, Op::Read, 0, whole(case)))
            .take(1)
            .collect(),
        partial: !units.is_empty() && splits(case, units),
    }
}

fn source_fails(case: &Case) -> bool {
    let mut faults = case.other_faults_of(Disk::Leg, During::SetUp);
    faults.any(|fault| fault.op == Op::Read)
}

fn is_bad(bad: &std::collections::BTreeSet<u64>, mirror: &Raid1, unit: Unit) -> bool {
    bad.contains(&(unit.sector / u64::from(mirror.region_size)))
}

/// Reads: a region that is out of sync is read from the default leg alone, and
/// the read fails if that leg has failed (`do_reads`). The default leg is still
/// leg 0, since no other leg replaces it while the mirror is out of sync
/// (`fail_mirror`).
///
/// Writes: a write to such a region goes to the default leg if the log is kept
/// (`keep_log`), else it waits for an operator (`do_writes`).
///
/// The other regions are read from a leg without an error (`choose_mirror` goes
/// down from the default leg) and written to all legs.
pub fn expect(case: &Case, mirror: &Raid1, units: &[Unit]) -> Expectation {
    let legs = case.legs.count;
    if !mirror.handle_errors {
        return lost(case, units);
    }
    let bad = unrecovered(case);
    let source_fails = source_fails(case);
    let mut health = vec!["A"; usize::from(legs)];
    for fault in case.other_faults_of(Disk::Leg, During::SetUp) {
        health[usize::from(fault.leg)] = "S";
    }
    let reader = if source_fails { legs - 1 } else { 0 };
    let failed: Vec<u8> = (0..legs)
        .filter(|leg| health[usize::from(*leg)] != "A")
        .collect();
    let unit = |&unit: &Unit| {
        let out_of_sync = is_bad(&bad, mirror, unit);
        let users: Vec<u8> = match (case.io.op, out_of_sync) {
            (Op::Read, true) if source_fails => Vec::new(),
            (Op::Read, true) => vec![0],
            (Op::Read, false) => vec![reader],
            (_, true) if mirror.keep_log => vec![0],
            (_, true) => others(case, &failed),
            (_, false) => (0..legs).collect(),
        };
        let times = |leg: u8| u32::from(users.contains(&leg));
        UnitExpectation {
            unit,
            order: (case.io.op == Op::Read).then(|| users.clone()),
            good: users.clone(),
            one_of: Vec::new(),
            asked: (0..legs).map(|leg| (times(leg), times(leg))).collect(),
        }
    };
    let lost = |part: Unit| {
        let mut pieces = units.iter().filter(|unit| is_piece(case, **unit, part));
        case.io.op == Op::Read && source_fails && pieces.any(|unit| is_bad(&bad, mirror, *unit))
    };
    let mut answers = whole_answers(case);
    for (answer, &(sector, sectors)) in answers.iter_mut().zip(&case.io.parts()) {
        *answer = match lost(Unit { sector, sectors }) {
            true => vec![Err(EIO)],
            false => vec![Ok(bytes(sectors))],
        };
    }
    Expectation {
        answers,
        held: case.io.op == Op::Write
            && !mirror.keep_log
            && units.iter().any(|unit| is_bad(&bad, mirror, *unit)),
        units: units.iter().map(unit).collect(),
        health,
        ..Expectation::undisturbed(case)
    }
}

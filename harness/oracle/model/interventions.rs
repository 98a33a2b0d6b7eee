//! Which intervention brings back an I/O that its target holds: what the kernel
//! must do by itself, and at which action of an operator the I/O must come
//! back, no later.

use super::{Environment, Expectation, ends_with_fsync, fault_meets, is_piece, multipath, nested};
use crate::controller;
use crate::units::{self, Unit};
use halfway_case::facts;
use halfway_case::observation::Intervention;
use halfway_case::{Case, Fault, Stack, Times};
use halfway_protocol::io::{Op, Path};

/// For each request of the application what may bring it back: an intervention,
/// or `None` if it comes back by itself. Empty where that is not known.
///
/// - An I/O that waits for a path is restarted by the `reinstate_path` that
///   makes a path valid (`reinstate_path`), or failed by `fail_if_no_path`
///   (`queue_if_no_path`).
/// - A write that a mirror holds is requeued when the mirror is suspended
///   (`mirror_presuspend`, `hold_bio`), and tried again when it is resumed
///   (`__dm_resume`).
pub fn brought_back(case: &Case, expected: &Expectation) -> Vec<Vec<Option<Intervention>>> {
    let parts = case.io.parts();
    if !expected.held {
        return vec![vec![None]; parts.len()];
    }
    if !case.holds.is_empty() {
        return Vec::new();
    }
    let units: Vec<Unit> = expected.units.iter().map(|unit| unit.unit).collect();
    match (&case.stack, units.as_slice()) {
        (Stack::Raid1(mirror), _) => match &mirror.paths {
            Some(paths) if paths.multipath.queue_if_no_path => match units.as_slice() {
                [unit] => vec![vec![nested::brought_back(case, paths, expected, *unit)]],
                _ => Vec::new(),
            },
            _ => of_mirror(case, &units),
        },
        (Stack::Multipath(multipath), _) if multipath.no_path_retry.is_some() => {
            // With no HBA that comes back, multipathd gives up by itself.
            vec![vec![facts::hba_back(case).map(Intervention::HbaBack)]]
        }
        (Stack::Multipath(multipath), [unit]) => {
            let op = match case.faults.iter().any(|fault| fault.op == Op::Flush) {
                true => Op::Flush,
                false => case.op_on_legs(),
            };
            vec![vec![
                multipath::course(case, multipath, *unit, op).intervention,
            ]]
        }
        (Stack::Multipath(_), _) => Vec::new(),
    }
}

/// What brings back the requests of a mirror. A single request is the one that
/// is held. Of several requests, one that contains a fault is held for certain,
/// if the requests share no sector and no page (direct I/O without overlap).
/// Each other request is held or not, depending on when it meets the failure
/// (`do_writes`).
///
/// A suspension without flush hands back what is held before it blocks new I/O
/// (`mirror_presuspend`, `DMF_BLOCK_IO_FOR_SUSPEND`). So the mirror may send
/// the legs a flush once more in between, and a flush whose fault has worn off
/// comes back at the suspension. A write waits for the resume, since its region
/// is out of sync.
fn of_mirror(case: &Case, units: &[Unit]) -> Vec<Vec<Option<Intervention>>> {
    let parts = case.io.parts();
    let goes_well = |fault: &Fault| fault.op == Op::Flush && fault.times != Times::Always;
    if ends_with_fsync(case) && case.faults.iter().any(goes_well) {
        return vec![vec![Some(Intervention::Resume), Some(Intervention::Suspend)]; parts.len()];
    }
    let of_part = |&(sector, sectors): &(u64, u64)| {
        let part = Unit { sector, sectors };
        let pieces = units.iter().filter(|unit| is_piece(case, **unit, part));
        let fails = pieces.into_iter().any(|unit| {
            (case.faults.iter()).any(|fault| fault_meets(fault, Op::Write, fault.leg, *unit))
        });
        let alone = case.io.path == Path::Direct && case.io.overlap == 0;
        match parts.len() == 1 || fails && alone {
            true => vec![Some(Intervention::Resume)],
            false => vec![None, Some(Intervention::Resume)],
        }
    };
    parts.iter().map(of_part).collect()
}

/// The intervention at which the one request of `case` must come back, as far
/// as that is known before the I/O. If it is known, waiting for it is
/// worthwhile.
pub fn due(case: &Case) -> Option<Intervention> {
    let (case, _) = controller::as_dm_meets(case);
    let units = units::nominal(&case.io.parts(), &case.boundaries());
    let expected = super::expect(&case, &Environment::default(), &units);
    match brought_back(&case, &expected).as_slice() {
        [one] => one.first().copied().flatten(),
        _ => None,
    }
}

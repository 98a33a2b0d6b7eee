//! Which intervention brings back an I/O that its target holds: what the kernel
//! must do by itself, and at which action of an operator the I/O must come
//! back, no later.

use super::{Environment, Expectation, rules_of};
use crate::controller;
use crate::units::{self, Unit};
use halfway_case::Case;
use halfway_case::observation::Intervention;

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
    rules_of(&case.stack).brought_back(case, expected, &units)
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

//! Which faults of the SCSI target the model knows: those whose sense data it
//! knows how Linux handles.

use super::Unknown;
use crate::units;
use halfway_case::{Case, Fault, Times};
use halfway_protocol::io::Path;
use halfway_scsi::FaultReport;

/// 512-byte sectors of a request that is one command, however its memory is
/// laid out: QEMU's HBA takes 126 segments (`seg_max` in
/// hw/scsi/virtio-scsi.c).
const ONE_COMMAND: u64 = 800;

pub fn knows_reports(case: &Case) -> Result<(), Unknown> {
    let pieces = units::nominal(&case.io.parts(), &case.boundaries());
    let one_command = case.io.path == Path::Direct
        && case.legs.max_sectors_kb.is_none()
        && matches!(pieces.as_slice(), [piece] if piece.sectors <= ONE_COMMAND);
    for leg in 0..case.legs.count {
        let mut faults = case.faults.iter().filter(|fault| fault.leg == leg);
        let Some(first) = faults.next() else {
            continue;
        };
        let mut all = faults.clone().chain([first]);
        if faults.any(|fault| fault.report != first.report) {
            return Err(Unknown(
                "a leg reports its faults in several ways; which one a command meets depends on \
                 how the kernel cuts the I/O",
            ));
        }
        let wears_off = all.clone().any(|fault| fault.times != Times::Always);
        if first.report.is_some() && wears_off && (!one_command || all.clone().count() > 1) {
            return Err(Unknown(
                "a fault of the target wears off, and how many commands meet it depends on how \
                 the kernel cuts the I/O: ask for one direct request of at most 800 sectors, and \
                 for one fault on the leg",
            ));
        }
        let is = |what: fn(FaultReport) -> bool| first.report.is_some_and(what);
        let gone = is(FaultReport::is_gone) || is(FaultReport::is_offline);
        let more = case.io.dsync || all.any(|fault| fault.op != case.io.op);
        if gone && (!one_command || more) {
            return Err(Unknown(
                "an HBA that is gone, or a disk that is offline, fails all that it is asked for, \
                 not a sector of it: ask for one direct request of at most 800 sectors, without \
                 `dsync`",
            ));
        }
    }
    back(case)
}

/// Whether the outcome is known for HBAs that come back. [`Times::Count`] on a
/// report of a lost HBA means that it comes back.
fn back(case: &Case) -> Result<(), Unknown> {
    let gone = |fault: &&Fault| fault.report.is_some_and(FaultReport::is_gone);
    let counted = |fault: &Fault| fault.times != Times::Always;
    if !case.faults.iter().filter(gone).any(counted) {
        return Ok(());
    }
    if !case.stack.target().waits_without_path() {
        return Err(Unknown(
            "an HBA comes back when an operator reinstates its path: take multipath with \
             `queue_if_no_path`, or multipathd that lets it wait",
        ));
    }
    let other = case.faults.iter().filter(|fault| !gone(fault));
    if other.into_iter().any(counted) {
        return Err(Unknown(
            "an HBA comes back while the fault of another path wears off, which is armed anew \
             then",
        ));
    }
    Ok(())
}

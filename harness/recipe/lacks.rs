//! What of a case a script with null_blk and dm-flakey cannot play.

use halfway_case::{Case, Controller, Fault, OnError, Sync, Times, Vector};
use halfway_oracle::model::{self, EIO};
use halfway_protocol::io::{Op, Path};
use halfway_scsi::FaultReport;

/// Why a script cannot play `case`, a reason each; empty if it can.
pub fn lacks(case: &Case) -> Vec<String> {
    let mut why: Vec<String> = Vec::new();
    let mut if_so = |so: bool, text: &str| {
        if so && !why.iter().any(|one| one == text) {
            why.push(text.to_owned());
        }
    };
    if_so(
        case.soak.is_some(),
        "it is a random mix of I/O and failures",
    );
    if_so(
        !case.holds.is_empty(),
        "a request is held in flight, which null_blk cannot do",
    );
    if_so(
        case.stack.nested().is_some(),
        "its stack is a mirror of multipaths",
    );
    if_so(
        case.stack.no_path_retry().is_some(),
        "it needs a multipathd",
    );
    if_so(
        case.stack.target().sync() == Some(Sync::Syncing),
        "it meets a recovery that goes on",
    );
    if_so(
        !case.other_faults.is_empty(),
        "a fault is not of the I/O's own requests",
    );
    if_so(
        case.legs.on_error == OnError::Stop,
        "its disks stop the machine",
    );
    if_so(
        case.legs.max_transfer.is_some(),
        "a disk does a part of a request that it fails (max_transfer)",
    );
    if_so(
        case.io.op == Op::WriteZeroes,
        "not every blkdiscard writes zeros",
    );
    if_so(
        case.io.dsync,
        "whether a write with O_DSYNC is flushed is not seen: null_blk never loses its cache",
    );
    let controller = case.legs.controller;
    match controller {
        Controller::VirtioBlk => {}
        Controller::Target => if_so(
            !case.faults.iter().all(|fault| is_whole(case, fault)),
            "a disk completes a part of a request, or reports what null_blk cannot",
        ),
        _ => if_so(true, &format!("it needs disks of {}", controller.name())),
    }
    for fault in &case.faults {
        if_so(
            fault.times != Times::Always,
            "a fault does not last: null_blk and dm-flakey cannot count",
        );
        if_so(
            fault.errno != EIO && fault.report.is_none(),
            "a fault has another errno than EIO",
        );
        let met = [case.io.op, case.op_on_legs()].contains(&fault.op);
        let spared = fault.op == Op::Flush && case.io.op != Op::Flush;
        if_so(
            !met || spared,
            "a fault is of another operation than the I/O",
        );
    }
    let (start, end) = (case.io.sector, case.io.sector + case.io.sectors);
    let of_pages = [start, end].iter().all(|at| at % model::PAGE_SECTORS == 0);
    if_so(
        case.io.path == Path::Buffered && case.io.op == Op::Write && !of_pages,
        "the page cache reads a part of a page before it writes it",
    );
    if_so(
        case.io.vector == Vector::Unaligned
            && case.io.path == Path::Direct
            && case.faults.len() > 1,
        "unaligned memory may be refused before the faults are met",
    );
    why
}

/// Whether a fault of the SCSI target is nothing but a failure of the whole request: the
/// bad sector is its first one. Multipath tells it from a failure of the path.
fn is_whole(case: &Case, fault: &Fault) -> bool {
    let plain = fault.report.is_none_or(|one| one == FaultReport::default());
    let mut parts = case.io.parts().into_iter();
    let first = parts.any(|(sector, _)| sector == fault.sector);
    plain && first && case.stack.target().has_copies()
}

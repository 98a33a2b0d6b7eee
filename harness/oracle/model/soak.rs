//! A soak: the rules for every mix of I/O and failures that leaves one lower
//! device good.
//!
//! No I/O is lost and every read is right. A mirror resubmits a failed read
//! whole to another leg (`mirror_end_io`). It holds a failed write until the
//! mirror is repaired (`hold_bio`), or goes on without the leg (`keep_log`).
//! Multipath resubmits to another path (`multipath_end_io`, `do_end_io`).
//!
//! A mirror knows what its leg missed only while its table is loaded. What is
//! written meanwhile to a region that is out of sync lies on the default mirror
//! alone (`do_writes`). So a mirror that is loaded anew must have that leg
//! first; it then synchronises the others from it (`do_recovery`).

use super::{Unknown, rules_of};
use halfway_case::{Case, Controller, Filesystem, OnError};

/// Sectors of the largest disk of which every 256th sector can be made to fail.
/// QEMU 7.2 reads the command byte by byte, and took more than 15 s for twice as
/// many.
const FAULTS_ALL_OVER: u64 = 262_144;

pub fn knows_soak(case: &Case) -> Result<(), Unknown> {
    if case.legs.controller != Controller::VirtioBlk {
        return Err(Unknown(
            "what a driver that tries again makes of faults that come and go depends on timing: \
             a soak needs virtio-blk",
        ));
    }
    if case.legs.on_error == OnError::Stop {
        return Err(Unknown(
            "nobody tends a machine that stops on errors while a soak goes on",
        ));
    }
    let files = (case.soak.as_ref()).is_some_and(|soak| soak.filesystem != Filesystem::None);
    if files && case.legs.sectors > FAULTS_ALL_OVER {
        return Err(Unknown(
            "beneath a file system bad sectors lie all over a disk; of so large a disk QEMU's \
             monitor takes longer to read of them than it is given: set `size` in `[legs]` to at \
             most 262144",
        ));
    }
    rules_of(&case.stack).knows_soak(case)
}

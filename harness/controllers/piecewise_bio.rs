//! virtio-blk beneath a driver of the project that takes bios and completes a
//! part of a bio that it then fails.

use crate::profile::{Errnos, FailureHandling, Limits, Profile, Qemu};
use crate::virtio_blk::{self, NO_TIMEOUT, WAITS_FOR_THE_GUEST};

/// Name of the project's module, from guest-images/controls/modules.
pub const MODULE: &str = "halfway-leg";

/// The driver goes in steps: see `step` and `move` in
/// guest-images/controls/modules/halfway-leg.c.
pub const FAILURE_HANDLING: FailureHandling = FailureHandling {
    step: Some(12),
    ..FailureHandling::asking(1)
};

pub const PROFILE: Profile = Profile {
    qemu: Qemu {
        devices: &["virtio-blk-pci"],
        shared: None,
        disk: virtio_blk::disk,
        has_virtio_backend: true,
        is_usb_stick: false,
    },
    modules: &["virtio_blk", "halfway_leg"],
    parameters: &["halfway_leg.flavour=bio"],
    own_module: Some(MODULE),
    limits: Limits {
        segments: virtio_blk::SEGMENTS,
        ..Limits::with_room_for(Limits::DISKS)
    },
    failure_handling: FailureHandling {
        zeroed_by_dm_io: true,
        ..FAILURE_HANDLING
    },
    attempts_beneath_multipath: (1, 1),
    errnos: Errnos::Unmeasured,
    timeout: Err(NO_TIMEOUT),
    hot_unplug: Err(WAITS_FOR_THE_GUEST),
    traces_answers: true,
    quiet: virtio_blk::QUIET,
    keeps_reads: false,
    takes_write_zeroes: false,
    discards: Err("our own driver only reads, writes and flushes"),
    note: "our own driver, above virtio-blk: 12 sectors at a time, what comes before a failure is completed; takes bios",
};

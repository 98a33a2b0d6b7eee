//! The driver of `piecewise_bio`, but it takes requests.

use crate::piecewise_bio::{FAILURE_HANDLING, MODULE};
use crate::profile::{Errnos, Limits, Profile, Qemu};
use crate::virtio_blk::{self, NO_TIMEOUT, WAITS_FOR_THE_GUEST};

pub const PROFILE: Profile = Profile {
    qemu: Qemu {
        devices: &["virtio-blk-pci"],
        shared: None,
        disk: virtio_blk::disk,
        has_virtio_backend: true,
        is_usb_stick: false,
    },
    modules: &["virtio_blk", "halfway_leg"],
    parameters: &["halfway_leg.flavour=mq"],
    own_module: Some(MODULE),
    limits: Limits {
        segments: virtio_blk::SEGMENTS,
        ..Limits::with_room_for(Limits::DISKS)
    },
    failure_handling: FAILURE_HANDLING,
    attempts_beneath_multipath: (1, 1),
    errnos: Errnos::Unmeasured,
    timeout: Err(NO_TIMEOUT),
    hot_unplug: Err(WAITS_FOR_THE_GUEST),
    traces_answers: true,
    quiet: virtio_blk::QUIET,
    keeps_reads: false,
    takes_write_zeroes: false,
    discards: Err("our own driver only reads, writes and flushes"),
    note: "the same, takes requests",
};

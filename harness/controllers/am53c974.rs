//! The AM53C974, a parallel SCSI adapter.

use crate::profile::{Errnos, FailureHandling, Limits, Profile, Qemu};
use crate::scsi;

pub const PROFILE: Profile = Profile {
    qemu: Qemu {
        devices: &["am53c974", "scsi-hd"],
        shared: Some("am53c974,id=hba"),
        disk: scsi::on_adapter,
        has_virtio_backend: false,
        is_usb_stick: false,
    },
    modules: &["am53c974", "sd_mod"],
    parameters: &[],
    own_module: None,
    limits: // A narrow bus has eight addresses, and the adapter has one of them.
    Limits::with_room_for(7),
    failure_handling: FailureHandling {
        // If a read fails before any of its data have moved, it never ends, as
        // measured (QEMU 7.2).
        falls_silent: true,
        ..scsi::TRIED_AGAIN
    },
    attempts_beneath_multipath: (6, 6),
    errnos: Errnos::Measured(scsi::SENSE),
    timeout: Err(scsi::NO_ABORT),
    hot_unplug: Err(scsi::FORGOTTEN),
    traces_answers: false,
    quiet: scsi::QUIET,
    keeps_reads: false,
    takes_write_zeroes: true,
    discards: Err(scsi::NO_DISCARDS),
    note: "in 128 KiB; falls silent",
};

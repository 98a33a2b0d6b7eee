//! The LSI 53C895A, a parallel SCSI adapter.

use crate::profile::{Errnos, FailureHandling, Limits, Profile, Qemu};
use crate::scsi;

pub const PROFILE: Profile = Profile {
    qemu: Qemu {
        devices: &["lsi53c895a", "scsi-hd"],
        shared: Some("lsi53c895a,id=hba"),
        disk: scsi::on_adapter,
        has_virtio_backend: false,
        is_usb_stick: false,
    },
    modules: &["sym53c8xx", "sd_mod"],
    parameters: &[],
    own_module: None,
    limits: // A narrow bus has eight addresses, one of them the adapter's own.
    Limits {
        // As measured.
        segments: 96,
        ..Limits::with_room_for(7)
    },
    failure_handling: FailureHandling {
        // If a read fails before any of its data have moved, it never ends, and
        // the driver only notices by its timeout. `lsi_command_complete` in
        // hw/scsi/lsi53c895a.c does not reselect a command that has
        // disconnected, as `lsi_transfer_data` does.
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
    discards: Ok(()),
    note: "in 128 KiB; falls silent",
};

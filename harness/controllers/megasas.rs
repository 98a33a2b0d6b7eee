//! The MegaRAID SAS adapter.

use crate::profile::{Errnos, FailureHandling, Limits, Profile, Qemu};
use crate::scsi;

pub const PROFILE: Profile = Profile {
    qemu: Qemu {
        devices: &["megasas", "scsi-hd"],
        shared: Some("megasas,id=hba"),
        disk: scsi::on_adapter,
        has_virtio_backend: false,
        is_usb_stick: false,
    },
    modules: &["megaraid_sas", "sd_mod"],
    parameters: &[],
    own_module: None,
    limits: Limits {
        // `max_sectors` of its SCSI host, as measured.
        request_sectors: Some(256),
        // As measured.
        segments: 80,
        ..Limits::with_room_for(Limits::DISKS)
    },
    failure_handling: FailureHandling {
        // For a logical drive the driver sends SYNCHRONIZE CACHE only to
        // firmware that asks for it (`fw_sync_cache_support` in
        // `megasas_queue_command`). QEMU's does not.
        keeps_flushes: true,
        ..scsi::TRIED_AGAIN
    },
    attempts_beneath_multipath: (6, 6),
    errnos: Errnos::Measured(scsi::SENSE),
    timeout: Err(
        "its driver starts its timer anew until 180 s have passed (`megasas_reset_timer`)",
    ),
    hot_unplug: Err(scsi::KEPT_IN_THE_LIST),
    traces_answers: false,
    quiet: scsi::QUIET,
    keeps_reads: false,
    takes_write_zeroes: true,
    discards: Ok(()),
    note: "dm cuts at 128 KiB",
};

//! The project's own SCSI target, which reports failures as `report` says.

use crate::profile::{Errnos, FailureHandling, Limits, Profile, Qemu};
use crate::scsi;

pub const PROFILE: Profile = Profile {
    qemu: Qemu {
        devices: &["vhost-user-scsi-pci"],
        shared: None,
        disk: // The target makes QEMU's arguments itself, from its sockets.
        |_| Vec::new(),
        has_virtio_backend: false,
        is_usb_stick: false,
    },
    modules: &["virtio_scsi", "sd_mod"],
    parameters: &[],
    own_module: None,
    limits: Limits {
        // 32 TiB: more 4096-byte blocks than 32 bits can count. Such a medium
        // is computed, not stored.
        leg_sectors: 1 << 36,
        ..Limits::with_room_for(Limits::DISKS)
    },
    failure_handling: FailureHandling {
        exact: true,
        progress: true,
        // How often the driver retries depends on what the target reports.
        ..FailureHandling::asking(1)
    },
    attempts_beneath_multipath: (1, 1),
    errnos: Errnos::Unmeasured,
    timeout: Err(scsi::VIRTIO_GIVES_NOTHING_UP),
    hot_unplug: Err("a disk of the target stays: let it `report` that its transport is gone"),
    traces_answers: false,
    quiet: scsi::QUIET,
    keeps_reads: false,
    takes_write_zeroes: true,
    discards: Ok(()),
    note: "its own table below",
};

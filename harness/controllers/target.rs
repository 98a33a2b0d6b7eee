//! The SCSI target of our own, which reports failures as `report` says.

use crate::profile::{Errnos, FailureHandling, Limits, Profile, Qemu};
use crate::scsi;

pub const PROFILE: Profile = Profile {
    qemu: Qemu {
        devices: &["vhost-user-scsi-pci"],
        shared: None,
        disk: // The target tells QEMU of itself by its sockets.
        |_| Vec::new(),
        has_virtio_backend: false,
        is_usb_stick: false,
    },
    modules: &["virtio_scsi", "sd_mod"],
    parameters: &[],
    own_module: None,
    limits: Limits {
        // 32 TiB, which is beyond what 32 bits count of 4096-byte blocks: its medium is
        // computed.
        leg_sectors: 1 << 36,
        ..Limits::with_room_for(Limits::DISKS)
    },
    failure_handling: FailureHandling {
        exact: true,
        progress: true,
        // How often it is asked depends on what it reports.
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

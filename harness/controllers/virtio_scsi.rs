//! virtio-scsi: QEMU's `virtio-scsi-pci` with `scsi-hd` disks.

use crate::profile::{Errnos, HotUnplug, Limits, Profile, Qemu};
use crate::scsi;
use crate::virtio_blk;

pub const PROFILE: Profile = Profile {
    qemu: Qemu {
        devices: &["virtio-scsi-pci", "scsi-hd"],
        shared: Some("virtio-scsi-pci,id=hba,disable-legacy=on,num_queues=1"),
        disk: scsi::on_adapter,
        has_virtio_backend: false,
        is_usb_stick: false,
    },
    modules: &["virtio_scsi", "sd_mod"],
    parameters: &[],
    own_module: None,
    limits: Limits {
        segments: virtio_blk::SEGMENTS,
        ..Limits::with_room_for(Limits::DISKS)
    },
    failure_handling: scsi::TRIED_AGAIN,
    attempts_beneath_multipath: (6, 6),
    errnos: Errnos::Measured(scsi::SENSE),
    timeout: Err(scsi::VIRTIO_GIVES_NOTHING_UP),
    hot_unplug: Ok(HotUnplug {
        // `virtio_scsi_hotunplug` tells the driver, which then looks for the disk.
        most_sectors: None,
        aborts_reads: None,
    }),
    traces_answers: false,
    quiet: scsi::QUIET,
    keeps_reads: false,
    takes_write_zeroes: true,
    discards: Ok(()),
    note: "",
};

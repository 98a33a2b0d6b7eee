//! VMware's paravirtual SCSI adapter.

use crate::profile::{Errnos, HotUnplug, Limits, Profile, Qemu};
use crate::scsi;

pub const PROFILE: Profile = Profile {
    qemu: Qemu {
        devices: &["pvscsi", "scsi-hd"],
        shared: Some("pvscsi,id=hba"),
        disk: scsi::on_adapter,
        has_virtio_backend: false,
        is_usb_stick: false,
    },
    modules: &["vmw_pvscsi", "sd_mod"],
    parameters: &[],
    own_module: None,
    limits: Limits::with_room_for(Limits::DISKS),
    failure_handling: scsi::TRIED_AGAIN,
    attempts_beneath_multipath: (6, 6),
    errnos: Errnos::Measured(scsi::SENSE),
    timeout: // The driver aborts (`pvscsi_abort`). QEMU (`pvscsi_on_cmd_abort` in hw/scsi/vmw_pvscsi.c)
    // then waits until the medium has ended the request that it cancels
    // (`scsi_req_cancel_async` in hw/scsi/scsi-bus.c).
    Ok(scsi::asked_again("scsi_req_cancel")),
    hot_unplug: Ok(HotUnplug {
        // `pvscsi_hot_unplug` tells the driver, which then looks for the disk.
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

//! The LSI SAS1068, of the Fusion MPT family.

use crate::profile::{Errnos, Limits, Profile, Qemu};
use crate::scsi;

pub const PROFILE: Profile = Profile {
    qemu: Qemu {
        devices: &["mptsas1068", "scsi-hd"],
        shared: Some("mptsas1068,id=hba"),
        disk: |disk| {
            // The driver asks each disk for a SAS address
            // (`mptsas_sas_device_pg0` in drivers/message/fusion/mptsas.c).
            let address = 0x5000_c500_0000_0000_u64 + u64::from(disk.number);
            vec![scsi::hd(disk, "hba.0", disk.number, &format!(",wwn={address:#x}"))]
        },
        has_virtio_backend: false,
        is_usb_stick: false,
    },
    modules: &["mptsas", "sd_mod"],
    parameters: &[],
    own_module: None,
    limits: Limits::with_room_for(Limits::DISKS),
    failure_handling: scsi::TRIED_AGAIN,
    attempts_beneath_multipath: (6, 6),
    errnos: Errnos::Measured(scsi::SENSE),
    timeout: // The driver aborts (`mptscsih_abort`). QEMU (`mptsas_process_scsi_task_mgmt` in
    // hw/scsi/mptsas.c) answers once the medium has ended the request that it cancels
    // (`scsi_req_cancel_async` in hw/scsi/scsi-bus.c).
    Ok(scsi::asked_again("scsi_req_cancel")),
    hot_unplug: Err(scsi::KEPT_IN_THE_LIST),
    traces_answers: false,
    quiet: scsi::QUIET,
    keeps_reads: false,
    takes_write_zeroes: // Measured on 6.1.
    false,
    discards: Ok(()),
    note: "",
};

//! AHCI, driven by libata.

use crate::ide::{self, NOT_FROM_THIS_BUS};
use crate::profile::{Errnos, FailureHandling, Limits, Profile, Qemu};
use crate::scsi;

pub const PROFILE: Profile = Profile {
    qemu: Qemu {
        devices: &["ich9-ahci", "ide-hd"],
        shared: Some("ich9-ahci,id=hba"),
        disk: |disk| ide::hd(disk, &format!("bus=hba.{}", disk.number)),
        has_virtio_backend: false,
        is_usb_stick: false,
    },
    modules: &["ahci", "sd_mod"],
    parameters: &[],
    own_module: None,
    limits: // Ports of ich9-ahci (hw/ide/ich.c).
    Limits {
        // As measured on 5.10 to 6.18.
        request_sectors: Some(256),
        ..Limits::with_room_for(6)
    },
    failure_handling: FailureHandling {
        // A failure of a queued command aborts the other queued commands. They
        // are retried without being counted (`ata_eh_qc_retry` raises
        // `allowed`).
        disturbs: true,
        // libata's error handler hands the failed command back to SCSI
        // (`ata_eh_qc_retry`), which counts the attempts.
        ..scsi::TRIED_AGAIN
    },
    attempts_beneath_multipath: (6, 6),
    errnos: // All errnos give the same error (`ide_rw_error` in hw/ide/core.c).
    Errnos::Measured(&[]),
    timeout: // The driver resets the link (`ata_scsi_cmd_error_handler`) and retries all that the disk
    // had (`ata_eh_qc_retry`). At the reset QEMU waits for the medium (`ahci_reset_port` in
    // hw/ide/ahci.c).
    Ok(scsi::asked_again("ahci_reset_port")),
    hot_unplug: Err(NOT_FROM_THIS_BUS),
    traces_answers: false,
    quiet: scsi::QUIET,
    keeps_reads: false,
    takes_write_zeroes: // `ata_scsi_sdev_config` in drivers/ata/libata-scsi.c (`no_write_same`).
    false,
    discards: Ok(()),
    note: "the device model asks in 128 KiB; neighbours in flight are asked for again",
};

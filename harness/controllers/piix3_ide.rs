//! IDE of the PIIX3, driven by libata.

use crate::ide::{self, NOT_FROM_THIS_BUS};
use crate::profile::{Errnos, Limits, Profile, Qemu};
use crate::scsi;

pub const PROFILE: Profile = Profile {
    qemu: Qemu {
        devices: &["piix3-ide", "ide-hd"],
        shared: Some("piix3-ide,id=hba"),
        disk: |disk| {
            let (bus, unit) = (disk.number / 2, disk.number % 2);
            ide::hd(disk, &format!("bus=hba.{bus},unit={unit}"))
        },
        has_virtio_backend: false,
        is_usb_stick: false,
    },
    modules: &["ata_piix", "sd_mod"],
    parameters: &[],
    own_module: None,
    limits: // Two drives on each of two buses.
    Limits {
        shared_bus: true,
        ..Limits::with_room_for(4)
    },
    failure_handling: scsi::TRIED_AGAIN,
    attempts_beneath_multipath: (6, 6),
    errnos: // All errnos give the same error (`ide_rw_error` in hw/ide/core.c).
    Errnos::Measured(&[]),
    timeout: // As on AHCI, after `ata_bmdma_error_handler` has stopped the DMA. There QEMU
    // waits for the medium (`ide_cancel_dma_sync` in hw/ide/core.c).
    Ok(scsi::asked_again("ide_cancel_dma_sync_remaining")),
    hot_unplug: Err(NOT_FROM_THIS_BUS),
    traces_answers: false,
    quiet: scsi::QUIET,
    keeps_reads: false,
    takes_write_zeroes: // As AHCI.
    false,
    discards: Ok(()),
    note: "by DMA",
};

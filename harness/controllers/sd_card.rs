//! An SD card on SDHCI.

use crate::floppy::NOT_TO_BE_SET;
use crate::ide::NOT_FROM_THIS_BUS;
use crate::profile::{Errnos, FailureHandling, Limits, Profile, Qemu};
use crate::scsi;

pub const PROFILE: Profile = Profile {
    qemu: Qemu {
        devices: &["sdhci-pci", "sd-card"],
        shared: None,
        disk: |disk| {
            // The card attaches to the first host that is empty, which is the
            // one just made.
            vec![
                format!("sdhci-pci,id={}-host", disk.id),
                format!("sd-card,{}", disk.drive()),
            ]
        },
        has_virtio_backend: false,
        is_usb_stick: false,
    },
    modules: &["sdhci_pci", "mmc_block"],
    parameters: &[],
    own_module: None,
    limits: Limits {
        // QEMU refuses other sizes (`sd_realize` in hw/sd/sd.c).
        capacity: u64::next_power_of_two,
        // As measured.
        request_sectors: Some(1024),
        ..Limits::with_room_for(Limits::DISKS)
    },
    failure_handling: FailureHandling {
        remarks: &[
            "sd_blk_read: read error on host side",
            "sd_blk_write: write error on host side",
        ],
        // With no failure reported, nothing is retried.
        never_reports: true,
        ..FailureHandling::asking(1)
    },
    attempts_beneath_multipath: (1, 1),
    errnos: Errnos::Unmeasured,
    timeout: Err(NOT_TO_BE_SET),
    hot_unplug: Err(NOT_FROM_THIS_BUS),
    traces_answers: false,
    quiet: scsi::QUIET,
    keeps_reads: false,
    takes_write_zeroes: // Measured on 6.1.
    false,
    discards: Err("QEMU's SD card erases by writing, and not zeros"),
    note: "sector by sector; lies",
};

//! A floppy of 2.88 MB in an ISA drive.

use crate::ide::NOT_FROM_THIS_BUS;
use crate::profile::{Errnos, FailureHandling, Limits, Profile, Qemu};
use crate::scsi;

/// 512-byte sectors of a disk: a floppy has the size that its geometry says
/// (`fd_formats` in hw/block/fdc.c).
const SECTORS: u64 = 5760;

const ATTEMPTS: (u32, u32) = (4, 5);

/// Why such a driver does not give a request up in a case.
pub const NOT_TO_BE_SET: &str = "how long its driver waits cannot be set for a disk";

pub const PROFILE: Profile = Profile {
    qemu: Qemu {
        devices: &["isa-fdc", "floppy"],
        shared: Some("isa-fdc,id=hba"),
        disk: |disk| {
            vec![format!(
                "floppy,unit={},drive-type=288,{},{}",
                disk.number,
                disk.drive(),
                disk.cached(),
            )]
        },
        has_virtio_backend: false,
        is_usb_stick: false,
    },
    modules: &["floppy"],
    parameters: &[],
    own_module: None,
    limits: Limits {
        // Two drives (`MAX_FD` in hw/block/fdc-internal.h).
        disks: 2,
        leg_sectors: SECTORS,
        capacity: |_| SECTORS,
        // As measured.
        request_sectors: Some(64),
        segments: Limits::SEGMENTS,
        gaps: None,
        shared_bus: false,
    },
    failure_handling: FailureHandling {
        // `bad_flp_intr` gives up after more than `max_errors.abort` errors: 3
        // for a drive of 2.88 MB (`default_drive_params`). It counts anew if a
        // part succeeded before.
        attempts: ATTEMPTS,
        // `make_raw_rw_request` reads whole tracks.
        reads_ahead: true,
        ..FailureHandling::asking(ATTEMPTS.0)
    },
    attempts_beneath_multipath: ATTEMPTS,
    errnos: Errnos::Unmeasured,
    timeout: Err(NOT_TO_BE_SET),
    hot_unplug: Err(NOT_FROM_THIS_BUS),
    traces_answers: false,
    quiet: scsi::QUIET,
    keeps_reads: // The driver caches a track (`floppy_track_buffer` in drivers/block/floppy.c).
    true,
    takes_write_zeroes: // drivers/block/floppy.c sets no limit of them.
    false,
    discards: Err(scsi::NO_DISCARDS),
    note: "2 legs of 5760 sectors; sector by sector; lies about reads; a machine for each case",
};

//! NVMe: QEMU's `nvme` device.

use crate::profile::{AfterTimeout, Errnos, FailureHandling, Limits, Profile, Qemu, Timeout};
use crate::scsi;
use crate::virtio_blk::WAITS_FOR_THE_GUEST;

/// `ENODATA`: what the application sees of `BLK_STS_MEDIUM`.
const ENODATA: i32 = 61;

pub const PROFILE: Profile = Profile {
    qemu: Qemu {
        devices: &["nvme"],
        shared: None,
        disk: |disk| {
            vec![format!(
                "nvme,{},serial={},{}",
                disk.drive(),
                disk.id,
                disk.cached()
            )]
        },
        has_virtio_backend: false,
        is_usb_stick: false,
    },
    modules: &["nvme"],
    parameters: &[],
    own_module: None,
    limits: Limits {
        // QEMU's `mdts` is 7: 128 pages.
        request_sectors: Some(1024),
        // `nvme_set_ctrl_limits`: pages of the controller (`NVME_CTRL_PAGE_SIZE`).
        gaps: Some(4096),
        ..Limits::with_room_for(Limits::DISKS)
    },
    failure_handling: FailureHandling {
        // QEMU reports errors of the medium (`nvme_aio_err` in hw/nvme/ctrl.c,
        // `nvme_error_status`).
        target_error: Some(ENODATA),
        remarks: &["aio failed: "],
        // `nvme_complete_batch` ends requests by `blk_mq_end_request_batch`.
        zeroed_by_dm_io: true,
        // `nvme_decide_disposition`: `nvme_max_retries` is 5, and QEMU does not
        // forbid retries (`NVME_DNR`).
        ..FailureHandling::asking(6)
    },
    attempts_beneath_multipath: (1, 1),
    errnos: Errnos::Measured(&[]),
    timeout: Ok(Timeout {
        attribute: "queue/io_timeout",
        limit: "3000",
        // `nvme_timeout` in drivers/nvme/host/pci.c sends an abort and starts
        // the timer anew. The device model aborts nothing (`nvme_abort` in
        // hw/nvme/ctrl.c). The line is the same in all releases.
        then: AfterTimeout::Waits {
            logged: "timeout, aborting",
        },
    }),
    hot_unplug: Err(WAITS_FOR_THE_GUEST),
    traces_answers: false,
    quiet: scsi::QUIET,
    keeps_reads: false,
    takes_write_zeroes: true,
    discards: Ok(()),
    note: "",
};

//! What the SCSI controllers share: QEMU's `scsi-hd`, and the kernel's sd.

use crate::profile::{AfterTimeout, Disk, Errno, ErrnoMeaning, FailureHandling, Timeout};
use std::time::Duration;

/// QEMU reports EIO as ABORTED COMMAND (`scsi_sense_from_errno` in
/// scsi/utils.c). `scsi_check_sense` has that retried, and
/// `scsi_cmd_retry_allowed` allows `SD_MAX_RETRIES` (5) retries.
pub const TRIED_AGAIN: FailureHandling = FailureHandling::asking(6);

/// While libata's error handler runs or a SCSI command is requeued, the block
/// layer counts nothing as in flight, so the wait must be longer than that.
pub const QUIET: Duration = Duration::from_millis(1000);

const ENOMEM: i32 = 12;
const EINVAL: i32 = 22;
const ENOSPC: i32 = 28;
const EREMOTEIO: i32 = 121;

const fn of_the_disk(errno: i32, target_error: i32) -> Errno {
    Errno {
        errno,
        meaning: Ok(ErrnoMeaning {
            attempts: 1,
            target_error,
        }),
    }
}

/// 4/44/00, a hardware error: `BLK_STS_TARGET`.
const HARDWARE_ERROR: Errno = of_the_disk(ENOMEM, EREMOTEIO);

/// 7/27/07, data protect: `BLK_STS_NOSPC`.
const NO_SPACE: Errno = of_the_disk(ENOSPC, ENOSPC);

const INVALID_FIELD: Errno = Errno {
    errno: EINVAL,
    meaning: Err(
        "QEMU's SCSI disk answers EINVAL with INVALID FIELD, after which the kernel gives up \
         ten-byte commands of that disk for good (`use_10_for_rw` in \
         `scsi_io_completion_action`): the next case would find another disk",
    ),
};

/// How QEMU's SCSI disk reports an errno (`scsi_sense_from_errno` in
/// scsi/utils.c), and how Linux handles that (`scsi_check_sense`). All other
/// errnos are 0B/00/06, like `EIO`.
pub const SENSE: &[Errno] = &[HARDWARE_ERROR, NO_SPACE, INVALID_FIELD];

/// The same errnos over the bulk-only transport of USB.
pub const SENSE_OF_USB_STORAGE: &[Errno] = &[
    Errno {
        errno: ENOMEM,
        meaning: Err(
            "QEMU's SCSI disk answers ENOMEM with a hardware error, which usb-storage has tried \
             again without being counted, for 180 s (`retry_hwerror` in `scsi_check_sense`)",
        ),
    },
    NO_SPACE,
    INVALID_FIELD,
];

/// A timeout after which the command is retried. `scsi_times_out` has the
/// command aborted. After the abort, or a reset of its disk or bus, it is
/// queued again (`scmd_eh_abort_handler`, `scsi_eh_flush_done_q` in
/// drivers/scsi/scsi_error.c), unless it must not be retried
/// (`REQ_FAILFAST_DEV` in `scsi_noretry_cmd`). Multipath sets only
/// `REQ_FAILFAST_TRANSPORT`.
pub const fn asked_again(trace_event: &'static str) -> Timeout {
    Timeout {
        attribute: "device/timeout",
        limit: "1",
        then: AfterTimeout::AskedAgain { trace_event },
    }
}

/// Why a case has no timeout on virtio_scsi.
pub const VIRTIO_GIVES_NOTHING_UP: &str = "the driver of virtio-scsi gives nothing up: it starts \
                                           its timer anew (`virtscsi_eh_timed_out`)";

/// Why a case has no timeout on QEMU's parallel SCSI adapters.
pub const NO_ABORT: &str = "its device model does not take the abort of a command that it works \
                            on: a read comes back after a reset of the bus, 10 to 23 s later, and \
                            with a write the guest falls silent";

/// Why no disk is unplugged here: `lsi_request_cancelled` in
/// hw/scsi/lsi53c895a.c and `esp_request_cancelled` in hw/scsi/esp.c forget the
/// request.
pub const FORGOTTEN: &str =
    "QEMU lets the disk go and answers neither what it had in flight nor that it is gone";

/// Why no disk is unplugged here: neither hw/scsi/megasas.c nor
/// hw/scsi/mptsas.c has a hotplug handler of its own. The request fails, but
/// the guest keeps the disk in its list for good.
pub const KEPT_IN_THE_LIST: &str =
    "QEMU lets the disk go and does not tell this controller's driver, which keeps it in its list";

/// Why a disk that says nothing of discards gets none.
pub const NO_DISCARDS: &str = "the kernel discards nothing on the disks of this controller, and \
                               tells the application so (EOPNOTSUPP)";

/// The `-device` argument of a `scsi-hd` at that address. `more` is appended,
/// and begins with a comma if not empty.
pub fn hd(disk: &Disk<'_>, bus: &str, target: u32, more: &str) -> String {
    format!(
        "scsi-hd,bus={bus},scsi-id={target},lun=0{more},{},serial={},{},{}",
        disk.drive(),
        disk.id,
        disk.cached(),
        disk.on_errors(),
    )
}

/// The `-device` argument of a disk on the only bus of an adapter, with its
/// index as address.
pub fn on_adapter(disk: &Disk<'_>) -> Vec<String> {
    vec![hd(disk, "hba.0", disk.number, "")]
}

/// The `-device` arguments of a USB stick with that transport, and of the disk
/// in it.
pub fn stick(disk: &Disk<'_>, transport: &str) -> Vec<String> {
    let stick = disk.stick();
    vec![
        format!("{transport},bus=hba.0,id={stick},serial={}", disk.id),
        hd(disk, &format!("{stick}.0"), 0, ""),
    ]
}

//! What an operator does with a SCSI disk that does not answer.

use crate::refuse::Refuse;
use crate::sysfs;
use halfway_protocol::message::Refusal;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

/// `SG_SCSI_RESET` in include/scsi/sg.h: the number of the ioctl.
const RESET: libc::Ioctl = 0x2284;
/// `SG_SCSI_RESET_DEVICE` with `SG_SCSI_RESET_NO_ESCALATE`: resets only the device. If
/// that fails, the bus and the host are not reset either.
const DEVICE_ONLY: libc::c_int = 1 | 0x100;

/// Resets the logical unit `disk` (a kernel name), as `sg_reset -d -N` does. With
/// `offline`, takes it offline first, so that the returned commands are not sent to it
/// again.
///
/// # Errors
/// The kernel or the disk refuses.
pub fn reset(disk: &str, offline: bool) -> Result<(), Refusal> {
    let path = format!("/dev/{disk}");
    // Open it first, and without waiting: a disk that is offline cannot be opened any
    // more, and is reset only for a file opened with O_NONBLOCK
    // (`scsi_ioctl_block_when_processing_errors`).
    let device = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(&path)
        .refuse(|| format!("opening {path}"))?;
    if offline {
        // The line break is needed: without it the kernel recognises no state
        // (`store_state_field`).
        let state = format!("/sys/block/{disk}/device/state");
        sysfs::write(&state, "offline\n").refuse(|| format!("taking {disk} offline"))?;
    }
    let mut what = DEVICE_ONLY;
    // SAFETY: the kernel reads an int at this address, and keeps no reference to it.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), RESET, &raw mut what) };
    match result {
        0.. => Ok(()),
        _ => Err(io::Error::last_os_error()).refuse(|| format!("resetting {disk}")),
    }
}

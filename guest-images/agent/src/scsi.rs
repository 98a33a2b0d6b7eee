//! What an operator does about a SCSI disk that does not answer.

use crate::refuse::Refuse;
use crate::sysfs;
use halfway_protocol::message::Refusal;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

/// `SG_SCSI_RESET` in include/scsi/sg.h.
const RESET: libc::Ioctl = 0x2284;
/// `SG_SCSI_RESET_DEVICE`, and `SG_SCSI_RESET_NO_ESCALATE`: the bus and the host
/// are left alone, whatever comes of it.
const DEVICE_ONLY: libc::c_int = 1 | 0x100;

/// Resets the logical unit `disk` (a kernel name), as `sg_reset -d -N` does;
/// `offline`: takes it offline first, so that what is given back is not sent to
/// it again.
///
/// # Errors
/// The kernel, or the disk, refuses.
pub fn reset(disk: &str, offline: bool) -> Result<(), Refusal> {
    let path = format!("/dev/{disk}");
    // A disk that is offline cannot be opened any more, and is reset only for
    // who does not wait (`scsi_ioctl_block_when_processing_errors`).
    let device = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(&path)
        .refuse(|| format!("opening {path}"))?;
    if offline {
        // Without the line's end no state is known (`store_state_field`).
        let state = format!("/sys/block/{disk}/device/state");
        sysfs::write(&state, "offline\n").refuse(|| format!("taking {disk} offline"))?;
    }
    let mut what = DEVICE_ONLY;
    // SAFETY: the kernel reads an int there, and keeps nothing of it.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), RESET, &raw mut what) };
    match result {
        0.. => Ok(()),
        _ => Err(io::Error::last_os_error()).refuse(|| format!("resetting {disk}")),
    }
}

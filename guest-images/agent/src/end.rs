//! Ways in which the guest ends, on purpose. None of them returns unless the
//! kernel refuses.

use crate::refuse::Refuse;
use crate::sysfs;
use halfway_protocol::message::{Refusal, Sabotage};
use rustix::system::{RebootCommand, reboot};
use std::convert::Infallible;
use std::thread;

/// Breaks the guest.
///
/// # Errors
/// The kernel refuses to be broken.
pub fn sabotage(how: Sabotage) -> Result<Infallible, Refusal> {
    if how == Sabotage::Panic {
        sysfs::write("/proc/sys/kernel/sysrq", "1")
            .and_then(|()| sysfs::write("/proc/sysrq-trigger", "c"))
            .refuse(|| "asking the kernel to crash".into())?;
    }
    loop {
        thread::park();
    }
}

/// Ends the guest by a restart, which ends a QEMU with `-no-reboot`: a guest
/// booted with `acpi=off` could halt, but not switch its machine off.
///
/// There is no `sync`: no disk of a guest holds a file system, and a write that
/// device-mapper holds back would make it wait for ever.
///
/// # Errors
/// The kernel refuses to restart.
pub fn power_off() -> Result<Infallible, Refusal> {
    reboot(RebootCommand::Restart).refuse(|| "restarting the machine".into())?;
    loop {
        thread::park();
    }
}

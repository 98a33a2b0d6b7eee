//! Ways to end the guest on purpose. They return only if the kernel refuses.

use crate::refuse::Refuse;
use crate::sysfs;
use halfway_protocol::message::{Refusal, Sabotage};
use rustix::system::{RebootCommand, reboot};
use std::convert::Infallible;
use std::thread;

/// Breaks the guest in this way.
///
/// # Errors
/// The kernel refuses.
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

/// Ends the guest by a restart, which ends a QEMU with `-no-reboot`. A guest that was
/// booted with `acpi=off` cannot switch its machine off; it could only halt.
///
/// There is no `sync`: nothing on a guest's disks must survive it, and it would wait
/// forever for a write that device-mapper holds.
///
/// # Errors
/// The kernel refuses to restart.
pub fn power_off() -> Result<Infallible, Refusal> {
    reboot(RebootCommand::Restart).refuse(|| "restarting the machine".into())?;
    loop {
        thread::park();
    }
}

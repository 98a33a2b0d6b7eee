//! Finds out, once, which of the facilities that the agent uses this kernel lacks.

use crate::{sysfs, trace};
use halfway_protocol::facility::Facility;
use std::fs;
use std::io;
use std::path::Path;

/// The facilities that this kernel lacks.
pub fn lacking() -> Vec<Facility> {
    let all = Facility::ALL.into_iter();
    all.filter(|facility| !has(*facility)).collect()
}

fn has(facility: Facility) -> bool {
    let there = |path: &str| Path::new(path).exists();
    match facility {
        Facility::Proc => there("/proc/self"),
        Facility::Sysfs => there("/sys/kernel"),
        Facility::Devtmpfs => filesystem("devtmpfs"),
        Facility::KernelLog => there("/dev/kmsg"),
        Facility::BlockTrace => !trace::available().is_empty(),
        Facility::PageMap => there("/proc/self/pagemap"),
        Facility::Smp => sysfs::read("/proc/version").is_ok_and(|said| said.contains(" SMP ")),
        Facility::SysRq => there("/proc/sysrq-trigger"),
        Facility::Stacks => there("/proc/self/stack"),
        Facility::KprobeEvents => there("/sys/kernel/tracing/kprobe_events"),
        Facility::Btf => there("/sys/kernel/btf/vmlinux"),
        // The arguments are invalid. A kernel that has the system call answers with
        // another error than one that does not.
        Facility::Aio => knows(libc::SYS_io_setup, 0),
        Facility::UnixSockets => knows(libc::SYS_socket, libc::AF_UNIX.into()),
        Facility::Epoll => knows(libc::SYS_epoll_create1, NONSENSE),
        Facility::Signalfd => knows(libc::SYS_signalfd4, NONSENSE),
        Facility::Timerfd => knows(libc::SYS_timerfd_create, NONSENSE),
        Facility::Inotify => knows(libc::SYS_inotify_init1, NONSENSE),
    }
}

/// An invalid value for flags, for a clock and for a size.
const NONSENSE: libc::c_long = -1;

/// Whether the kernel has a system call. It is called with one argument; all others are
/// 0.
fn knows(call: libc::c_long, argument: libc::c_long) -> bool {
    // SAFETY: the only addresses are null, and each of these calls refuses the argument
    // or a null address. So none of them does anything.
    let result = unsafe { libc::syscall(call, argument, 0, 0, 0) };
    let errno = io::Error::last_os_error().raw_os_error();
    result >= 0 || !matches!(errno, Some(libc::ENOSYS | libc::EAFNOSUPPORT))
}

fn filesystem(name: &str) -> bool {
    let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    known.lines().any(|line| line.ends_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_known_or_not() {
        for facility in [Facility::Aio, Facility::UnixSockets, Facility::Epoll] {
            assert!(has(facility), "{facility:?}");
        }
        for facility in [Facility::Signalfd, Facility::Timerfd, Facility::Inotify] {
            assert!(has(facility), "{facility:?}");
        }
        const NO_CALL: libc::c_long = 999;
        assert!(!knows(NO_CALL, 0));
    }
}

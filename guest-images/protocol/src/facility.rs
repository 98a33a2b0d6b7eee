//! What the agent uses of a kernel that may have been built without it.

use serde::{Deserialize, Serialize};

/// Something that a kernel has or lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Facility {
    /// `/proc`.
    Proc,
    /// `/sys`.
    Sysfs,
    /// Device nodes that the kernel makes.
    Devtmpfs,
    /// `/dev/kmsg`.
    KernelLog,
    /// The trace events of the block layer.
    BlockTrace,
    /// `/proc/PID/pagemap`.
    PageMap,
    /// `io_submit`.
    Aio,
    /// More than one processor.
    Smp,
    /// `/proc/sysrq-trigger`.
    SysRq,
    /// `/proc/PID/stack`.
    Stacks,
    /// Kprobes that are trace events.
    KprobeEvents,
    /// `/sys/kernel/btf/vmlinux`.
    Btf,
    /// Sockets of the Unix domain.
    UnixSockets,
    /// `epoll_create1`.
    Epoll,
    /// `signalfd4`.
    Signalfd,
    /// `timerfd_create`.
    Timerfd,
    /// `inotify_init1`.
    Inotify,
}

impl Facility {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Proc,
        Self::Sysfs,
        Self::Devtmpfs,
        Self::KernelLog,
        Self::BlockTrace,
        Self::PageMap,
        Self::Aio,
        Self::Smp,
        Self::SysRq,
        Self::Stacks,
        Self::KprobeEvents,
        Self::Btf,
        Self::UnixSockets,
        Self::Epoll,
        Self::Signalfd,
        Self::Timerfd,
        Self::Inotify,
    ];

    /// Those without which no case can be run.
    pub const OF_EVERY_CASE: [Self; 6] = [
        Self::Proc,
        Self::Sysfs,
        Self::Devtmpfs,
        Self::KernelLog,
        Self::BlockTrace,
        Self::PageMap,
    ];

    /// The option that gives it to a kernel (the Kconfig files of Linux).
    pub fn option(self) -> &'static str {
        match self {
            Self::Proc => "CONFIG_PROC_FS",
            Self::Sysfs => "CONFIG_SYSFS",
            Self::Devtmpfs => "CONFIG_DEVTMPFS",
            Self::KernelLog => "CONFIG_PRINTK",
            // The events themselves are always there; it selects what shows them.
            Self::BlockTrace => "CONFIG_BLK_DEV_IO_TRACE",
            Self::PageMap => "CONFIG_PROC_PAGE_MONITOR",
            Self::Aio => "CONFIG_AIO",
            Self::Smp => "CONFIG_SMP",
            Self::SysRq => "CONFIG_MAGIC_SYSRQ",
            Self::Stacks => "CONFIG_STACKTRACE",
            Self::KprobeEvents => "CONFIG_KPROBE_EVENTS",
            Self::Btf => "CONFIG_DEBUG_INFO_BTF",
            Self::UnixSockets => "CONFIG_UNIX",
            Self::Epoll => "CONFIG_EPOLL",
            Self::Signalfd => "CONFIG_SIGNALFD",
            Self::Timerfd => "CONFIG_TIMERFD",
            Self::Inotify => "CONFIG_INOTIFY_USER",
        }
    }
}

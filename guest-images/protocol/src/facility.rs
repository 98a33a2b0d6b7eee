//! What the agent uses of a kernel, but a kernel may have been built without.

use serde::{Deserialize, Serialize};

/// A feature that a kernel has or lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Facility {
    /// The proc file system, `/proc`.
    Proc,
    /// The sysfs file system, `/sys`.
    Sysfs,
    /// devtmpfs: the kernel itself makes the device nodes.
    Devtmpfs,
    /// The kernel log as a device, `/dev/kmsg`.
    KernelLog,
    /// The trace events of the block layer.
    BlockTrace,
    /// The page tables of a process, `/proc/PID/pagemap`.
    PageMap,
    /// Asynchronous I/O, `io_submit`.
    Aio,
    /// More than one processor.
    Smp,
    /// Magic SysRq commands, `/proc/sysrq-trigger`.
    SysRq,
    /// The kernel stack of a task, `/proc/PID/stack`.
    Stacks,
    /// Kprobes as trace events.
    KprobeEvents,
    /// The kernel's type information, `/sys/kernel/btf/vmlinux`.
    Btf,
    /// Unix domain sockets, which cases with multipathd need.
    UnixSockets,
    /// `epoll_create1`, which cases with multipathd need.
    Epoll,
    /// `signalfd4`, which cases with multipathd need.
    Signalfd,
    /// `timerfd_create`, which cases with multipathd need.
    Timerfd,
    /// `inotify_init1`, which cases with multipathd need.
    Inotify,
}

impl Facility {
    /// All facilities.
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

    /// The facilities without which no case can run.
    pub const OF_EVERY_CASE: [Self; 6] = [
        Self::Proc,
        Self::Sysfs,
        Self::Devtmpfs,
        Self::KernelLog,
        Self::BlockTrace,
        Self::PageMap,
    ];

    /// The configuration option that a kernel needs for it (from the Kconfig files of
    /// Linux).
    pub fn option(self) -> &'static str {
        match self {
            Self::Proc => "CONFIG_PROC_FS",
            Self::Sysfs => "CONFIG_SYSFS",
            Self::Devtmpfs => "CONFIG_DEVTMPFS",
            Self::KernelLog => "CONFIG_PRINTK",
            // The events always exist. This option selects the tracing that makes them
            // readable.
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

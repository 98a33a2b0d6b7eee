//! What a kernel's texts look like, the most telling first: a panic is mostly
//! the echo of something above it.

use regex::Regex;
use std::sync::LazyLock;

/// One form of text.
pub(super) struct Format {
    /// A line that begins it; `what` is what the title has in place of `{}`.
    pub(super) pattern: Regex,
    /// Lines that look alike and say nothing of the kind.
    pub(super) except: Option<Regex>,
    pub(super) title: &'static str,
    pub(super) survivable: bool,
}

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the table's patterns are tested")
}

/// The kernel does not go on after it, or only to say more.
fn fatal(pattern: &str, title: &'static str) -> Format {
    Format {
        pattern: regex(pattern),
        except: None,
        title,
        survivable: false,
    }
}

/// The kernel goes on after it, as after a warning.
fn survived(pattern: &str, title: &'static str) -> Format {
    Format {
        survivable: true,
        ..fatal(pattern, title)
    }
}

impl Format {
    fn but(self, except: &str) -> Self {
        Format {
            except: Some(regex(except)),
            ..self
        }
    }
}

/// What `lockdep` finds (`kernel/locking/lockdep.c`): before 4.13 between brackets,
/// as `[ INFO: … ]` or `[ BUG: … ]`, since then as `WARNING: …`.
const LOCKDEP: &str = r"(?:WARNING|INFO|BUG): (?P<what>(?:possible circular locking dependency|possible recursive locking|possible irq lock inversion dependency|inconsistent lock state|inconsistent \{[^}]*\} usage|(?:HARD|SOFT)IRQ-safe -> (?:HARD|SOFT)IRQ-unsafe lock order|(?:hard|soft)(?:irq)?-safe -> (?:hard|soft)(?:irq)?-unsafe lock order|bad unlock balance|bad contention|held lock freed|lock held when returning to user space|lock held at task exit time|Invalid wait context|Nested lock was not taken|trying to register non-static key|MAX_(?:LOCKDEP|STACK_TRACE|LOCK)_\w+ too low|looking up invalid(?: subclass| lock class)))";

pub(super) static FORMATS: LazyLock<Vec<Format>> = LazyLock::new(|| {
    vec![
        fatal(r"[Kk]ernel BUG at (?P<what>[^:!\s]+)", "kernel BUG at {}"),
        fatal(
            r"(?:BUG: |[Uu]nable to handle )(?:unable to handle )?[Kk]ernel NULL pointer dereference",
            "NULL pointer dereference",
        ),
        fatal(
            r"[Uu]nable to handle (?:kernel|page fault|unknown fault)",
            "page fault in the kernel",
        ),
        fatal(r"general protection fault", "general protection fault")
            // A program's own, as `show_unhandled_signals` tells it.
            .but(r"general protection fault ip:"),
        fatal(r"BUG: KAS[Aa][Nn]: (?P<what>[a-z-]+)", "KASAN: {}"),
        fatal(
            r"stack segment: |double fault[:,]|kernel stack overflow|stack guard page was hit|Insufficient stack space",
            "stack or double fault",
        ),
        fatal(r"divide error: ", "divide error"),
        fatal(r"invalid opcode: ", "invalid opcode").but(r"invalid opcode ip:"),
        fatal(r"BUG: soft lockup", "soft lockup"),
        fatal(r"watchdog: BUG: (?P<what>\w+ lockup)", "{}"),
        fatal(r"[Ww]atchdog detected hard LOCKUP", "hard lockup"),
        fatal(
            r"INFO: rcu\w* (?:self-)?detected (?:expedited )?stall|rcu: .*kthread.* starved for",
            "RCU stall",
        ),
        survived(
            r"INFO: task .{0,60} (?:blocked (?:in I/O wait )?for more than|can't die for more than)",
            "hung task",
        ),
        survived(LOCKDEP, "lockdep: {}"),
        survived(
            r"BUG: key \S+ (?:not in \.data|has not been registered)",
            "lockdep: a key has not been registered",
        ),
        survived(
            r"(?:WARNING|BUG): .{0,60} still has locks held!",
            "lockdep: still has locks held",
        ),
        survived(
            r"suspicious (?:RCU|rcu_dereference_check\(\)) usage",
            "suspicious RCU usage",
        ),
        survived(r"DEBUG_LOCKS_WARN_ON\(", "DEBUG_LOCKS_WARN_ON"),
        survived(r"BUG: (?P<what>K[A-Z]+: [a-z-]+)", "{}"),
        survived(r"list_(?:add|del) corruption", "list corruption"),
        survived(r"refcount_t: (?P<what>[a-z-]+)", "refcount: {}"),
        survived(r"UBSAN: (?P<what>[A-Za-z-]+)", "UBSAN: {}"),
        survived(r"ODEBUG: (?P<what>\w+) .*object(?: type)?:", "ODEBUG: {}"),
        survived(
            r"BUG: memory leak|kmemleak: \d+ new suspected memory leaks|unreferenced object 0x",
            "memory leak",
        ),
        survived(
            r"BUG [\w.-]+ \([^)\n]*\): (?P<what>[A-Z][A-Za-z ]+)",
            "slab: {}",
        ),
        survived(
            r"Slab (?P<what>corruption|cache still has objects)",
            "slab: {}",
        ),
        survived(
            r"INFO: (?P<what>Allocated|Freed|Slab|Object) (?:in )?",
            "slab: {}",
        ),
        survived(
            r"unregister_netdevice: waiting for \S+ to become free",
            "unregister_netdevice waits",
        ),
        survived(
            r"VFS: Busy inodes after unmount",
            "busy inodes after unmount",
        ),
        survived(r"VFS: Close: file count is", "file closed too often"),
        survived(
            r"sysfs: cannot create duplicate filename|kobject_add_internal failed for",
            "kobject registered twice",
        ),
        survived(r"unchecked MSR access error", "unchecked MSR access error"),
        survived(r"BUG: (?P<what>Bad page \w+ in process)", "BUG: {}"),
        survived(r"\bBUG: (?P<what>[A-Za-z][A-Za-z _]+)", "BUG: {}")
            // The fuzzer's own list of its system calls.
            .but(r"BUG: no syscalls can create resource"),
        survived(
            r"WARNING: (?:CPU: \d+ PID: \d+ )?at (?P<what>[^:\s]+)",
            "WARNING at {}",
        ),
        survived(
            r"WARNING: (?P<what>[\w./-]+\.[chS]|[\w./-]+\.rs):\d+ at ",
            "WARNING at {}",
        ),
        // Anything else that begins as a warning.
        survived(
            r"(?m)^(?:<\d+>)?(?:\[[^\]\n]*\] ?)*(?P<what>WARNING: [A-Za-z' ]+)",
            "{}",
        )
        .but(ADVICE),
        fatal(
            r"rust_kernel: panicked at (?P<what>[^:\s]+)",
            "panic of Rust at {}",
        ),
        fatal(
            r"Unhandled fault: |Alignment trap: |Bad mode in ",
            "unhandled fault",
        ),
        fatal(r"Internal error: ", "internal error"),
        fatal(r"Oops: |Oops\[#|Oops - ", "oops"),
        // The head of each architecture's `die`: words, a code, and a count.
        fatal(
            r"(?:[Ee]rror|fault|exception|[Bb]ug|BUG|operation|trap|instruction)\b[^\n]{0,80}\[#\d+\]",
            "oops",
        ),
        fatal(
            r"Kernel panic(?: - not syncing)?: (?P<what>[^\r\n]{1,60})",
            "panic: {}",
        ),
        // A hypervisor's or a fuzzer's words in a kernel's log.
        fatal(r"ASSERT FAILED|\bSYZ(?:FAIL|FATAL): ", "failed assertion"),
        // What is left of a text whose deciding line is lost.
        survived(r"-{4,}\[ cut here \]-{4,}", "a text that is cut off"),
    ]
});

/// Warnings that are advice to whoever set the machine up: of old mount options,
/// of the processor's mitigations, of a program's use of an old interface.
const ADVICE: &str = r"WARNING: (?:/etc/|[Tt]he mand mount option|fbcon: |Unprivileged eBPF|See https?:|kernel not compiled with|workqueue cpumask|Unsupported flag value|BIOS bug|.{1,40} uses wireless extensions|[Uu]sing )|WARNING: `";

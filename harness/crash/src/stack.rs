//! Frames of a stack, and which of them matter.

use crate::form::FUNCTION;
use crate::pattern;
use regex::{Captures, Regex};
use serde::Serialize;
use std::sync::LazyLock;

/// A function on a stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Frame {
    /// Name of the function, without what the compiler added (`.isra.0`,
    /// `.cold`).
    pub function: String,
    /// `file:line`, if the text has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The module that the function is in; `None` for the kernel itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// Whether the compiler inlined it into the function of the next frame.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub inlined: bool,
    /// The symbol and the offset, with which the source line can be found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol: Option<Symbol>,
}

/// A symbol and an offset, as a kernel prints them: `bio_put.part.0+0x1c/0x200`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Symbol {
    /// Name in the symbol table, with what the compiler added.
    pub name: String,
    /// Offset in bytes.
    pub offset: u64,
    /// Size of the function in bytes.
    pub size: u64,
    /// Whether a call returns to this address, so that the instruction before
    /// it is the one that matters.
    pub after_call: bool,
}

/// What a line says about a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Where the processor was; `None` if the address has no name.
    Here(Option<Frame>),
    /// A stack begins.
    Begins,
    /// One more frame.
    Frame(Frame),
    /// A frame that the unwinder only guesses (`?`).
    Guess,
    /// The stack of an interrupt ends; the stack of the interrupted code
    /// follows.
    Interrupted,
    /// The line says nothing about a stack.
    Nothing,
}

fn regex(pattern: &str) -> Regex {
    let place = r"(?P<at>\+0x[0-9a-fA-F]+(?:/0x[0-9a-fA-F]+|/[0-9a-f]+)?)";
    let pattern = pattern
        // 64-bit PowerPC once put a dot before a function's code.
        .replace("{F}", &format!(r"\.?(?P<f>{FUNCTION})"))
        .replace("{AT}", place)
        .replace(
            "{PC}",
            r"(?:[\[(]+<?(?:0x)?[0-9a-f]{4,16}>?[\])]+|<?[0-9a-f]{16}>?)",
        );
    pattern::regex(&pattern)
}

static HERE: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?:^|[^\w])(?:[NER]?IP|[EP]C|pc|epc|psw|Krnl PSW|PSW)(?:\s+is at|\s*:|\s)\s*(?:(?:[0-9a-f]{2,4}|__KERNEL_CS):)?\s*(?:{PC}\s*)*(?:\(?{F}{AT}(?P<rest>.*)|(?:0x)?[0-9a-f]{4,16}\s*$|\(null\)|\s*$|0x[0-9a-f]+)",
    )
});

static BEGINS: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^\s*(?:Call [Tt]race|[Bb]acktrace|stack backtrace|Trace)\b.{0,40}:?"));

static FRAME: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^\s*(?:<[A-Z#/]+>\s*)*(?:Trace:\s*|Call Trace:\s*|#\d+\s+)?(?:\(?{PC}\)?\s*)*(?:<[A-Z#/]+>\s*)*(?P<guess>\? +)?(?:\d+:)?\(?{F}(?:{AT}\)?(?P<rest>.*)|(?P<inline> +[\w./-]+\.[chSrs]+:\d+ \[inline\])(?P<rest2>.*)|\)? from (?:{PC} *)?\(?(?P<caller>[A-Za-z_][\w.]*)\+.*)$",
    )
});

/// The very old form of inlined functions, and addresses with a name only.
static OLD: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"^\s*(?:\[< +inline +>\]\s*(?P<guess>\? +)?{F}\s+(?P<file>[\w./-]+:\d+)|Trace; [0-9a-f]+ <{F2}\+[0-9a-f]+/[0-9a-f]+>)".replace("{F2}", r"(?P<g>[\w.]+)").as_str())
});

static FILE: LazyLock<Regex> = LazyLock::new(|| regex(r"(?:^|\s)([\w./-]+\.(?:[chS]|rs):\d+)"));
static MODULE: LazyLock<Regex> = LazyLock::new(|| regex(r"\[([a-z]\w*)(?: [0-9a-f]{8,40})?\]"));

/// A function's name as in the source.
pub(crate) fn plain(name: &str) -> String {
    let demangled = (name.starts_with("_R"))
        .then(|| rustc_demangle::try_demangle(name).ok())
        .flatten();
    if let Some(demangled) = demangled {
        // Nested names can grow without bound.
        let short: String = format!("{demangled:#}").chars().take(200).collect();
        return short;
    }
    let mut name = name;
    // Names in Rust and ordinary C contain no dot.
    if let Some(dot) = name.find('.').filter(|dot| *dot > 0) {
        let known = [
            ".isra",
            ".constprop",
            ".part",
            ".cold",
            ".llvm",
            ".clone",
            ".lto",
            ".pr",
        ];
        let rest = &name[dot..];
        if known.iter().any(|suffix| rest.starts_with(suffix))
            || rest[1..].starts_with(|c: char| c.is_ascii_digit())
        {
            name = &name[..dot];
        }
    }
    // The function inside the wrappers for a system call's arguments.
    let call = [
        "__se_sys_",
        "__do_sys_",
        "__se_compat_sys_",
        "__do_compat_sys_",
    ];
    let call = call.iter().find_map(|prefix| name.strip_prefix(prefix));
    call.unwrap_or(name).to_owned()
}

/// The symbol of a line that names a function, if its place (`+0x1c/0x200`) is whole.
fn symbol(found: &Captures<'_>, after_call: bool) -> Option<Symbol> {
    let place = found.name("at")?.as_str();
    let (offset, size) = place.strip_prefix("+0x")?.split_once("/0x")?;
    Some(Symbol {
        name: found["f"].to_owned(),
        offset: u64::from_str_radix(offset, 16).ok()?,
        size: u64::from_str_radix(size, 16).ok()?,
        after_call,
    })
}

fn frame(name: &str, rest: &str) -> Frame {
    let file = FILE.captures(rest).map(|found| found[1].to_owned());
    let module = MODULE.captures(rest).map(|found| found[1].to_owned());
    let inlined = rest.contains("[inline]");
    Frame {
        function: plain(name),
        file,
        module: module.filter(|module| module != "inline"),
        inlined,
        symbol: None,
    }
}

/// Where ksymoops says the processor was.
static KSYMOOPS: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^\s*>*[ER]?IP; +[0-9a-f]+ <(?:\[\w+\])?{F}\+"));

/// A function behind the name of its module, as x86-64 wrote it until 2.6.24.
static BEHIND_MODULE: LazyLock<Regex> =
    LazyLock::new(|| pattern::regex(r":([a-z]\w*):([A-Za-z_]\w*\+0x[0-9a-f]+/0x[0-9a-f]+)"));

/// What the lines say about stacks.
pub(crate) fn of_lines<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Step> {
    let mut all: Vec<Step> = Vec::new();
    // The address may stand on the line after `RIP:`.
    let mut follows = false;
    for line in lines {
        let mut steps = steps(line);
        if follows && let Some(Step::Frame(frame)) = steps.first() {
            let mut frame = frame.clone();
            if let Some(symbol) = &mut frame.symbol {
                symbol.after_call = false;
            }
            all.pop();
            steps[0] = Step::Here(Some(frame));
        }
        follows = steps == [Step::Here(None)] && line.trim_end().ends_with("IP:");
        all.extend(steps);
    }
    all
}

/// What a line says about a stack; it may be several steps.
pub(crate) fn steps(line: &str) -> Vec<Step> {
    let moved = line
        .contains("] :")
        .then(|| BEHIND_MODULE.replace(line, "$2 [$1]"));
    let line = moved.as_deref().unwrap_or(line);
    let mut steps = vec![step(line)];
    // ARM writes both ends of a call.
    if matches!(steps[0], Step::Frame(_))
        && line.contains(" from ")
        && let Some(caller) = FRAME.captures(line).and_then(|found| found.name("caller"))
    {
        steps.push(Step::Frame(frame(caller.as_str(), "")));
    }
    steps
}

fn step(line: &str) -> Step {
    if line.contains("IP; ")
        && let Some(found) = KSYMOOPS.captures(line)
    {
        return Step::Here(Some(frame(&found["f"], "")));
    }
    // Most lines have none of the words that each of the patterns needs.
    let has = |words: &[&str]| words.iter().any(|word| line.contains(word));
    if has(&["IP", "PC", "pc", "PSW", "psw"])
        && let Some(found) = HERE.captures(line)
    {
        let rest = found.name("rest").map_or("", |rest| rest.as_str());
        // Here the processor was; no call returns to it.
        let frame = found.name("f").map(|name| Frame {
            symbol: symbol(&found, false),
            ..frame(name.as_str(), rest)
        });
        return Step::Here(frame);
    }
    if has(&["+0x", "[inline]", " from "])
        && let Some(found) = FRAME.captures(line)
    {
        if found.name("guess").is_some() || line.contains("(unreliable)") {
            return Step::Guess;
        }
        let rest = ["rest", "inline", "rest2"].into_iter();
        let rest: String = (rest.filter_map(|name| found.name(name)))
            .map(|part| part.as_str())
            .collect();
        return Step::Frame(Frame {
            symbol: symbol(&found, true),
            ..frame(&found["f"], &rest)
        });
    }
    if has(&["inline >", "Trace; "])
        && let Some(found) = OLD.captures(line)
    {
        if found.name("guess").is_some() {
            return Step::Guess;
        }
        let name = found.name("f").or_else(|| found.name("g"));
        let mut one = frame(name.map_or("", |name| name.as_str()), "");
        one.file = found.name("file").map(|file| file.as_str().to_owned());
        one.inlined = one.file.is_some();
        return Step::Frame(one);
    }
    if line.contains("<EOI>") || line.contains("</IRQ>") {
        return Step::Interrupted;
    }
    match BEGINS.is_match(line) {
        true => Step::Begins,
        false => Step::Nothing,
    }
}

/// Functions that complain, print, unwind, enter the kernel or check memory for
/// others. A function whose name contains one of these is noise.
const NOISE: &[&str] = &[
    // Printing and unwinding.
    "dump_stack",
    "show_stack",
    "dump_backtrace",
    "unwind_backtrace",
    "print_address_description",
    "print_report",
    "printk",
    "dev_info",
    "dev_notice",
    "dev_warn",
    "dev_err",
    "dev_alert",
    "dev_crit",
    "dev_emerg",
    "warn_slowpath",
    "warn_alloc",
    "__warn",
    "report_bug",
    "panic",
    "fixup_bug",
    "handle_bug",
    "show_regs",
    "stack_trace",
    "arch_stack_walk",
    "stack_depot",
    "save_stack",
    "set_track",
    // Traps.
    "invalid_op",
    "do_error",
    "do_trap",
    "handle_trap",
    "error_trap",
    "exc_trap",
    "do_invalid",
    "exc_invalid",
    "program_check_exception",
    "program_check_common",
    "asm_exc_",
    "error_entry",
    "error_code",
    "bug_handler",
    "brk_handler",
    "el1_abort",
    "do_mem_abort",
    "do_translation_fault",
    "die_kernel_fault",
    "__do_kernel_fault",
    "do_page_fault",
    "el1h_64_sync",
    "el1_sync",
    "el1_da",
    // Sanitizers and checkers.
    "__sanitizer",
    "__asan",
    "kasan",
    "__msan",
    "kmsan",
    "kcsan",
    "__tsan",
    "ubsan",
    "check_memory_region",
    "read_word_at_a_time",
    "debug_object",
    "timer_is_static_object",
    "work_is_static_object",
    "instrument_",
    "__hwasan",
    "sysvec_",
    // Locks.
    "lockdep",
    "perf_trace",
    "lock_acquire",
    "lock_release",
    "lock_class",
    "reacquire_held_locks",
    "__lock_",
    "check_wait_context",
    "mark_lock",
    "mark_usage",
    "validate_chain",
    "check_prev",
    "check_deadlock",
    "check_noncircular",
    "print_circular",
    "print_usage_bug",
    "valid_state",
    "print_deadlock",
    "print_bad_irq",
    "print_irq_inversion",
    "print_lock_invalid",
    "spin_lock",
    "spin_trylock",
    "spin_unlock",
    "raw_read_lock",
    "raw_read_trylock",
    "raw_write_lock",
    "raw_write_trylock",
    "raw_read_unlock",
    "raw_write_unlock",
    "read_lock",
    "write_lock",
    "down_read",
    "down_write",
    "up_read",
    "up_write",
    "mutex_lock",
    "mutex_trylock",
    "mutex_unlock",
    "mutex_remove_waiter",
    "rwsem_",
    "osq_lock",
    "osq_unlock",
    "__wake_up",
    "ww_mutex",
    // Counters, strings, memory, lists.
    "refcount_add",
    "refcount_sub",
    "refcount_inc",
    "refcount_dec",
    "refcount_set",
    "refcount_read",
    "refcount_warn",
    "__refcount",
    "kref_",
    "memcpy",
    "memcmp",
    "memset",
    "memchr",
    "memmove",
    "strcmp",
    "strncmp",
    "strcpy",
    "strlcpy",
    "strncpy",
    "strscpy",
    "strlen",
    "strnstr",
    "strnlen",
    "strchr",
    "copy_to_user",
    "copy_from_user",
    "put_user",
    "get_user",
    "copy_user",
    "might_fault",
    "might_sleep",
    "__might_resched",
    "list_add",
    "list_del",
    "list_replace",
    "list_move",
    "list_splice",
    "_indirect_thunk_",
    "__list_",
    "atomic_",
    "atomic64_",
    "test_bit",
    "test_and_",
    "_find_next",
    "__raw_read",
    "__raw_write",
    "ioread",
    "iowrite",
    "logic_in",
    "logic_out",
    "snprintf",
    "scnprintf",
    "kasprintf",
    "kvasprintf",
    "sprintf",
    "string_nocheck",
    "print_tainted",
    "pointer",
    // Memory, trees, lists and counters that belong to others.
    "kfree",
    "kvfree",
    "vfree",
    "free_large",
    "kmalloc",
    "kzalloc",
    "kcalloc",
    "krealloc",
    "kmem_cache",
    "kmemdup",
    "memdup",
    "vmalloc",
    "vzalloc",
    "alloc_page",
    "alloc_frozen_pages",
    "__alloc_pages",
    "slab_alloc",
    "slab_free",
    "rb_erase",
    "rb_insert",
    "__rb_",
    "rb_first",
    "rb_next",
    "rb_prev",
    "rb_last",
    "rb_find",
    "xas_",
    "idr_",
    "ida_free",
    "crc_itu",
    "crc32",
    "crc16",
    "skb_put",
    "skb_push",
    "skb_pull",
    "skb_panic",
    "skb_over_panic",
    "skb_under_panic",
    "kfree_skb",
    "consume_skb_",
    "iput",
    "drop_nlink",
    "inc_nlink",
    "mark_buffer_dirty",
    "fast_dput",
    "dput",
    "fortify",
    "ref_tracker",
    "copy_to_iter",
    "copy_from_iter",
    "local_bh_enable",
    "warn_bogus_irq",
    "assertfail",
    "folio_unlock",
    "folio_lock",
    "unlock_page",
    "walk_stackframe",
    "tag_check",
    "devres_",
    "lock_timer_base",
    "mutex_optimistic",
    "insert_work",
    "queue_work",
    "queue_delayed_work",
    "wait_for_completion",
    "wait_for_common",
    "do_wait_for",
    "rust_begin_unwind",
    "panicking",
    "__might_fault",
    "ex_handler",
    "stack_chk_fail",
    "device_release",
    "print_unlock",
    "check_usage",
    "check_irq_usage",
    "trace_hardirqs",
    "down_trylock",
    "klist_",
    "find_lock_entries",
    "truncate_inode_pages",
    "copy_page_to_iter",
    "copy_folio_to_iter",
    "mod_timer",
    "rust_helper",
    // Timers, work and devices that are removed while others use them.
    "del_timer",
    "timer_delete",
    "flush_work",
    "__cancel_work",
    "cancel_work_sync",
    "cancel_delayed_work",
    "try_to_grab_pending",
    "flush_workqueue",
    "drain_workqueue",
    "destroy_workqueue",
    "finish_wait",
    "kthread_stop",
    "kobject_del",
    "kobject_put",
    "kobject_uevent_env",
    "add_uevent_var",
    "get_device_parent",
    "device_add",
    "device_del",
    "device_unregister",
    "device_destroy",
    "hwrng_unregister",
    "i2c_del_adapter",
    "__unregister_client",
    "device_for_each_child",
    "rollback_registered",
    "unregister_netdev",
    "sysfs_remove",
    "device_remove_file",
    "tty_unregister_device",
    "dummy_urb_enqueue",
    "usb_kill_urb",
    "usb_kill_anchored_urbs",
    "usb_control_msg",
    "usb_hcd_submit_urb",
    "usb_submit_urb",
];

/// Functions that are noise only if this is the whole name.
const NOISE_WHOLE: &[&str] = &["down", "up", "die", "string", "rust_helper_BUG"];

/// Whether a frame is noise.
pub(crate) fn is_noise(function: &str) -> bool {
    NOISE_WHOLE.contains(&function) || NOISE.iter().any(|noise| function.contains(noise))
}

/// Functions at which a stack stops telling what was done and begins to tell
/// who asked for it: where work is dispatched, or a system call begins.
static ANCHOR: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"process_one_work|do_syscall_|do_fast_syscall_|sysenter_dispatch|tracesys_phase2|el0_svc|invoke_syscall|ret_fast_syscall|netif_receive_skb|do_softirq|call_timer_fn|_run_timers|run_timer_softirq|hrtimer_run|run_ksoftirqd|smpboot_thread_fn|^kthread$|start_secondary|cpu_startup_entry|ret_from_fork|new_sync_read|new_sync_write|vfs_write|vfs_read|vfs_iter_read|vfs_iter_write|do_iter_read|do_iter_write|vfs_ioctl|blkdev_driver_ioctl|blkdev_ioctl|^call_read_iter|^call_write_iter|do_iter_readv_writev|^call_mmap|mmap_region|do_mmap|do_dentry_open|vfs_open|^sock_sendmsg|^sock_recvmsg|^sock_release|^__sock_release|^__sock_sendmsg|__sys_setsockopt|kernel_setsockopt|sock_common_setsockopt|__sys_listen|kernel_listen|sk_common_release|^sock_mmap|__sys_accept|kernel_accept|^sock_do_ioctl|^sock_ioctl|^compat_sock_ioctl|^nfnetlink_rcv_msg|^rtnetlink_rcv_msg|^netlink_dump|^(?:compat_)?(?:SYSC|SyS|__sys|___sys|__do_sys|__se_sys|__x64_sys)_(?:socketpair|connect|ioctl)|do_vfs_ioctl|ksys_ioctl|tasklet_action|__fput|task_work_run|exit_to_usermode|exit_to_user_mode",
    )
    .expect("it is tested")
});

/// The function that loops: the last one before the dispatch.
pub(crate) fn of_stall(frames: &[Frame]) -> Option<&str> {
    let anchor = frames
        .iter()
        .position(|frame| ANCHOR.is_match(&frame.function))?;
    if let Some(call) =
        (frames[..=anchor].iter()).find(|frame| frame.function.contains("smp_call_function"))
    {
        let name = call.function.trim_start_matches("generic_exec_single");
        return Some(name.get(..17).unwrap_or(name));
    }
    let mut before = frames[..=anchor].iter().rev().skip(1);
    let before = match before.next() {
        // It calls the function of the native system call.
        Some(compat) if compat.function.ends_with("_compat_ioctl") => {
            let native = compat.function.replace("_compat_ioctl", "_ioctl");
            let native = before.next().filter(|frame| frame.function == native);
            native.or(Some(compat))
        }
        other => other,
    };
    let found = before.unwrap_or(&frames[anchor]).function.as_str();
    let prefixes = [
        "__x64_",
        "__ia32_",
        "SYSC_",
        "SyS_",
        "compat_SYSC_",
        "compat_SyS_",
        "__arm64_",
        "__do_",
        "__se_",
    ];
    let stripped = prefixes
        .iter()
        .find_map(|prefix| found.strip_prefix(prefix));
    Some(stripped.unwrap_or(found))
}

/// The function that waits: the first that does more than waiting. Some waits
/// are known by what they wait for.
pub(crate) fn of_hung(frames: &[Frame]) -> Option<&str> {
    for frame in frames {
        let name = frame.function.as_str();
        if name.starts_with("rtnl_lock") {
            return Some("rtnl_lock");
        }
        let rcu = [
            "synchronize_rcu",
            "synchronize_srcu",
            "synchronize_net",
            "synchronize_sched",
        ];
        if rcu.iter().any(|one| name.starts_with(one)) {
            return Some("synchronize_rcu");
        }
    }
    const WAITING: &[&str] = &[
        "sched",
        "_lock",
        "_slowlock",
        "down",
        "rwsem",
        "completion",
        "kthread",
        "wait",
        "synchronize",
        "context_switch",
        "__switch_to",
        "cancel_delayed_work",
        "cancel_work",
        "flush_work",
        "ww_mutex",
        "rcu_barrier",
        "do_read_cache",
    ];
    let mut frames = frames.iter().map(|frame| frame.function.as_str());
    frames.find(|name| !WAITING.iter().any(|waiting| name.contains(waiting)))
}

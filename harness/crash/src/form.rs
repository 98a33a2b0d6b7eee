//! The forms of a kernel's complaints: which line begins one, what its title
//! is, and where the function in the title is found.
//!
//! The titles are those that kernel bots give, so that a report here and one on
//! a mailing list have the same name.

use crate::pattern::{Beginnings, Pattern};
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// The kind of a complaint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // Their names are those of the kernel's own texts.
pub enum Kind {
    KernelBug,
    NullPointer,
    PageFault,
    GeneralProtection,
    StackFault,
    DivideError,
    InvalidOpcode,
    Oops,
    Panic,
    Kasan,
    Kmsan,
    Kcsan,
    Kfence,
    Ubsan,
    Odebug,
    Lockdep,
    RcuUsage,
    RcuStall,
    SoftLockup,
    HardLockup,
    HungTask,
    WorkqueueLockup,
    Atomic,
    Refcount,
    ListCorruption,
    Slab,
    MemoryLeak,
    BadPage,
    Warning,
    Bug,
    Other,
}

/// Where the function that a title names is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Where the processor was, then in the stack.
    Trap,
    /// In the stack, without these functions, which only complain.
    Stack(&'static [&'static str]),
    /// At the place of the warning, without these functions.
    Warned(&'static [&'static str]),
    /// In the first line.
    Header,
    /// In the first line, unless the function there is noise; then in the
    /// stack.
    HeaderThenStack,
    /// Behind `at:`, after a line with these words.
    LockAfter(&'static str),
    /// In the first stack; if there is none, in the first line.
    StackThenHeader,
    /// The function that loops: in the stack down to a system call or a work
    /// item.
    Stall,
    /// The function that calls itself: in the stack down to a system call.
    Overflow,
    /// The function that waits: the first in the stack that does more than
    /// waiting.
    Hung,
    /// The title names no function.
    Nowhere,
}

/// A form of complaint.
pub(crate) struct Form {
    pub kind: Kind,
    /// The line that begins the complaint. Its group `what` replaces `{}` in
    /// the title, and `f` is its function.
    pub begins: Pattern,
    pub except: Option<Pattern>,
    /// The title; ` in FUNCTION` is appended if there is a function.
    pub title: &'static str,
    pub look: Look,
    /// Whether the kernel continues after it.
    pub survivable: bool,
    /// How it relates to the complaint just before it.
    pub place: Place,
}

/// How a complaint relates to the others in its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It is a complaint of its own.
    Own,
    /// It comes just before the line that decides the title: a warning or a
    /// `BUG()`.
    Herald,
    /// It belongs to the complaint just before it, if there is one.
    Part,
    /// It is the end to which another complaint leads.
    Echo,
}

/// Pattern of a function's name, with what a compiler or a language adds to it.
pub(crate) const FUNCTION: &str = r"(?:<[\w:<>, &*]+>::)?[A-Za-z_$][\w$.]*(?:::[\w<>{}$#]+)*";

const SLEEP: &[&str] = &[
    "sleep",
    "__schedule_bug",
    "schedule",
    "preempt",
    "dump_stack",
];
const ALLOCATORS: &[&str] = &[
    "rcu", "kmem", "slab", "kmalloc", "vmalloc", "kcalloc", "kzalloc",
];
const LEAKERS: &[&str] = &[
    "kmemleak",
    "kmalloc",
    "kcalloc",
    "kzalloc",
    "vmalloc",
    "mmap",
    "kmem",
    "slab",
    "alloc",
    "create_object",
    "idr_get",
    "list_lru_init",
    "kasprintf",
    "kvasprintf",
    "pcpu_create",
    "strdup",
    "strndup",
    "memdup",
];
const OBJECTS: &[&str] = &[
    "debug_",
    "rcu",
    "hrtimer_",
    "timer_",
    "work_",
    "percpu_",
    "kmem_",
    "slab_",
    "kfree",
    "vunmap",
    "vfree",
    "__free_",
    "kobject_",
    "destroy_",
    "ODEBUG",
    "kvfree",
    "free_pages",
    "free_large",
];
const USB: &[&str] = &[
    "usb_submit_urb",
    "usb_start_wait_urb",
    "usb_bulk_msg",
    "usb_interrupt_msg",
    "usb_control_msg",
];

fn form(kind: Kind, begins: &str, title: &'static str, look: Look) -> Form {
    Form {
        kind,
        begins: Pattern::new(&begins.replace("{F}", &format!("(?P<f>{FUNCTION})"))),
        except: None,
        title,
        look,
        survivable: true,
        place: Place::Own,
    }
}

impl Form {
    fn fatal(mut self) -> Self {
        self.survivable = false;
        self
    }
    fn but(mut self, except: &str) -> Self {
        self.except = Some(Pattern::new(except));
        self
    }
    fn is(mut self, place: Place) -> Self {
        self.place = place;
        self
    }
}

/// Warnings that only advise the administrator: of old mount options, of the
/// processor's mitigations, of a program that uses an old interface.
const ADVICE: &str = r"WARNING: (?:/etc/|[Tt]he mand mount option|fbcon: |Unprivileged eBPF|See https?:|kernel not compiled with|workqueue cpumask|Unsupported flag value|BIOS bug|.{1,40} [Uu][Ss][Ee][Ss] [Ww][Ii][Rr][Ee][Ll]|[Uu]sing |`)";

/// All forms. The first that matches a line counts.
pub(crate) static FORMS: LazyLock<Vec<Form>> = LazyLock::new(|| {
    use Kind::*;
    use Look::*;
    let trap = || Trap;
    vec![
        // Errors after which the processor cannot continue.
        form(ListCorruption, r"[Kk]ernel BUG at \S*lib/list_debug\.c", "BUG: corrupted list", Stack(&["list_"])).fatal(),
        form(KernelBug, r"[Kk]ernel BUG at \S*mm/usercopy\.c", "BUG: bad usercopy", Stack(&["usercopy", "__check"])).fatal(),
        form(KernelBug, r"[Kk]ernel BUG at (?P<file>[^!\s]+)|Kernel BUG \[#\d+\]|BUG: failure at (?P<file2>[^!\s/]\S+?)/{F}\(\)!", "kernel BUG", trap()).fatal(),
        form(NullPointer, r"(?:BUG: |[Uu]nable to handle )(?:unable to handle )?[Kk]ernel NULL pointer dereference", "BUG: unable to handle kernel NULL pointer dereference", trap()).fatal(),
        form(PageFault, r"[Uu]nable to handle (?:kernel|page fault|unknown fault)", "BUG: unable to handle kernel paging request", trap()).fatal(),
        form(GeneralProtection, r"general protection fault", "general protection fault", trap()).but(r"general protection fault ip:").fatal(),
        form(StackFault, r"PANIC: double fault", "PANIC: double fault", trap()).fatal().is(Place::Part),
        form(StackFault, r"stack guard page was hit", "BUG: stack guard page was hit", Overflow).fatal(),
        form(StackFault, r"stack segment: ", "stack segment fault", trap()).fatal(),
        form(StackFault, r"double fault: |kernel stack overflow|Insufficient stack space", "kernel stack overflow", trap()).fatal().is(Place::Part),
        form(DivideError, r"divide[ _]error: ", "divide error", trap()).fatal(),
        form(InvalidOpcode, r"invalid opcode: ", "invalid opcode", trap()).but(r"invalid opcode ip:").fatal().is(Place::Part),
        // The sanitizers.
        form(Kasan, r"BUG: KAS[Aa][Nn]: (?P<what>[a-z-]+) in {F}\+?\S* at addr", "KASAN: {}", HeaderThenStack).fatal(),
        form(Kasan, r"BUG: KAS[Aa][Nn]: (?P<what>[a-z -]+?) in (?:{F})?", "KASAN: {}", HeaderThenStack).fatal(),
        form(Kasan, r"BUG: KAS[Aa][Nn]: (?P<what>[a-z-]+) on address", "KASAN: {}", Nowhere).fatal(),
        form(Kasan, r"BUG: KAS[Aa][Nn]: (?P<what>[a-z-]+)", "KASAN: {}", Stack(&[])).fatal(),
        form(Kmsan, r"BUG: KMSAN: (?P<what>[a-z-]+)(?: in {F})?", "KMSAN: {}", HeaderThenStack),
        form(Kcsan, r"BUG: KCSAN: (?P<what>[a-z-]+(?:: [a-z-]+)?) in {F}(?:\+\S+)?(?: / (?P<f2>[\w.]+))?", "KCSAN: {}", Header),
        form(Kfence, r"BUG: KFENCE: (?P<what>[a-z- ]+?) in {F}", "KFENCE: {}", StackThenHeader),
        form(Kfence, r"BUG: KFENCE: (?P<what>[a-z- ]+)", "KFENCE: {}", Stack(&["kfence", "kfree", "kmem_", "slab"])),
        form(Ubsan, r"UBSAN: Undefined behaviour in (?P<file>\S+)", "UBSAN: undefined-behaviour", Stack(&["ubsan", "overflow"])),
        form(Ubsan, r"UBSAN: (?P<what>[A-Za-z-]+) in (?P<file>\S+)", "UBSAN: {}", Stack(&["ubsan", "overflow"])),
        form(Ubsan, r"UBSAN: ", "UBSAN: undefined-behaviour", Stack(&["ubsan", "overflow"])),
        // Lockups and stalls.
        form(SoftLockup, r"BUG: soft lockup", "BUG: soft lockup", Stall).fatal(),
        form(HardLockup, r"[Ww]atchdog detected (?:hard )?LOCKUP|BUG: hard lockup", "BUG: hard lockup", Stall).fatal(),
        form(WorkqueueLockup, r"BUG: workqueue lockup", "BUG: workqueue lockup", Nowhere),
        form(RcuStall, r"INFO: rcu\w* (?:self-)?detected (?:expedited )?stall|INFO: rcu\w* detected stalls", "INFO: rcu detected stall", Stall).fatal(),
        form(
            RcuStall,
            r"rcu: .*kthread.* starved for",
            "INFO: rcu detected stall",
            Stall,
        )
        .fatal()
        .is(Place::Part),
        form(HungTask, r"INFO: task .{0,60} can't die for more than", "INFO: task can't die", Hung),
        form(HungTask, r"INFO: task .{0,60} blocked (?:in I/O wait )?for more than", "INFO: task hung", Hung),
        // Complaints about locks.
        form(Lockdep, r"(?:WARNING|INFO|BUG): possible (?:circular locking dependency|recursive locking)|(?:WARNING|INFO): (?:HARD|SOFT|hard|soft)(?:IRQ|irq)?-safe -> (?:HARD|SOFT|hard|soft)(?:IRQ|irq)?-unsafe lock order", "possible deadlock", LockAfter("is trying to acquire")),
        form(Lockdep, r"(?:WARNING|INFO): possible irq lock inversion dependency", "possible deadlock", LockAfter("just changed the state of lock")),
        form(Lockdep, r"(?:WARNING|INFO|BUG): inconsistent lock state", "inconsistent lock state", LockAfter("takes")),
        form(Lockdep, r"(?P<what>WARNING|BUG): bad unlock balance|(?:WARNING|BUG): bad contention", "{}: bad unlock balance", LockAfter("is trying to release lock")),
        form(Lockdep, r"(?P<what>WARNING|BUG): held lock freed", "{}: held lock freed", LockAfter("is freeing memory")),
        form(Lockdep, r"(?P<what>WARNING|BUG): lock held (?:when returning to user space|at task exit time)", "{}: lock held when returning to user space", LockAfter("locks still held")),
        form(Lockdep, r"(?P<what>WARNING|BUG): .{0,60} still has locks held!", "{}: still has locks held", LockAfter("held by")),
        form(Lockdep, r"(?:WARNING|BUG): (?:Invalid wait context|Nested lock was not taken)", "WARNING: locking bug", Stack(&["lock_sock", "release_sock", "wait_context", "slab_", "kmem_", "kfree"])),
        form(Lockdep, r"INFO: trying to register non-static key", "INFO: trying to register non-static key", Stack(&["stack", "lock", "IRQ", "assign_", "down_", "down", "del_timer", "flush_work", "__init_work"])),
        form(Lockdep, r"BUG: (?P<what>MAX_(?:LOCKDEP|STACK_TRACE|LOCK)_\w+ too low)", "BUG: {}!", Nowhere),
        form(Lockdep, r"BUG: (?:key \S+ (?:not in \.data|has not been registered)|looking up invalid)", "WARNING: locking bug", Stack(&[])),
        form(RcuUsage, r"(?P<what>WARNING|INFO): suspicious (?:RCU|rcu_dereference_check\(\)) usage", "{}: suspicious RCU usage", Stack(ALLOCATORS)),
        form(Lockdep, r"DEBUG_LOCKS_WARN_ON\(", "WARNING: locking bug", Stack(&[])).is(Place::Herald),
        // Complaints that accompany a `BUG`.
        form(Atomic, r"BUG: scheduling while atomic", "BUG: scheduling while atomic", Stack(SLEEP)),
        form(Atomic, r"BUG: sleeping function called from invalid context(?: at (?P<file>\S+))?", "BUG: sleeping function called from invalid context", Stack(SLEEP)),
        form(Atomic, r"BUG: using (?P<what>\w+\(\)) in preemptible", "BUG: using {} in preemptible code", Stack(&["dump_stack", "preemption", "preempt", "smp_processor_id"])),
        form(Lockdep, r"BUG: spinlock (?P<what>lockup(?: suspected)?|already unlocked|recursion|bad magic|wrong owner|wrong CPU|cpu recursion|trylock failure)", "BUG: spinlock {}", Stack(&["spin_", "rq_lock"])),
        form(Lockdep, r"BUG: workqueue leaked (?:lock or atomic|atomic, lock)", "BUG: workqueue leaked lock or atomic", LockAfter("last function")),
        form(MemoryLeak, r"BUG: memory leak", "memory leak", Stack(LEAKERS)),
        form(MemoryLeak, r"kmemleak: \d+ new suspected memory leaks|unreferenced object 0x", "memory leak", Stack(LEAKERS)).is(Place::Part),
        form(BadPage, r"BUG: (?P<what>Bad page (?:state|map|cache)|Bad rss-counter state|non-zero \w+ on freeing mm)", "BUG: {}", Stack(&["bad_page", "free_page", "free_unref", "free_pages", "get_page_from_freelist", "__alloc_pages", "alloc_pages", "rmqueue", "post_alloc_hook", "page_pool", "check_new_page"])),
        form(Slab, r"BUG [\w./-]+ \([^)]*\): (?P<what>[A-Z][A-Za-z ]+?)(?:$| in | \[| @|\.)|Slab (?P<what2>corruption|cache still has objects)", "BUG: {}", Nowhere),
        form(Slab, r"slab error in \w+\(\): cache [`'][^']*': (?P<what>.{1,80})", "BUG: {}", Nowhere),
        form(Slab, r"INFO: (?P<what>(?:Allocated|Freed) in .*)", "INFO: {}", Nowhere).is(Place::Part),
        form(Slab, r"INFO: (?P<what>Slab|Object) 0x", "INFO: {}", Nowhere).is(Place::Part),
        form(Bug, r"BUG: Dentry .*still in use .*\[unmount", "BUG: Dentry still in use in unmount", Nowhere),
        form(Bug, r"BUG: (?P<what>still in use|Object already free)", "BUG: {}", Nowhere),
        form(Bug, r"\bBUG: (?P<what>[A-Za-z][\w (),'-]*)", "BUG: {}", Stack(&[])).but(r"BUG: no syscalls can create resource|DEBUG:"),
        form(Bug, r"\bBUG:\s*$", "BUG: corrupted", Nowhere),
        // Warnings; the function that they are in tells what they are about.
        form(Refcount, r"refcount_t: (?P<what>.*)", "WARNING: refcount bug", Warned(&["refcount", "kobject_", "kref_"])).is(Place::Herald),
        form(ListCorruption, r"list_(?:add|del|add_double|prev|next)\w* corruption", "BUG: corrupted list", Stack(&["list_"])).is(Place::Herald),
        form(Odebug, r"ODEBUG: (?P<what>\w+) .*object(?: type)?:", "WARNING: ODEBUG bug", Warned(OBJECTS)).is(Place::Herald),
        form(Other, r"kobject_add_internal failed for|sysfs: cannot create duplicate filename", "WARNING: kobject bug", Warned(&["kobject_", "sysfs_"])).is(Place::Herald),
        form(Odebug, r"WARNING: .*lib/debugobjects\.c", "WARNING: ODEBUG bug", Warned(OBJECTS)),
        form(Refcount, r"WARNING: .*lib/refcount\.c", "WARNING: refcount bug", Warned(&["refcount", "kobject_", "kref_"])),
        form(Kind::Warning, r"WARNING: .*lib/kobject\.c", "WARNING: kobject bug", Warned(&["kobject_"])),
        form(Lockdep, r"WARNING: .*kernel/locking/lockdep\.c.*lock_", "WARNING: locking bug", Warned(&["lock_sock", "release_sock"])),
        form(Kind::Warning, r"WARNING: .*mm/vmalloc\.c.*__vmalloc_node_range", "WARNING: zero-size vmalloc", Warned(&["vmalloc", "kvmalloc", "kmalloc"])),
        form(Kind::Warning, r"WARNING: .*mm/\S*\.c.* k?.?malloc|WARNING: .*mm/\S*\.c.* (?:__)?kv?malloc", "WARNING: kmalloc bug", Warned(&["kmalloc", "kcalloc", "kzalloc", "krealloc", "vmalloc", "slab", "kmem", "alloc_page", "__alloc", "kvmalloc"])),
        form(Kind::Warning, r"WARNING: .*fs/proc/generic\.c.* proc_register", "WARNING: proc registration bug", Warned(&["proc_"])),
        form(Kind::Warning, r"WARNING: .*mm/usercopy\.c.* usercopy_warn", "WARNING: bad usercopy", Warned(&["usercopy", "__check"])),
        form(Kind::Warning, r"WARNING: .* usb_submit_urb", "WARNING", Warned(USB)),
        form(Kind::Warning, r"WARNING: kernel stack regs (?:at \S+ in \S+ has bad '(?P<what>\w+)' value)", "WARNING: kernel stack regs has bad '{}' value", Nowhere),
        form(Kind::Warning, r"WARNING: kernel stack frame pointer", "WARNING: kernel stack frame pointer has bad value", Nowhere),
        form(Kind::Warning, r"WARNING: kernel stack regs", "WARNING: kernel stack regs has bad value", Nowhere),
        form(Kind::Warning, r"WARNING: (?:CPU: \d+ PID: \d+ )?at (?P<file>[^:\s]+:\d+)(?: {F})?", "WARNING", Warned(&[])),
        form(Kind::Warning, r"WARNING: (?P<file>[\w./-]+\.(?:[chS]|rs):\d+) at (?:{F})?", "WARNING", Warned(&[])),
        // Warnings were called badness until 2.6.20, and longer on PowerPC.
        form(Kind::Warning, r"\bBadness at (?P<file>[^:\s]+:\d+)", "WARNING", Warned(&[])),
        form(Kind::Warning, r"\bBadness in {F} at (?P<file>[^:\s]+:\d+)", "WARNING", Warned(&[])),
        form(Kind::Warning, r"WARNING: CPU: \d+ PID: \d+ at\s*$|WARNING: CPU:\s", "WARNING", Warned(&[])),
        form(Kind::Warning, r"^(?:\[[^\]]*\] ?)*WARNING: (?P<what>\S.*?)\s*$", "WARNING: {}", Nowhere).but(ADVICE),
        form(Kind::Warning, r"^\s*WARNING:\s*$", "WARNING: corrupted", Nowhere),
        // The rest.
        form(Other, r"unregister_netdevice: waiting for \S+ to become free", "unregister_netdevice: waiting for DEV to become free", Nowhere),
        form(Other, r"VFS: Busy inodes after unmount", "VFS: Busy inodes after unmount (use-after-free)", Nowhere),
        form(Other, r"VFS: Close: file count is", "VFS: Close: file count is zero (use-after-free)", Nowhere),
        form(Other, r"unchecked MSR access error", "unchecked MSR access error", Stack(&["ex_handler", "fixup_exception", "native_"])),
        form(Other, r"panicked at (?P<file>[^:\s]+:\d+)", "panic of Rust", Stack(&["rust", "core::"])).fatal().is(Place::Herald),
        form(Oops, r"Unhandled fault: ", "Unhandled fault", trap()).fatal(),
        form(Oops, r"Alignment trap: ", "Alignment trap", trap()).fatal(),
        form(Panic, r"Bad mode in ", "kernel panic: bad mode", Nowhere).fatal(),
        form(Oops, r"Internal error: ", "Internal error", trap()).fatal().is(Place::Part),
        form(Oops, r"Oops: |Oops\[#|Oops - ", "Oops", trap()).fatal().is(Place::Part),
        form(Oops, r"(?:[Ee]rror|fault|exception|[Bb]ug|BUG|operation|trap|instruction)\b.{0,80}\[#\d+\]", "Oops", trap()).fatal().is(Place::Part),
        form(Panic, r"Kernel panic - not syncing: corrupted stack end", "kernel panic: corrupted stack end", Stall).fatal().is(Place::Echo),
        form(Panic, r"Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: (?:{F}\+)?", "kernel panic: stack is corrupted", HeaderThenStack).fatal().is(Place::Echo),
        form(Panic, r"Kernel panic - not syncing: Couldn't open N_TTY ldisc", "kernel panic: Couldn't open N_TTY ldisc", Nowhere).fatal().is(Place::Echo),
        form(Panic, r"Kernel panic - not syncing: Attempted to kill init!", "kernel panic: Attempted to kill init!", Nowhere).fatal().is(Place::Echo),
        form(Panic, r"Kernel panic(?: - not syncing)?: (?P<what>.{1,80}?)\s*(?:\.\.\.)?$|Kernel panic(?: - not syncing)?:? ", "kernel panic: {}", Nowhere).fatal().is(Place::Echo),
        form(Other, r"trusty: panic.*ASSERT FAILED(?: at \(.*?\))?:?\s*(?P<what>.*)", "trusty: ASSERT FAILED: {}", Nowhere).fatal(),
        form(Other, r"\bSYZ(?P<what>(?:FAIL|FATAL): .*)", "SYZ{}", Nowhere).fatal(),
        form(Kind::Warning, r"-{4,}\[ cut here \]-{4,}", "WARNING", Warned(&[])).is(Place::Herald),
    ]
});

static BEGINNINGS: LazyLock<Beginnings> =
    LazyLock::new(|| Beginnings::new(FORMS.iter().map(|form| &form.begins)));

/// The form that a line begins, if it begins one.
pub(crate) fn of(line: &str) -> Option<&'static Form> {
    let candidates = BEGINNINGS.candidates(line);
    let mut candidates = candidates.map(|index| &FORMS[index]);
    candidates.find(|form| {
        let except = form.except.as_ref();
        form.begins.is_match(line) && !except.is_some_and(|except| except.is_match(line))
    })
}

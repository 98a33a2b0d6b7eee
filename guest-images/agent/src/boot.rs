//! From the kernel's hand-over to the greeting: file systems, modules, and a
//! look at what the kernel offers.
//!
//! Nothing in here is fatal: what did not work goes into [`Hello::trouble`], so
//! that the harness can say it.

use crate::refuse::Refuse;
use crate::{sysfs, trace};
use halfway_protocol::message::{Hello, Refusal};
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount};
use rustix::system::{finit_module, init_module, uname};
use std::fs::{self, File};
use std::path::Path;

/// The modules to load, one path a line, in order.
const MODULES: &str = "/etc/halfway/modules";

/// Brings the guest up.
pub fn up() -> Hello {
    let mut trouble = Vec::new();
    leave_children_to_the_kernel();
    mount_all(&mut trouble);
    // A module that is not in the image cannot be asked for: without this the
    // kernel tries, by starting a process, each time that it misses one.
    let _ = sysfs::write("/proc/sys/kernel/modprobe", "\n");
    let modules = load_modules(&mut trouble);
    coarse_clock(&mut trouble);
    let name = uname();
    Hello {
        protocol: halfway_protocol::VERSION,
        release: name.release().to_string_lossy().into_owned(),
        version: name.version().to_string_lossy().into_owned(),
        cmdline: sysfs::read("/proc/cmdline").unwrap_or_default(),
        memory_kib: memory_kib().unwrap_or_default(),
        modules,
        events: trace::available(),
        trouble,
    }
}

/// Ignoring SIGCHLD makes the kernel reap orphans by itself (`wait(2)`), which
/// is all that a first process without services needs.
fn leave_children_to_the_kernel() {
    // SAFETY: SIG_IGN installs no handler, so no code of ours runs in a signal.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
}

fn mount_all(trouble: &mut Vec<String>) {
    let mut try_mount = |kind: &str, at: &str| {
        let _ = fs::create_dir(at);
        let result = match mount(kind, at, kind, MountFlags::empty(), None) {
            // The kernel may have mounted it before us (CONFIG_DEVTMPFS_MOUNT).
            Ok(()) | Err(Errno::BUSY) => return,
            Err(error) => Err::<(), _>(error),
        };
        note(
            trouble,
            result.refuse(|| format!("mounting {kind} at {at}")),
        );
    };
    try_mount("proc", "/proc");
    try_mount("sysfs", "/sys");
    try_mount("devtmpfs", "/dev");
    try_mount("tracefs", "/sys/kernel/tracing");
    if Path::new("/sys/kernel/debug").exists() {
        try_mount("debugfs", "/sys/kernel/debug");
    }
}

fn load_modules(trouble: &mut Vec<String>) -> Vec<String> {
    let list = match fs::read_to_string(MODULES) {
        Ok(list) => list,
        // A kernel that has everything built in needs no list.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            note(
                trouble,
                Err::<(), _>(error).refuse(|| format!("reading {MODULES}")),
            );
            return Vec::new();
        }
    };
    let mut loaded = Vec::new();
    for path in list.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if note(trouble, load_module(path)).is_some() {
            let name = Path::new(path).file_stem().unwrap_or_default();
            loaded.push(name.to_string_lossy().into_owned());
        }
    }
    loaded
}

fn load_module(path: &str) -> Result<(), Refusal> {
    let doing = || format!("loading the module {path}");
    let file = File::open(path).refuse(doing)?;
    match finit_module(&file, c"", 0) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(Errno::NOSYS) => {
            let image = fs::read(path).refuse(doing)?;
            match init_module(&image, c"") {
                Ok(()) | Err(Errno::EXIST) => Ok(()),
                Err(error) => Err(error).refuse(doing),
            }
        }
        Err(error) => Err(error).refuse(doing),
    }
}

/// A guest that could not measure its time stamp counter, as happens under
/// emulation on a busy host, counts ticks: events then bear the same time and
/// short waits become long.
fn coarse_clock(trouble: &mut Vec<String>) {
    const CLOCK: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    if let Ok(clock) = sysfs::read(CLOCK)
        && clock.contains("jiffies")
    {
        trouble.push(format!(
            "the guest's clock is {clock:?}, which only counts ticks: \
             tsc_early_khz=KHZ and tsc=reliable on the kernel's command line help"
        ));
    }
}

fn memory_kib() -> Option<u64> {
    let text = sysfs::read("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn note<T>(trouble: &mut Vec<String>, result: Result<T, Refusal>) -> Option<T> {
    result
        .map_err(|refusal| trouble.push(refusal.to_string()))
        .ok()
}

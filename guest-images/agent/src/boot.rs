//! From the kernel's start of this process to the greeting: mounts file systems, loads
//! modules, and finds out what the kernel offers.
//!
//! No error here is fatal. Errors go into [`Hello::trouble`], so that the harness can
//! report them.

use crate::refuse::Refuse;
use crate::{facilities, sysfs, trace};
use halfway_protocol::message::{Hello, Refusal};
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount};
use rustix::system::{finit_module, init_module, uname};
use std::ffi::CString;
use std::fs::{self, File};
use std::path::Path;

/// The list of modules to load: one path a line, in order.
const MODULES: &str = "/etc/halfway/modules";

/// Prepares the guest and makes the greeting.
pub fn up() -> Hello {
    let mut trouble = Vec::new();
    leave_children_to_the_kernel();
    mount_all(&mut trouble);
    // Turn modprobe off: each time the kernel misses a module, it would start a process.
    // A module that is not in the image could not be loaded anyway.
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
        lacking: facilities::lacking(),
        trouble,
    }
}

/// Ignores SIGCHLD, so that the kernel reaps orphans by itself (`wait(2)`). A first
/// process without services needs nothing else.
fn leave_children_to_the_kernel() {
    // SAFETY: SIG_IGN installs no handler, so no code of this program runs in a signal.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
}

fn mount_all(trouble: &mut Vec<String>) {
    let mut try_mount = |kind: &str, at: &str| {
        let _ = fs::create_dir(at);
        let result = match mount(kind, at, kind, MountFlags::empty(), None) {
            // The kernel may have mounted it already (CONFIG_DEVTMPFS_MOUNT).
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
        // A kernel with everything built in needs no list.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            note(
                trouble,
                Err::<(), _>(error).refuse(|| format!("reading {MODULES}")),
            );
            return Vec::new();
        }
    };
    let command_line = sysfs::read("/proc/cmdline").unwrap_or_default();
    let mut loaded = Vec::new();
    for path in list.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if note(trouble, load_module(path, &command_line)).is_some() {
            let name = Path::new(path).file_stem().unwrap_or_default();
            loaded.push(name.to_string_lossy().into_owned());
        }
    }
    loaded
}

fn load_module(path: &str, command_line: &str) -> Result<(), Refusal> {
    let doing = || format!("loading the module {path}");
    let parameters = parameters(path, command_line);
    let file = File::open(path).refuse(doing)?;
    match finit_module(&file, &parameters, 0) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(Errno::NOSYS) => {
            let image = fs::read(path).refuse(doing)?;
            match init_module(&image, &parameters) {
                Ok(()) | Err(Errno::EXIST) => Ok(()),
                Err(error) => Err(error).refuse(doing),
            }
        }
        Err(error) => Err(error).refuse(doing),
    }
}

/// The parameters that the kernel command line has for the module in `NUMBER-NAME.ko`, as
/// `NAME.PARAMETER=VALUE`. The kernel itself applies them only to what is built in; for
/// modules that is the job of modprobe.
fn parameters(path: &str, command_line: &str) -> CString {
    let stem = Path::new(path).file_stem().unwrap_or_default();
    let stem = stem.to_string_lossy();
    let name = stem.split_once('-').map_or(&*stem, |(_, name)| name);
    let own = command_line.split_ascii_whitespace().filter_map(|word| {
        let (module, parameter) = word.split_once('.')?;
        (module.replace('-', "_") == name).then_some(parameter)
    });
    // A command line holds no NUL.
    CString::new(own.collect::<Vec<_>>().join(" ")).unwrap_or_default()
}

/// Reports a coarse clock. On a busy host, an emulated guest may fail to measure its time
/// stamp counter and count ticks instead. Then many events have the same time, and short
/// waits become long.
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

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("/lib/halfway/modules/07-usb_storage.ko", c"delay_use=0 quirks=a:b")]
    #[case("/lib/halfway/modules/08-halfway_leg.ko", c"flavour=mq")]
    #[case("/lib/halfway/modules/09-usb.ko", c"")]
    fn a_module_gets_its_own_parameters(#[case] path: &str, #[case] expected: &std::ffi::CStr) {
        let line =
            "quiet usb_storage.delay_use=0 halfway-leg.flavour=mq x=1.2 usb-storage.quirks=a:b";
        assert_eq!(&*parameters(path, line), expected);
    }
}

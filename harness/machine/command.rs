//! Builds the QEMU command line.

use super::Accel;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The memory of a guest, in MiB. Stock kernels with dm-raid1 need this much. It is not
/// more, since several machines may run side by side.
pub const MEMORY_MIB: u32 = 224;

/// The memory of a guest with file systems and their programs, in MiB. Its root file
/// system is in memory and holds a hundred megabytes of programs and libraries.
pub const MEMORY_WITH_FILES_MIB: u32 = 448;

/// What a machine boots.
#[derive(Clone, Debug)]
pub struct Boot {
    /// The path of the QEMU binary.
    pub qemu: PathBuf,
    /// A vmlinux with a PVH note (fastest), or a bzImage.
    pub image: PathBuf,
    /// The path of the initramfs, which holds the agent.
    pub initrd: PathBuf,
    /// How guest code is executed.
    pub accel: Accel,
    /// Whether the kernel prints its whole boot on the console. This is slower, and meant
    /// for looking at a boot that failed.
    pub verbose: bool,
    /// The rate of the time stamp counter that an emulated guest is told, in kHz.
    pub tsc_khz: Option<u32>,
    /// The memory of the guest, in MiB.
    pub memory_mib: u32,
    /// The number of processors. With only one, ACPI is turned off.
    pub processors: u8,
    /// More kernel parameters, given by the user.
    pub append: Vec<String>,
}

/// The QEMU devices that every machine has.
pub const DEVICES: [&str; 3] = ["isa-serial", "virtio-serial-pci", "virtserialport"];

/// The names of a machine's sockets and pipes in its private directory.
pub mod file {
    /// The socket that QEMU's monitor connects to.
    pub const QMP: &str = "qmp";
    /// The socket that the storage daemon's monitor connects to.
    pub const DAEMON_QMP: &str = "daemon-qmp";
    /// The socket that the agent's virtio-serial port connects to.
    pub const AGENT: &str = "agent";
    /// The socket that the shell's virtio-serial port connects to.
    pub const SHELL: &str = "shell";
    /// The pipe of the guest's serial console.
    pub const CONSOLE: &str = "console";
}

/// The kernel parameters.
///
/// The first case waits for the boot. So everything is off that takes time and tells
/// nothing: crypto self-tests, ACPI, and address randomisation. Disks are found through
/// PCI; only a second processor needs ACPI. MSI is off because 5.10 and 6.1 warn about it
/// without ACPI. RCU grace periods are expedited: normal ones would make each removal of
/// a dm device wait for several timer ticks. A kernel that oopses or panics ends QEMU at
/// once (`panic=-1` with `-no-reboot`).
fn parameters(boot: &Boot) -> String {
    let mut words = vec![
        "console=ttyS0",
        if boot.verbose { "loglevel=7" } else { "quiet" },
        "panic=-1",
        "oops=panic",
        "pci=nomsi",
        "nokaslr",
        "cryptomgr.notests",
        "rcupdate.rcu_expedited=1",
        "random.trust_cpu=on",
        "raid=noautodetect",
        "printk.devkmsg=on",
    ];
    if boot.processors == 1 {
        words.push("acpi=off");
    }
    let tsc = boot.tsc_khz.filter(|_| boot.accel == Accel::Tcg);
    let tsc = tsc.map(|khz| format!("tsc=reliable tsc_early_khz={khz}"));
    words.extend(tsc.as_deref());
    words.extend(boot.append.iter().map(String::as_str));
    words.join(" ")
}

/// All arguments of QEMU. `disks` are the arguments for the legs and for their journal.
/// `shell` adds a port for an interactive shell.
pub fn arguments(boot: &Boot, directory: &Path, disks: &[String], shell: bool) -> Vec<OsString> {
    let path = |name: &str| directory.join(name).display().to_string();
    let mut args: Vec<OsString> = Vec::new();
    let mut add = |words: &[&str]| args.extend(words.iter().map(OsString::from));

    add(&[
        "-nodefaults",
        "-no-user-config",
        "-no-reboot",
        "-display",
        "none",
    ]);
    add(&["-name", "halfway,debug-threads=on"]);
    add(&[
        "-sandbox",
        "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
    ]);
    add(&["-machine", "q35,usb=off,smbus=off,sata=off,vmport=off"]);
    match boot.accel {
        Accel::Kvm => add(&["-accel", "kvm", "-cpu", "host"]),
        // cmpxchg16b is off because of a bug in QEMU 7.2: it computes the flags from
        // those of an earlier operation (`helper_cmpxchg16b_unlocked` in
        // target/i386/tcg/mem_helper.c). If an interrupt then arrives, it returns with a
        // part of a pointer as EFLAGS. Linux 6.12 dies of a double fault in
        // `kmem_cache_alloc`.
        // One vCPU needs only one translation thread, and a larger translation buffer
        // would only take memory.
        Accel::Tcg => add(&[
            "-accel",
            "tcg,thread=single,tb-size=128",
            "-cpu",
            "qemu64,-cx16",
        ]),
    }
    let (processors, memory) = (boot.processors, boot.memory_mib);
    add(&["-smp", &processors.to_string(), "-m", &format!("{memory}M")]);
    add(&["-rtc", "base=utc"]);
    add(&["-kernel", &boot.image.display().to_string()]);
    add(&["-initrd", &boot.initrd.display().to_string()]);
    add(&["-append", &parameters(boot)]);

    add(&[
        "-chardev",
        &format!("file,id=console,path={}", path(file::CONSOLE)),
    ]);
    add(&["-device", "isa-serial,chardev=console"]);
    add(&[
        "-chardev",
        &format!("socket,id=qmp,path={},server=off", path(file::QMP)),
    ]);
    add(&["-mon", "chardev=qmp,mode=control"]);
    add(&["-device", "virtio-serial-pci,id=serial,disable-legacy=on"]);
    add(&[
        "-chardev",
        &format!("socket,id=agent,path={},server=off", path(file::AGENT)),
    ]);
    add(&[
        "-device",
        &format!(
            "virtserialport,chardev=agent,name={}",
            halfway_protocol::PORT
        ),
    ]);
    if shell {
        add(&[
            "-chardev",
            &format!("socket,id=shell,path={},server=off", path(file::SHELL)),
        ]);
        add(&[
            "-device",
            &format!("virtserialport,chardev=shell,name={SHELL_PORT}"),
        ]);
    }
    args.extend(disks.iter().map(OsString::from));
    args
}

/// The name of the virtio-serial port of the interactive shell.
pub const SHELL_PORT: &str = "halfway.shell.0";

/// The words of a command line, quoted so that it can be pasted into a shell.
pub fn shown(program: &Path, args: &[OsString]) -> Vec<String> {
    std::iter::once(program.display().to_string())
        .chain(args.iter().map(|arg| arg.to_string_lossy().into_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boot(accel: Accel) -> Boot {
        Boot {
            qemu: "/usr/bin/qemu-system-x86_64".into(),
            image: "/cache/vmlinux".into(),
            initrd: "/cache/initrd".into(),
            accel,
            verbose: false,
            memory_mib: MEMORY_MIB,
            processors: 1,
            tsc_khz: Some(2_000_000),
            append: vec!["my.parameter=1".into()],
        }
    }

    #[test]
    fn the_command_line_is_what_it_was() {
        let args = arguments(
            &boot(Accel::Tcg),
            Path::new("/private"),
            &["-device".into()],
            true,
        );
        insta::assert_debug_snapshot!(args);
    }

    #[test]
    fn a_second_processor_is_found_by_acpi() {
        let alone = boot(Accel::Tcg);
        let two = Boot {
            processors: 2,
            ..alone.clone()
        };
        let has = |boot: &Boot| parameters(boot).contains("acpi=off");
        assert_eq!((has(&alone), has(&two)), (true, false));
    }

    #[test]
    fn a_user_parameter_reaches_the_kernel() {
        assert!(parameters(&boot(Accel::Kvm)).ends_with(" my.parameter=1"));
    }
}

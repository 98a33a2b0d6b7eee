//! Asks a QEMU binary for its version and its devices, before a machine is started.
//!
//! A program that fails, is ended by a signal, prints nothing or never ends has not
//! answered. That is an error of its own: it does not mean "no such device".

use super::{command, process};
use halfway_builder::ProgramError;
use miette::Diagnostic;
use std::collections::HashSet;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;
use tokio::process::Command;

/// How long QEMU may take to answer. A tenth of a second is usual.
const PATIENCE: Duration = Duration::from_secs(10);

/// The oldest usable release. Faults are armed with `blockdev-reopen`, which QEMU has
/// since this release. Before, it was `x-blockdev-reopen`
/// (docs/about/removed-features.rst).
const OLDEST: Number = Number(6, 1);

/// The releases that whole catalogues were run with.
const RUN_WITH: [Number; 2] = [Number(7, 2), Number(10, 0)];

/// How the version text of QEMU begins.
const EMULATOR: &str = "QEMU emulator version ";

/// How the version text of the storage daemon begins.
const DAEMON: &str = "qemu-storage-daemon version ";

/// Why a QEMU cannot be used.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum QemuError {
    /// The program could not be run, or it failed.
    #[error("{} does not work: {why}", binary.display())]
    #[diagnostic(help(
        "`ci/setup` installs QEMU; HALFWAY_QEMU names another binary. A QEMU that fails with \
         `-device help` may have the modules of another build"
    ))]
    Program {
        /// The path of the binary.
        binary: PathBuf,
        /// How it failed.
        why: ProgramError,
    },
    /// The program did not end in time.
    #[error("{} does not work: `{line}` has not ended after {} s", binary.display(), after.as_secs())]
    #[diagnostic(help("HALFWAY_QEMU names another binary"))]
    Late {
        /// The path of the binary.
        binary: PathBuf,
        /// The command line that was run.
        line: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// The program is something else.
    #[error("{} is not {wanted}: its `--version` says {said:?}", binary.display())]
    #[diagnostic(help("HALFWAY_QEMU is to name a qemu-system-x86_64"))]
    Foreign {
        /// The path of the binary.
        binary: PathBuf,
        /// The name of the program that it should be.
        wanted: &'static str,
        /// The first line that it printed.
        said: String,
    },
    /// The release of QEMU is too old.
    #[error(
        "{version} is too old: faults are armed with `blockdev-reopen`, which QEMU has since {OLDEST}"
    )]
    #[diagnostic(help("HALFWAY_QEMU names another binary"))]
    Old {
        /// The version that it reports.
        version: String,
    },
    /// QEMU lacks a device that every machine needs.
    #[error("{version} has no {device}, which every machine needs")]
    #[diagnostic(help("HALFWAY_QEMU names another binary"))]
    Lacks {
        /// The version that it reports.
        version: String,
        /// The name of the device.
        device: &'static str,
    },
    /// QEMU's list of devices is empty.
    #[error("{} does not work: `{line}` names no device, and says {said:?}", binary.display())]
    #[diagnostic(help("HALFWAY_QEMU names another binary"))]
    NoDevices {
        /// The path of the binary.
        binary: PathBuf,
        /// The command line that was run.
        line: String,
        /// The first line that it printed.
        said: String,
    },
}

/// The number of a QEMU release: major and minor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Number(u32, u32);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// The version of QEMU, or of its storage daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    number: Number,
    text: String,
}

impl Version {
    fn of_first_line(text: &str, name: &str) -> Option<Self> {
        let text = text.lines().next()?.trim();
        let mut parts = text.strip_prefix(name)?.split(['.', ' ', '-']);
        let mut number = || parts.next()?.parse().ok();
        let number = Number(number()?, number()?);
        let text = text.to_owned();
        Some(Version { number, text })
    }

    /// What the user should know before anything is run on this version.
    pub fn warning(&self) -> Option<String> {
        let number = self.number;
        if RUN_WITH.contains(&number) {
            return None;
        }
        let known: Vec<_> = RUN_WITH.iter().map(Number::to_string).collect();
        Some(format!(
            "no catalogue was ever run on QEMU {number}: of its releases {} were",
            known.join(" and ")
        ))
    }

    /// Whether both are of the same release.
    pub fn belongs_to(&self, other: &Version) -> bool {
        self.number == other.number
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A usable QEMU: its binary, its version and its devices.
#[derive(Clone, Debug)]
pub struct Qemu {
    /// The path of the binary.
    pub binary: PathBuf,
    /// The version that it reports.
    pub version: Version,
    devices: HashSet<String>,
}

impl Qemu {
    /// Asks `binary` for its version and devices.
    ///
    /// # Errors
    /// It does not work, is not QEMU, or is too old.
    pub async fn ask(binary: &Path) -> Result<Self, QemuError> {
        Self::ask_within(binary, PATIENCE).await
    }

    async fn ask_within(binary: &Path, patience: Duration) -> Result<Self, QemuError> {
        let version = version(binary, EMULATOR, "a QEMU", patience).await?;
        if version.number < OLDEST {
            return Err(QemuError::Old {
                version: version.text,
            });
        }
        let arguments = ["-device", "help"];
        let output = output(binary, &arguments, patience).await?;
        let text = String::from_utf8_lossy(&output.stdout);
        let devices: HashSet<_> = text.lines().filter_map(device).collect();
        if devices.is_empty() {
            return Err(QemuError::NoDevices {
                binary: binary.to_owned(),
                line: line(binary, &arguments),
                said: first_line(&output),
            });
        }
        let qemu = Qemu {
            binary: binary.to_owned(),
            version,
            devices,
        };
        match qemu.lacks(&command::DEVICES) {
            None => Ok(qemu),
            Some(device) => Err(QemuError::Lacks {
                version: qemu.version.text,
                device,
            }),
        }
    }

    /// The first of these devices that this QEMU does not have.
    pub fn lacks(&self, devices: &[&'static str]) -> Option<&'static str> {
        let mut devices = devices.iter().copied();
        devices.find(|device| !self.devices.contains(*device))
    }
}

/// The version of the storage daemon. `None` if there is none.
///
/// # Errors
/// There is a storage daemon, but it does not work.
pub async fn daemon_version(program: &Path) -> Result<Option<Version>, QemuError> {
    match version(program, DAEMON, "QEMU's storage daemon", PATIENCE).await {
        Err(QemuError::Program { why, .. }) if why.is_missing() => Ok(None),
        asked => asked.map(Some),
    }
}

async fn version(
    binary: &Path,
    name: &str,
    wanted: &'static str,
    patience: Duration,
) -> Result<Version, QemuError> {
    let output = output(binary, &["--version"], patience).await?;
    let text = String::from_utf8_lossy(&output.stdout);
    Version::of_first_line(&text, name).ok_or_else(|| QemuError::Foreign {
        binary: binary.to_owned(),
        wanted,
        said: first_line(&output),
    })
}

/// The device name in a line such as `name "virtio-blk-pci", bus PCI, alias
/// "virtio-blk"`.
fn device(line: &str) -> Option<String> {
    let (name, _) = line.strip_prefix("name \"")?.split_once('"')?;
    Some(name.to_owned())
}

async fn output(
    binary: &Path,
    arguments: &[&str],
    patience: Duration,
) -> Result<Output, QemuError> {
    let program = |why| QemuError::Program {
        binary: binary.to_owned(),
        why,
    };
    let not_run = |why| program(ProgramError::of_start(binary.as_os_str(), why));
    let mut command = Command::new(binary);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = process::bound_to_us(&mut command).spawn();
    let child = child.map_err(not_run)?;
    let group = Group(child.id());
    let line = line(binary, arguments);
    match tokio::time::timeout(patience, child.wait_with_output()).await {
        Ok(output) => {
            std::mem::forget(group);
            ProgramError::check(line, output.map_err(not_run)?).map_err(program)
        }
        Err(_) => Err(QemuError::Late {
            binary: binary.to_owned(),
            line,
            after: patience,
        }),
    }
}

/// A process group that is killed on drop: when it took too long, or when the user
/// interrupts.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        self.0.into_iter().for_each(process::kill_group);
    }
}

fn line(binary: &Path, arguments: &[&str]) -> String {
    let program = binary.file_name().map_or_else(OsString::new, Into::into);
    format!("{} {}", program.to_string_lossy(), arguments.join(" "))
}

fn first_line(output: &Output) -> String {
    let said = [&output.stdout, &output.stderr];
    let mut texts = said.into_iter().map(|bytes| String::from_utf8_lossy(bytes));
    let text = texts.find(|text| !text.trim().is_empty());
    let text = text.unwrap_or_default();
    text.trim().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Instant;

    const DEBIAN: &str = "echo 'QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)'";
    const DEVICES: &str = r#"echo 'Storage devices:'
        for name in isa-serial virtio-serial-pci virtserialport nvme
        do echo "name \"$name\", bus PCI, desc \"x\""; done"#;

    /// Asks a shell script that gives these two answers.
    async fn ask(version: &str, devices: &str) -> Result<Qemu, QemuError> {
        let directory = tempfile::tempdir().unwrap();
        let binary = directory.path().join("qemu");
        let script =
            format!("#!/bin/sh\ncase $1 in --version) {version};; -device) {devices};; esac\n");
        std::fs::write(&binary, script).unwrap();
        std::fs::set_permissions(&binary, PermissionsExt::from_mode(0o755)).unwrap();
        loop {
            // While the file was open for writing, another test of this process may have
            // forked. Then the script is busy.
            match Qemu::ask_within(&binary, Duration::from_secs(2)).await {
                Err(QemuError::Program {
                    why: ProgramError::NotRun { why, .. },
                    ..
                }) if why.kind() == std::io::ErrorKind::ExecutableFileBusy => {}
                answer => return answer,
            }
        }
    }

    #[tokio::test]
    async fn what_it_has_and_lacks() {
        let qemu = ask(DEBIAN, DEVICES).await.unwrap();
        assert_eq!(qemu.lacks(&["nvme"]), None);
        assert_eq!(qemu.lacks(&["nvme", "floppy"]), Some("floppy"));
        assert!(
            qemu.version
                .to_string()
                .starts_with("QEMU emulator version 7.2.22 (")
        );
    }

    #[rstest]
    #[case::fails(
        DEBIAN,
        "echo 'no module' >&2; exit 1",
        "`qemu -device help` failed (exit status: 1): no module"
    )]
    #[case::crashes(
        DEBIAN,
        "kill -SEGV $$",
        "`qemu -device help` failed (signal: 11 (SIGSEGV)"
    )]
    #[case::fails_in_the_middle(DEBIAN, &format!("{DEVICES}; exit 1"), "(exit status: 1)")]
    #[case::says_nothing(DEBIAN, "exit 0", "`qemu -device help` names no device, and says \"\"")]
    #[case::says_something_else(DEBIAN, "echo usage", "names no device, and says \"usage\"")]
    #[case::hangs(DEBIAN, "sleep 1000", "`qemu -device help` has not ended after 2 s")]
    #[case::has_no_version("exit 0", DEVICES, "is not a QEMU: its `--version` says \"\"")]
    #[case::version_fails("exit 4", DEVICES, "`qemu --version` failed (exit status: 4)")]
    #[case::version_hangs("sleep 1000", DEVICES, "`qemu --version` has not ended after 2 s")]
    #[case::another("echo GNU bash 5", DEVICES, "its `--version` says \"GNU bash 5\"")]
    #[case::a_part_of_qemu("echo qemu-img version 7.2.22", DEVICES, "is not a QEMU")]
    #[case::no_serial_port(
        DEBIAN,
        r#"echo 'name "nvme", bus PCI'"#,
        "has no isa-serial, which every"
    )]
    #[case::old(
        "echo QEMU emulator version 5.2.0",
        DEVICES,
        "version 5.2.0 is too old"
    )]
    #[tokio::test]
    async fn what_does_not_answer_is_an_error(
        #[case] version: &str,
        #[case] devices: &str,
        #[case] expected: &str,
    ) {
        let started = Instant::now();
        let error = ask(version, devices).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(started.elapsed() < Duration::from_secs(60));
    }

    #[tokio::test]
    async fn a_hang_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let pid = directory.path().join("pid");
        // The group has a second process, which holds the same pipes open.
        let devices = format!("sleep 1000 & echo $! > {}; wait", pid.display());
        ask(DEBIAN, &devices).await.unwrap_err();
        let pid = std::fs::read_to_string(&pid).unwrap();
        let gone = || {
            let state = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
            state.is_err() || state.is_ok_and(|state| state.contains(") Z "))
        };
        let until = Instant::now() + Duration::from_secs(20);
        while !gone() {
            assert!(Instant::now() < until, "{pid} lives");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn a_daemon_that_is_not_there_is_no_error() {
        let daemon = daemon_version(Path::new("/no/such/daemon")).await;
        assert_eq!(daemon.unwrap(), None);
        let error = daemon_version(Path::new("/bin/false")).await.unwrap_err();
        assert!(error.to_string().contains("exit status: 1"), "{error}");
    }

    #[rstest]
    #[case("QEMU emulator version 7.2.22 (Debian x)", None)]
    #[case("QEMU emulator version 10.0.13", None)]
    #[case(
        "QEMU emulator version 11.0.0-rc2",
        Some("on QEMU 11.0: of its releases 7.2 and 10.0")
    )]
    #[case("QEMU emulator version 7.1.0", Some("on QEMU 7.1:"))]
    fn of_what_was_never_run_is_warned(#[case] line: &str, #[case] expected: Option<&str>) {
        let version = Version::of_first_line(line, EMULATOR).unwrap();
        let warning = version.warning();
        assert_eq!(warning.is_some(), expected.is_some());
        assert!(warning.unwrap_or_default().contains(expected.unwrap_or("")));
    }

    #[test]
    fn a_daemon_belongs_to_its_release() {
        let of = |line, name| Version::of_first_line(line, name).unwrap();
        let qemu = of("QEMU emulator version 7.2.22 (Debian x)", EMULATOR);
        assert!(of("qemu-storage-daemon version 7.2.19", DAEMON).belongs_to(&qemu));
        assert!(!of("qemu-storage-daemon version 10.0.2", DAEMON).belongs_to(&qemu));
    }
}

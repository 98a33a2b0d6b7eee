//! What was run, and on what. The manifest is written once, before anything is started.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Version of the record's format. It is raised when older programs could no longer read
/// what is written.
pub const FORMAT: u32 = 1;

/// What was run, and on what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format version, [`FORMAT`].
    pub format: u32,
    /// Version of halfway.
    pub halfway: String,
    /// When the run was started.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
    /// The command line's arguments, without the program's name.
    pub arguments: Vec<String>,
    /// The options that, with a case's file, repeat that case: seed, kernel,
    /// acceleration.
    pub repeat: Vec<String>,
    /// The seed from which the content of every sector is derived.
    pub seed: u64,
    /// How the cases were selected.
    pub selection: Selection,
    /// The guest kernel.
    pub kernel: Kernel,
    /// The QEMU that was used.
    pub qemu: Qemu,
    /// How guest code is executed.
    pub acceleration: Acceleration,
    /// The machine that halfway ran on.
    pub host: Host,
    /// The number of cases in the run.
    pub cases: u64,
    /// The number of cases that the run was sampled from. Equal to `cases` if all were
    /// run.
    pub whole: u64,
    /// The scenario files, as they were when the run started.
    pub scenarios: Vec<ScenarioFile>,
}

/// How the cases were selected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// Scenario files and directories, as the user named them.
    pub paths: Vec<String>,
    /// Whether `--full` was given.
    pub full: bool,
    /// The number given with `--sample`.
    pub sample: Option<u64>,
    /// The regular expression on case ids given with `--filter`.
    pub filter: Option<String>,
    /// The tags given with `--tag`: scenarios that have any of them.
    pub tags: Vec<String>,
    /// The ids given with `--list`, or those of the cases that `--failed` runs again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<Vec<String>>,
    /// The ids that `--exclude @FILE` leaves out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<String>,
    /// The regular expressions given with `--exclude`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
}

/// The guest kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kernel {
    /// Its name in the catalogue, or `host`, or the path that was given.
    pub name: String,
    /// Its release, as `uname -r` prints it.
    pub release: String,
    /// The version of its package, or what else is known of its build.
    pub version: String,
    /// Where it comes from: a package, a build tree, or files.
    pub origin: String,
    /// The path of the image that was booted.
    pub image: String,
    /// SHA-256 of that image, in hexadecimal.
    pub sha256: String,
}

/// The QEMU that was used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Qemu {
    /// The path of the program.
    pub binary: String,
    /// The version that it reports.
    pub version: String,
}

/// How guest code is executed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceleration {
    /// `kvm` or `tcg`.
    pub accelerator: String,
    /// Why it was chosen, in words.
    pub reason: String,
}

/// The host that Halfway runs on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Its kernel's release, as `uname -r` prints it.
    pub kernel: String,
    /// The model name of its processor. Empty if the kernel does not report it.
    pub cpu: String,
    /// The number of processors that this process may use.
    pub cores: u64,
    /// Its memory, in bytes.
    pub memory: u64,
}

impl Host {
    /// Describes this host.
    pub fn this() -> Self {
        let info = rustix::system::sysinfo();
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        Host {
            kernel: rustix::system::uname()
                .release()
                .to_string_lossy()
                .into_owned(),
            cpu: cpu_model(&cpuinfo).unwrap_or_default().to_owned(),
            cores: std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64),
            memory: info.totalram.saturating_mul(u64::from(info.mem_unit)),
        }
    }
}

fn cpu_model(cpuinfo: &str) -> Option<&str> {
    cpuinfo.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == "model name").then(|| value.trim())
    })
}

/// A scenario file, as it was when the run started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScenarioFile {
    /// The scenario's name.
    pub name: String,
    /// The text of the file.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_found_among_the_other_lines() {
        let text = "processor\t: 0\nmodel\t\t: 85\nmodel name\t: Some CPU @ 2.0GHz\n";
        assert_eq!(cpu_model(text), Some("Some CPU @ 2.0GHz"));
        assert_eq!(cpu_model("Hardware : x\n"), None);
    }

    #[test]
    fn this_host_has_memory_and_a_kernel() {
        let host = Host::this();
        assert!(host.memory > 1 << 20, "{host:?}");
        assert!(!host.kernel.is_empty() && host.cores > 0, "{host:?}");
    }
}

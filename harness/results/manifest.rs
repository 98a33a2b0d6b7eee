//! What was run, and on what: written once, before anything is started.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Version of the record's format. Raised when an older program could no
/// longer read what is written.
pub const FORMAT: u32 = 1;

/// What was run, and on what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// Version of halfway.
    pub halfway: String,
    /// When the run was started.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
    /// The command line's arguments, without the program's name.
    pub arguments: Vec<String>,
    /// The options that a repetition of one case needs besides its file: seed,
    /// kernel, acceleration.
    pub repeat: Vec<String>,
    /// The seed: every sector's content is derived from it.
    pub seed: u64,
    /// What was selected.
    pub selection: Selection,
    /// The guest kernel.
    pub kernel: Kernel,
    /// QEMU.
    pub qemu: Qemu,
    /// How guest code is executed.
    pub acceleration: Acceleration,
    /// The machine that halfway ran on.
    pub host: Host,
    /// Cases of the run.
    pub cases: u64,
    /// Cases that the selection was sampled from; equal to `cases` where all
    /// were run.
    pub whole: u64,
    /// The scenario files, as they were.
    pub scenarios: Vec<ScenarioFile>,
}

/// Which cases were selected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// Scenario files and directories, as they were named.
    pub paths: Vec<String>,
    /// `--full`.
    pub full: bool,
    /// `--sample`.
    pub sample: Option<u64>,
    /// `--filter`: a regular expression on case ids.
    pub filter: Option<String>,
    /// `--tag`: scenarios that have one of them.
    pub tags: Vec<String>,
}

/// The guest kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kernel {
    /// Name in the catalogue, `host`, or the path that was given.
    pub name: String,
    /// `uname -r`.
    pub release: String,
    /// Version of its package, or what else is known of its build.
    pub version: String,
    /// Where it comes from: a package, a build tree, files.
    pub origin: String,
    /// Path of the image that was booted.
    pub image: String,
    /// SHA-256 of that image, in hexadecimal.
    pub sha256: String,
}

/// QEMU.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Qemu {
    /// Path of the program.
    pub binary: String,
    /// What it says of its version.
    pub version: String,
}

/// How guest code is executed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceleration {
    /// `kvm` or `tcg`.
    pub accelerator: String,
    /// Why that one, in words.
    pub reason: String,
}

/// The machine that halfway runs on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// `uname -r`.
    pub kernel: String,
    /// The processor's model name; empty where the kernel does not tell.
    pub cpu: String,
    /// Processors that this process may use.
    pub cores: u64,
    /// Memory in bytes.
    pub memory: u64,
}

impl Host {
    /// This machine.
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
    /// The file's text.
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

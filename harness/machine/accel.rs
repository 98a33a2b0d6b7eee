//! Chooses KVM or TCG, by a trial.
//!
//! That `/dev/kvm` opens proves nothing. On nested or restricted hosts it makes a VM,
//! which then spins forever in the guest's first instructions. So KVM counts as usable
//! only when a guest has said hello under it. The answer is remembered for this host,
//! this QEMU and this kernel image.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a trial boot under KVM may take. Where KVM works, a guest is up within a
/// second.
pub const TRIAL: Duration = Duration::from_secs(8);

/// What executes the guest's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accel {
    /// The host's processor, by KVM.
    Kvm,
    /// QEMU's translator, TCG.
    Tcg,
}

impl fmt::Display for Accel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Accel::Kvm => "KVM",
            Accel::Tcg => "TCG",
        })
    }
}

/// The acceleration that the user asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccelChoice {
    /// KVM if it works, else TCG.
    #[default]
    Auto,
    /// This one, whether or not it works.
    Only(Accel),
}

/// What can be said without a trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// The decision. If it is a fallback to TCG, with the reason.
    Decided(Accel, Option<String>),
    /// `/dev/kvm` opens, so only a trial can tell whether KVM works.
    NeedsTrial,
}

/// The remembered answers, kept in a file of the user's cache.
#[derive(Debug)]
pub struct Memory {
    file: PathBuf,
    key: String,
}

#[derive(Default, Serialize, Deserialize)]
struct Answers {
    /// For each key: why KVM does not work, or `None` if it works.
    kvm: std::collections::BTreeMap<String, Option<String>>,
}

impl Memory {
    /// Opens the answers in `directory`, the user's cache. An answer holds for one host
    /// kernel, one boot of the host, one `qemu_version` and one `image` (a digest).
    pub fn open(directory: &Path, qemu_version: &str, image: &str) -> Self {
        let host = rustix::system::uname();
        let key = format!(
            "{} {} | {qemu_version} | {image}",
            host.release().to_string_lossy(),
            boot_id(),
        );
        Memory {
            file: directory.join("acceleration.json"),
            key,
        }
    }

    /// What can be said about `choice` without a trial.
    pub fn known(&self, choice: AccelChoice) -> Known {
        if let AccelChoice::Only(accel) = choice {
            return Known::Decided(accel, None);
        }
        if let Err(error) = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/kvm")
        {
            let why = format!("/dev/kvm cannot be opened ({error})");
            return Known::Decided(Accel::Tcg, Some(why));
        }
        match self.answers().kvm.get(&self.key) {
            None => Known::NeedsTrial,
            Some(None) => Known::Decided(Accel::Kvm, None),
            Some(Some(why)) => Known::Decided(Accel::Tcg, Some(why.clone())),
        }
    }

    /// Remembers the result of a trial: `None` if KVM works, else why not. If the cache
    /// cannot be written, the next run does the trial again.
    pub fn remember(&self, why_not: Option<String>) {
        let mut answers = self.answers();
        answers.kvm.insert(self.key.clone(), why_not);
        let write = || -> std::io::Result<()> {
            let directory = self.file.parent().unwrap_or(Path::new("."));
            std::fs::create_dir_all(directory)?;
            let mut file = tempfile::NamedTempFile::new_in(directory)?;
            serde_json::to_writer_pretty(&mut file, &answers)?;
            file.persist(&self.file)?;
            Ok(())
        };
        let _ = write();
    }

    fn answers(&self) -> Answers {
        std::fs::read(&self.file)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }
}

/// The id of the host's boot. It is a part of the key, since KVM may work after the next
/// boot.
fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_holds_for_its_own_key_only() {
        let directory = tempfile::tempdir().unwrap();
        let memory = Memory::open(directory.path(), "7.2", "image");
        let other = Memory::open(directory.path(), "10.0", "image");
        memory.remember(Some("it spins".into()));
        assert_eq!(
            memory.answers().kvm.get(&memory.key),
            Some(&Some("it spins".into()))
        );
        assert_eq!(other.answers().kvm.get(&other.key), None);
    }

    #[test]
    fn a_choice_needs_no_trial() {
        let directory = tempfile::tempdir().unwrap();
        let memory = Memory::open(directory.path(), "7.2", "image");
        let choice = AccelChoice::Only(Accel::Kvm);
        assert_eq!(memory.known(choice), Known::Decided(Accel::Kvm, None));
    }

    #[test]
    fn a_broken_file_is_an_empty_one() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("acceleration.json"), "{").unwrap();
        let memory = Memory::open(directory.path(), "7.2", "image");
        assert!(memory.answers().kvm.is_empty());
    }
}

//! KVM or TCG, by trial.
//!
//! `/dev/kvm` proves nothing: on nested or restricted hosts it opens, makes a
//! VM, and then spins for ever in the guest's first instructions. So KVM counts
//! as usable when a guest of ours has said hello under it, and the answer is
//! remembered for this host, this QEMU and this kernel image.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a trial boot under KVM may take. A guest is up within a second
/// there; one that is not will never be.
pub const TRIAL: Duration = Duration::from_secs(8);

/// What runs the guest's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accel {
    /// The host's processor.
    Kvm,
    /// QEMU's translator.
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

/// What the user asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccelChoice {
    /// KVM where it works.
    #[default]
    Auto,
    /// This one, come what may.
    Only(Accel),
}

/// What is known without a trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// Decided, with the reason where it is a fallback.
    Decided(Accel, Option<String>),
    /// `/dev/kvm` opens: only a trial can tell.
    NeedsTrial,
}

/// The remembered answers, in a file of the user's cache.
#[derive(Debug)]
pub struct Memory {
    file: PathBuf,
    key: String,
}

#[derive(Default, Serialize, Deserialize)]
struct Answers {
    /// Key -> why KVM does not work, or nothing where it does.
    kvm: std::collections::BTreeMap<String, Option<String>>,
}

impl Memory {
    /// `directory` is the user's cache; `qemu_version` and `image` (a digest)
    /// are part of what an answer holds for, as is the host's kernel.
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

    /// What is known for `choice`.
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

    /// Remembers the outcome of a trial: `None` where KVM works, else why not.
    /// A cache that cannot be written costs the next run a trial, no more.
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

/// KVM may start to work with the host's next boot.
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

//! Runs `apt-get` with a state of its own, separate from the host's.

use super::ArchiveError;
use super::index::{self, Choice};
use crate::file::{self, Context, FileError};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;

/// The path of apt-helper, which is not in the search path. It is a part of apt since
/// 1.1.
const APT_HELPER: &str = "/usr/lib/apt/apt-helper";

/// A private apt: its sources, lists, downloads and "installed" packages are in one
/// directory. All else follows the host's configuration, such as proxy and credentials.
pub(super) struct Apt {
    directory: PathBuf,
    lock: File,
}

impl Apt {
    /// `lock` keeps other processes out as long as this lives, or a client that it
    /// started.
    pub(super) fn new(directory: PathBuf, lock: File) -> Result<Self, FileError> {
        for part in ["lists/partial", "archives/partial"] {
            file::create_dir(&directory.join(part))?;
        }
        file::write_atomically(&directory.join("status"), b"")?;
        Ok(Apt { directory, lock })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub(super) fn write_sources(&self, sources: &str) -> Result<(), FileError> {
        file::write_atomically(&self.path("halfway.sources"), sources.as_bytes())
    }

    /// A command with the options that all commands share. apt takes paths with a
    /// trailing slash for directories.
    ///
    /// The lock file is the standard input of the client. If the harness is killed and
    /// the client lives on, the client still holds the lock. So the next process waits
    /// for it, instead of failing on apt's own lock.
    fn command(&self, program: &str) -> Result<Command, ArchiveError> {
        let lock = self
            .lock
            .try_clone()
            .at("hand on the lock of", &self.directory)?;
        let mut command = Command::new(program);
        let directory = |name: &str| format!("{}/", self.path(name).display());
        let options = [
            ("Dir::State", format!("{}/", self.directory.display())),
            ("Dir::State::lists", directory("lists")),
            (
                "Dir::State::status",
                self.path("status").display().to_string(),
            ),
            ("Dir::Cache", format!("{}/", self.directory.display())),
            ("Dir::Cache::archives", directory("archives")),
            // This cache would take 110 MB and save two seconds.
            ("Dir::Cache::pkgcache", String::new()),
            ("Dir::Cache::srcpkgcache", String::new()),
            ("Dir::Etc::sourceparts", "-".to_owned()),
            ("Dir::Etc::preferences", "/dev/null".to_owned()),
            ("Dir::Etc::preferencesparts", "-".to_owned()),
            ("Acquire::Languages", "none".to_owned()),
            ("Acquire::GzipIndexes", "true".to_owned()),
            ("Acquire::Retries", "3".to_owned()),
            // Keep the lists of other kernels' suites.
            ("APT::Get::List-Cleanup", "false".to_owned()),
            ("APT::Architecture", "amd64".to_owned()),
            ("APT::Architectures", "amd64".to_owned()),
            // apt's own user cannot enter a cache directory of root.
            ("APT::Sandbox::User", "root".to_owned()),
            ("APT::Update::Post-Invoke", String::new()),
            ("APT::Update::Post-Invoke-Success", String::new()),
        ];
        for (option, value) in options {
            command.arg("-o").arg(format!("{option}={value}"));
        }
        command.env("LC_ALL", "C").stdin(lock);
        Ok(command)
    }

    fn with_sources(&self, program: &str) -> Result<Command, ArchiveError> {
        let mut command = self.command(program)?;
        let sources = self.path("halfway.sources");
        command
            .arg("-o")
            .arg(format!("Dir::Etc::sourcelist={}", sources.display()));
        Ok(command)
    }

    /// All addresses in the host's own sources. Needs neither the network nor package
    /// lists.
    pub(super) fn host_uris(&self) -> Result<String, ArchiveError> {
        let mut command = Command::new("apt-get");
        let lists = format!("Dir::State::lists={}/", self.path("lists").display());
        command
            .args(["-o", &lists, "--print-uris", "update"])
            .env("LC_ALL", "C")
            .stdin(Stdio::null());
        let output = run("apt-get", command)?;
        check("read this host's own sources", &output)?;
        Ok(text(&output.stdout))
    }

    /// Updates the package lists of the sources.
    pub(super) fn update(&self) -> Result<(), ArchiveError> {
        let doing = "read the package lists";
        let mut command = self.with_sources("apt-get")?;
        command.args(["-qq", "-o", "APT::Update::Error-Mode=any", "update"]);
        check(doing, &run("apt-get", command)?)
    }

    /// The text of the sources' package lists.
    pub(super) fn package_lists(&self) -> Result<String, ArchiveError> {
        let doing = "find the package lists";
        let mut command = self.with_sources("apt-get")?;
        command.args([
            "indextargets",
            "--format",
            "$(FILENAME)",
            "Created-By: Packages",
        ]);
        let output = run("apt-get", command)?;
        check(doing, &output)?;
        let mut lists = String::new();
        for path in text(&output.stdout).lines() {
            // apt compresses its lists in its own way, so apt-helper reads them.
            let mut command = self.with_sources(APT_HELPER)?;
            command.args(["cat-file", path]);
            let output = run(APT_HELPER, command)?;
            check("read a package list", &output)?;
            lists.push_str(&text(&output.stdout));
            lists.push_str("\n\n");
        }
        Ok(lists)
    }

    /// These packages and all that they depend on, as apt itself would install them on an
    /// empty system.
    pub(super) fn resolve(&self, names: &[String]) -> Result<Choice, ArchiveError> {
        file::write_atomically(&self.path("status"), b"")?;
        let mut command = self.with_sources("apt-get")?;
        command
            .args(["-qq", "--no-install-recommends", "--simulate", "install"])
            .args(names);
        let output = run("apt-get", command)?;
        check(&format!("find what {} need", names.join(", ")), &output)?;
        Ok(index::simulated(names, &text(&output.stdout)))
    }

    /// Fetches the chosen packages. `progress` gets numbers from 0 to 100.
    ///
    /// Only an installation resumes a half-fetched file. So this "installs" with
    /// `--download-only`, on a system with one package that provides everything a guest
    /// does not need.
    pub(super) fn download(
        &self,
        choice: &Choice,
        progress: &mut dyn FnMut(f32),
    ) -> Result<Vec<PathBuf>, ArchiveError> {
        let doing = format!("fetch {choice}");
        file::write_atomically(&self.path("status"), installed(&choice.foreign).as_bytes())?;
        let mut command = self.with_sources("apt-get")?;
        command
            .args(["-qq", "-y", "--no-install-recommends", "--download-only"])
            .args(["-o", "APT::Status-Fd=1", "install"])
            .args(
                choice
                    .packages
                    .iter()
                    .map(|name| format!("{name}={}", choice.version_of(name))),
            )
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let failed = |source| ArchiveError::NoClient {
            program: "apt-get".to_owned(),
            source,
        };
        let mut child = command.spawn().map_err(failed)?;
        // Read both pipes at the same time, so that neither fills up.
        let stderr = child.stderr.take();
        let complaints = thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut stderr) = stderr {
                let _ = stderr.read_to_end(&mut bytes);
            }
            bytes
        });
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).lines().map_while(io::Result::ok) {
                if let Some(percent) = percent(&line) {
                    progress(percent);
                }
            }
        }
        let status = child.wait().map_err(failed)?;
        let output = Output {
            status,
            stdout: Vec::new(),
            stderr: complaints.join().unwrap_or_default(),
        };
        check(&doing, &output)?;
        choice
            .packages
            .iter()
            .map(|name| self.fetched(name, choice.version_of(name), &doing))
            .collect()
    }

    /// The file of a fetched package. apt writes a `:` in a version as `%3a`.
    fn fetched(&self, name: &str, version: &str, doing: &str) -> Result<PathBuf, ArchiveError> {
        let version = version.replace(':', "%3a");
        let archives = self.path("archives");
        ["amd64", "all"]
            .map(|architecture| archives.join(format!("{name}_{version}_{architecture}.deb")))
            .into_iter()
            .find(|path| path.is_file())
            .ok_or_else(|| ArchiveError::Client {
                doing: doing.to_owned(),
                message: format!("nothing, yet {name} is not in {}", archives.display()),
            })
    }
}

/// The status file of dpkg for a system with these packages.
fn installed(provided: &BTreeMap<String, String>) -> String {
    if provided.is_empty() {
        return String::new();
    }
    let provided: Vec<String> = provided
        .iter()
        .map(|(name, version)| format!("{name} (= {version})"))
        .collect();
    format!(
        "Package: halfway-guest\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n\
         Maintainer: nobody\nDescription: stands for what a guest does not need\nProvides: {}\n",
        provided.join(", ")
    )
}

/// The percentage in a line of apt's status descriptor (README.progress-reporting):
/// `dlstatus:ITEM:PERCENT:TEXT`.
fn percent(line: &str) -> Option<f32> {
    line.strip_prefix("dlstatus:")?
        .split(':')
        .nth(1)?
        .parse()
        .ok()
}

fn run(program: &str, mut command: Command) -> Result<Output, ArchiveError> {
    command.output().map_err(|source| ArchiveError::NoClient {
        program: program.to_owned(),
        source,
    })
}

fn check(doing: &str, output: &Output) -> Result<(), ArchiveError> {
    if output.status.success() {
        return Ok(());
    }
    let said = text(&output.stderr);
    let errors: Vec<&str> = said
        .lines()
        .filter_map(|line| line.strip_prefix("E: "))
        .collect();
    let message = match errors.is_empty() {
        true => format!("{} ({})", said.trim(), output.status),
        false => errors.join("; "),
    };
    Err(ArchiveError::Client {
        doing: doing.to_owned(),
        message,
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("dlstatus:3:64.3482:Retrieving file 3 of 3", Some(64.3482))]
    #[case("dlstatus:1:100.0000:x", Some(100.0))]
    #[case("dlstatus:1", None)]
    #[case("pmstatus:x:1.0:y", None)]
    #[case("Get:1 http://mirror.example/debian bookworm InRelease", None)]
    fn progress_lines(#[case] line: &str, #[case] expected: Option<f32>) {
        assert_eq!(percent(line), expected);
    }

    #[test]
    fn only_errors_are_repeated() {
        use std::os::unix::process::ExitStatusExt;
        let output = |status, stderr: &str| Output {
            status: std::process::ExitStatus::from_raw(status),
            stdout: Vec::new(),
            stderr: stderr.as_bytes().to_vec(),
        };
        assert!(check("x", &output(0, "W: old")).is_ok());
        let error = check("fetch it", &output(100 << 8, "W: old\nE: one\nE: two\n")).unwrap_err();
        assert_eq!(error.to_string(), "cannot fetch it: apt-get says: one; two");
        let error = check("fetch it", &output(9, "")).unwrap_err().to_string();
        assert!(error.contains("signal: 9"), "{error}");
    }
}

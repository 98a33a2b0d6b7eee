//! Running `apt-get` beside the host's own state.

use super::ArchiveError;
use super::index::{self, Choice};
use crate::file::{self, Context, FileError};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;

/// Not in the search path; part of apt since 1.1.
const APT_HELPER: &str = "/usr/lib/apt/apt-helper";

/// A private apt: sources, lists, downloads and "installed" packages below one
/// directory. The host's configuration (proxy, credentials) holds otherwise.
pub(super) struct Apt {
    directory: PathBuf,
    lock: File,
}

impl Apt {
    /// `lock` is held against other processes as long as this, or a client
    /// that it started, lives.
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

    /// Options before any command. Paths with a trailing slash are
    /// directories to apt.
    ///
    /// The lock file is the client's standard input: a client that outlives us
    /// (a killed harness) still holds the lock, so that the next process waits
    /// for it instead of failing on apt's own.
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
            // 110 MB that save two seconds.
            ("Dir::Cache::pkgcache", String::new()),
            ("Dir::Cache::srcpkgcache", String::new()),
            ("Dir::Etc::sourceparts", "-".to_owned()),
            ("Dir::Etc::preferences", "/dev/null".to_owned()),
            ("Dir::Etc::preferencesparts", "-".to_owned()),
            ("Acquire::Languages", "none".to_owned()),
            ("Acquire::GzipIndexes", "true".to_owned()),
            ("Acquire::Retries", "3".to_owned()),
            // Lists of the suites of other kernels stay.
            ("APT::Get::List-Cleanup", "false".to_owned()),
            ("APT::Architecture", "amd64".to_owned()),
            ("APT::Architectures", "amd64".to_owned()),
            // Root's own cache directory is closed to apt's user.
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

    /// All addresses that the host's own sources lead to; needs neither
    /// network nor lists.
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

    /// Brings the package lists of the sources up to date.
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
            // apt compresses its lists in its own way.
            let mut command = self.with_sources(APT_HELPER)?;
            command.args(["cat-file", path]);
            let output = run(APT_HELPER, command)?;
            check("read a package list", &output)?;
            lists.push_str(&text(&output.stdout));
            lists.push_str("\n\n");
        }
        Ok(lists)
    }

    /// Those packages with all that they depend on, as apt itself would install them
    /// on a system that has nothing yet.
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

    /// Fetches the chosen packages; `progress` gets 0 to 100.
    ///
    /// Only installing goes on with a half-fetched file, so this installs
    /// (`--download-only`) on a system whose one package provides all that a
    /// guest does not need.
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
        // Both pipes are read at once: neither may fill up.
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

    /// The file of a fetched package. apt writes `:` in versions as `%3a`.
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

/// dpkg's status file of a system that has these packages.
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

/// Of a line of apt's status descriptor (README.progress-reporting):
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

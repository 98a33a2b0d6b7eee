//! The git worktree in which commits are built and judged.

use crate::cli::interrupt::Interrupt;
use crate::cli::{CliError, Exit};
use halfway_builder::Cache;
use rustix::process::{Pid, Signal, kill_process_group};
use std::fmt;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Why git, or its worktree, cannot be used.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub(super) enum GitError {
    /// git is not there.
    #[error("git cannot be run")]
    NotRun(#[source] io::Error),
    /// git refused.
    #[error("`git {command}` in {}: {said}", directory.display())]
    Refused {
        command: String,
        directory: PathBuf,
        said: String,
    },
    /// There is no configuration to build a kernel with.
    #[error(
        "neither {} nor {} has a .config: make one there (see guest-images/kernel.config)",
        tree.display(), worktree.display()
    )]
    NoConfig { tree: PathBuf, worktree: PathBuf },
    /// A file could not be read or written.
    #[error("{} cannot be made", path.display())]
    File { path: PathBuf, source: io::Error },
    /// No place for the worktree is known.
    #[error(transparent)]
    Cache(#[from] halfway_builder::CacheError),
}

impl From<GitError> for CliError {
    fn from(error: GitError) -> Self {
        let exit = match &error {
            GitError::Refused { .. } | GitError::NoConfig { .. } => Exit::Usage,
            _ => Exit::Infrastructure,
        };
        CliError {
            exit,
            report: miette::Report::new(error),
        }
    }
}

/// A worktree of the user's repository.
pub(super) struct Worktree {
    path: PathBuf,
}

impl fmt::Display for Worktree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())
    }
}

impl Worktree {
    /// The hash of the commit that the user named.
    pub(super) fn commit(tree: &Path, name: &str) -> Result<String, GitError> {
        let commit = format!("{name}^{{commit}}");
        git(
            tree,
            &["rev-parse", "--verify", "--end-of-options", &commit],
        )
        .map(|hash| hash.trim().to_owned())
    }

    /// Whether `commit` is an ancestor of `of`.
    pub(super) fn is_ancestor(tree: &Path, commit: &str, of: &str) -> Result<bool, GitError> {
        let mut command = Command::new("git");
        let command = command.arg("-C").arg(tree);
        let status = command
            .args(["merge-base", "--is-ancestor", commit, of])
            .stdin(Stdio::null())
            .status()
            .map_err(GitError::NotRun)?;
        Ok(status.success())
    }

    /// The worktree at `path`, or one in the cache. It is made if it is not there. One that
    /// is there keeps its objects, so that the next build is short.
    pub(super) fn open(tree: &Path, path: Option<&Path>, commit: &str) -> Result<Self, GitError> {
        let absolute = |path: &Path| {
            std::path::absolute(path).map_err(|source| GitError::File {
                path: path.to_owned(),
                source,
            })
        };
        let tree = fs::canonicalize(tree).map_err(|source| GitError::File {
            path: tree.to_owned(),
            source,
        })?;
        let path = match path {
            Some(path) => absolute(path)?,
            None => {
                let mut hasher = DefaultHasher::new();
                tree.hash(&mut hasher);
                let name = format!("{:016x}", hasher.finish());
                Cache::open()?.root().join("bisect").join(name)
            }
        };
        if !path.join(".git").exists() {
            let place = path.display().to_string();
            // A worktree that was deleted by hand is still on git's list.
            git(&tree, &["worktree", "prune"])?;
            git(
                &tree,
                &["worktree", "add", "--quiet", "--detach", &place, commit],
            )?;
        }
        let shared = |directory: &Path| {
            let line = git(
                directory,
                &["rev-parse", "--path-format=absolute", "--git-common-dir"],
            )?;
            Ok::<_, GitError>(fs::canonicalize(line.trim()).unwrap_or_default())
        };
        if tree == path || shared(&tree)? != shared(&path)? {
            return Err(GitError::Refused {
                command: "worktree".to_owned(),
                directory: path,
                said: format!("this is not another worktree of {}", tree.display()),
            });
        }
        let config = path.join(".config");
        if !config.exists() && fs::copy(tree.join(".config"), &config).is_err() {
            return Err(GitError::NoConfig {
                tree,
                worktree: path,
            });
        }
        Ok(Worktree { path })
    }

    /// Ends a search that was broken off.
    pub(super) fn reset(&self) -> Result<(), GitError> {
        git(&self.path, &["bisect", "reset", "HEAD"]).map(drop)
    }

    pub(super) fn check_out(&self, commit: &str) -> Result<(), GitError> {
        git(&self.path, &["checkout", "--quiet", "--detach", commit]).map(drop)
    }

    /// Starts a search between two commits.
    pub(super) fn start(
        &self,
        term_old: &str,
        term_new: &str,
        first: &str,
        last: &str,
    ) -> Result<(), GitError> {
        let terms = ["--term-old", term_old, "--term-new", term_new];
        let arguments = [&["bisect", "start"], &terms[..], &[last, first]].concat();
        git(&self.path, &arguments).map(drop)
    }

    pub(super) fn log(&self) -> Result<String, GitError> {
        git(&self.path, &["bisect", "log"])
    }

    /// Builds what is checked out. Returns the exit code of the shell command, `None` if it
    /// was interrupted.
    pub(super) async fn build(
        &self,
        build: &str,
        interrupt: &Interrupt,
    ) -> Result<Option<i32>, GitError> {
        let mut command = tokio::process::Command::new("sh");
        command.args(["-c", build]);
        self.run(command, interrupt).await
    }

    /// Lets git search with this script.
    pub(super) async fn bisect(
        &self,
        script: &Path,
        interrupt: &Interrupt,
    ) -> Result<Option<i32>, GitError> {
        let mut command = tokio::process::Command::new("git");
        command.args(["bisect", "run", "sh"]).arg(script);
        self.run(command, interrupt).await
    }

    /// Runs a command in a process group of its own. Returns its exit code, `None` if the
    /// user interrupted: then all of the
    /// group is ended, and so is a build or a run in it.
    async fn run(
        &self,
        mut command: tokio::process::Command,
        interrupt: &Interrupt,
    ) -> Result<Option<i32>, GitError> {
        command
            .current_dir(&self.path)
            .stdin(Stdio::null())
            // Standard output is for the result.
            .stdout(io::stderr())
            .process_group(0);
        let mut child = command.spawn().map_err(GitError::NotRun)?;
        let group = child.id().and_then(|id| Pid::from_raw(id as i32));
        tokio::select! {
            status = child.wait() => {
                let status = status.map_err(GitError::NotRun)?;
                // As a shell shows a signal.
                let killed = || status.signal().map(|signal| 128 + signal);
                Ok(status.code().or_else(killed))
            }
            () = interrupt.asked() => {
                if let Some(group) = group {
                    let _ = kill_process_group(group, Signal::TERM);
                }
                let _ = child.wait().await;
                Ok(None)
            }
        }
    }
}

/// Runs git to its end. Returns what it printed.
fn git(directory: &Path, arguments: &[&str]) -> Result<String, GitError> {
    let output = Command::new("git")
        .arg("-C")
        .arg(directory)
        .args(arguments)
        .stdin(Stdio::null())
        .env("LC_ALL", "C")
        .output()
        .map_err(GitError::NotRun)?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(GitError::Refused {
            command: arguments.join(" "),
            directory: directory.to_owned(),
            said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        }),
    }
}

#[cfg(test)]
#[path = "worktree_tests.rs"]
mod tests;

//! Provides a kernel's own compiler on a host that has another one.
//!
//! The packages of the kernel's suite, with all that they depend on, are unpacked in a
//! directory of the cache. Programs that run there see that directory as `/`, and the
//! cache at its usual path.
//!
//! Nothing is installed, and root is not needed: a program in a user namespace of its own
//! (user_namespaces(7)) may mount and change its root directory.

use crate::archive::{self, ArchiveError};
use crate::cache::Cache;
use crate::catalogue::Entry;
use crate::file::{self, Context, FileError};
use crate::program::{self, ProgramError};
use crate::progress::{Progress, Stage};
use crate::unpack;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

/// A part of the cache key. Raise it when roots are made in another way.
const FORMAT: u32 = 1;

/// The packages that the kernel's makefile needs besides the compiler. `libdw-dev` brings
/// in the libraries for the makefile's own programs (`objtool`, `modpost`). Their
/// packages have other names in each suite.
const PROGRAMS: [&str; 10] = [
    "binutils",
    "coreutils",
    "dash",
    "diffutils",
    "findutils",
    "grep",
    "libdw-dev",
    "make",
    "mawk",
    "sed",
];

/// Since Debian 12 no package has these links; installing `base-files` creates them.
const MERGED: [&str; 4] = ["bin", "lib", "lib64", "sbin"];

/// Programs that get these names only when their packages are installed.
const NAMES: [(&str, &str); 2] = [("usr/bin/awk", "mawk"), ("usr/bin/sh", "dash")];

/// Mounts what the root directory needs, changes into it, and executes the program.
/// Arguments: the root, the cache, the program and its arguments. All mounts end with the
/// namespace.
const ENTER: &str = r#"set -e
root=$1 cache=$2
shift 2
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --bind "$cache" "$root$cache"
exec chroot "$root" "$@""#;

/// Why a kernel's own compiler cannot be provided.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// The archive does not have it.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// It is there but does not run.
    #[error(
        "{program} does not run in {}, which needs user namespaces (user_namespaces(7)): {why}",
        root.display()
    )]
    Unusable {
        /// The name of the compiler.
        program: String,
        /// The root directory in which it should run.
        root: PathBuf,
        /// How it failed.
        why: ProgramError,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// A root directory with a compiler and all that it needs.
pub(super) struct Root {
    path: PathBuf,
    cache: PathBuf,
}

impl Root {
    /// The root with that compiler from the kernel's suites. It is fetched if it is not
    /// in the cache. `compiler` is a name such as "x86_64-linux-gnu-gcc-14".
    pub(super) fn get(
        entry: &Entry,
        compiler: &str,
        cache: &Cache,
        progress: &mut Progress<'_>,
    ) -> Result<Self, RootError> {
        let suites = suites(&entry.suites);
        let name = format!("{}-{compiler}-{FORMAT}", suites.join("-"));
        let all = cache.root().join("controls/roots");
        let root = Root {
            path: all.join(&name),
            cache: cache.root().to_owned(),
        };
        let _lock = cache.lock("controls-roots", || progress(&Stage::Waiting))?;
        if !root.path.is_dir() {
            let unfinished = all.join(format!(".unfinished-{name}"));
            if unfinished.exists() {
                fs::remove_dir_all(&unfinished).at("remove", &unfinished)?;
            }
            let mut packages = PROGRAMS.map(str::to_owned).to_vec();
            packages.push(package(compiler));
            skeleton(&unfinished, cache.root())?;
            archive::fetch_installation(&packages, &suites, cache, progress, |file, progress| {
                unpack::read(file, progress, |stream| take(stream, &unfinished))
            })?;
            name_programs(&unfinished)?;
            fs::rename(&unfinished, &root.path).at("create", &root.path)?;
        }
        root.check(compiler)?;
        Ok(root)
    }

    /// A command that runs `program` with this as its root directory. Of the host's files
    /// it sees only the cache.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("unshare");
        command
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", ENTER])
            .arg("sh")
            .args([&self.path, &self.cache])
            .arg(program)
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C")
            .stdin(Stdio::null());
        command
    }

    /// Runs the compiler once. On a host that forbids namespaces, this gives the error
    /// before anything is built.
    fn check(&self, compiler: &str) -> Result<(), RootError> {
        let mut version = self.command(compiler);
        version.arg("--version");
        match program::run(version) {
            Ok(_) => Ok(()),
            Err(why) => Err(RootError::Unusable {
                program: compiler.to_owned(),
                root: self.path.clone(),
                why,
            }),
        }
    }
}

/// The suites to search for the compiler. Backports have none, so their base suite is
/// searched.
fn suites(of_kernel: &[String]) -> Vec<String> {
    let mut all = BTreeSet::new();
    for suite in of_kernel {
        let base = suite.split('-').next().unwrap_or(suite);
        all.insert(base.to_owned());
        all.insert(suite.clone());
        // Unstable has no suite for security updates.
        if base != "sid" {
            all.insert(format!("{base}-security"));
        }
    }
    all.into_iter().collect()
}

/// The package of a compiler. Since Debian 13 its name includes the architecture.
fn package(compiler: &str) -> String {
    const ARCHITECTURE: &str = "x86_64-linux-gnu-";
    match compiler.strip_prefix(ARCHITECTURE) {
        Some(short) => format!("{short}-x86-64-linux-gnu"),
        None => compiler.to_owned(),
    }
}

/// Makes the directories and links that no package has, and the mount points.
fn skeleton(root: &Path, cache: &Path) -> Result<(), FileError> {
    for directory in MERGED {
        file::create_dir(&root.join("usr").join(directory))?;
        let link = root.join(directory);
        symlink(Path::new("usr").join(directory), &link).at("create", &link)?;
    }
    let cache = cache.strip_prefix("/").unwrap_or(cache);
    for place in [Path::new("proc"), Path::new("dev"), Path::new("tmp"), cache] {
        file::create_dir(&root.join(place))?;
    }
    Ok(())
}

/// Unpacks a package, without documentation and other files for people.
fn take(stream: impl io::Read, root: &Path) -> io::Result<()> {
    let mut archive = tar::Archive::new(stream);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let plain: PathBuf = path
            .components()
            .filter(|part| *part != Component::CurDir)
            .collect();
        if !plain.starts_with("usr/share") {
            // This refuses paths that lead out of the root.
            entry.unpack_in(root)?;
        }
    }
    Ok(())
}

fn name_programs(root: &Path) -> Result<(), FileError> {
    for (name, program) in NAMES {
        let link = root.join(name);
        if link.symlink_metadata().is_err() {
            symlink(program, &link).at("create", &link)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("x86_64-linux-gnu-gcc-14", "gcc-14-x86-64-linux-gnu")]
    #[case("gcc-10", "gcc-10")]
    fn the_package_of_a_compiler(#[case] compiler: &str, #[case] expected: &str) {
        assert_eq!(package(compiler), expected);
    }

    #[rstest]
    #[case::backports(
        &["trixie-backports"], &["trixie", "trixie-backports", "trixie-security"]
    )]
    #[case::named_already(&["bookworm", "bookworm-security"], &["bookworm", "bookworm-security"])]
    #[case::unstable(&["sid"], &["sid"])]
    fn compilers_are_in_the_suite_itself(#[case] kernel: &[&str], #[case] expected: &[&str]) {
        let kernel: Vec<String> = kernel.iter().map(|&suite| suite.to_owned()).collect();
        assert_eq!(suites(&kernel), expected);
    }

    #[test]
    fn a_root_has_the_names_that_installing_gives() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root");
        skeleton(&root, Path::new("/home/me/cache")).unwrap();
        let mut package = tar::Builder::new(Vec::new());
        for path in ["./bin/dash", "./usr/bin/mawk", "./usr/share/doc/mawk/x"] {
            let mut header = tar::Header::new_gnu();
            header.set_size(1);
            header.set_mode(0o755);
            header.set_cksum();
            package.append_data(&mut header, path, &b"x"[..]).unwrap();
        }
        take(&package.into_inner().unwrap()[..], &root).unwrap();
        name_programs(&root).unwrap();
        for there in [
            "usr/bin/dash",
            "bin/sh",
            "bin/awk",
            "home/me/cache",
            "proc",
            "lib64",
        ] {
            assert!(root.join(there).exists(), "{there}");
        }
        assert!(!root.join("usr/share").exists());
    }

    /// The root does not exist, so nothing can run in it.
    #[test]
    fn what_does_not_run_says_why() {
        let root = Root {
            path: "/no/such/root".into(),
            cache: "/no/such/cache".into(),
        };
        let error = root.check("gcc-99").unwrap_err().to_string();
        assert!(error.starts_with("gcc-99 does not run in /no/such/root"));
    }
}

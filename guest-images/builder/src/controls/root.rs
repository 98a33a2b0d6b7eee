//! A kernel's own compiler, where the host has another one: the packages of the
//! kernel's suite with all that they depend on, unpacked below a directory of the
//! cache. What runs there sees that directory as `/`, and the cache where it is.
//!
//! Nothing is installed and nobody need be root: a user namespace of its own
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

/// Changes when roots are made in another way.
const FORMAT: u32 = 1;

/// What the kernel's makefile runs beside the compiler. `libdw-dev` stands for the
/// libraries of its own programs (`objtool`, `modpost`), whose packages have other
/// names from suite to suite.
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

/// Since Debian 12 no package holds these: an installed `base-files` has them.
const MERGED: [&str; 4] = ["bin", "lib", "lib64", "sbin"];

/// Names that only installing gives to a program.
const NAMES: [(&str, &str); 2] = [("usr/bin/awk", "mawk"), ("usr/bin/sh", "dash")];

/// Makes the root directory and becomes the program. Arguments: the root, the
/// cache, the program and its own. All mounts end with the namespace.
const ENTER: &str = r#"set -e
root=$1 cache=$2
shift 2
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --bind "$cache" "$root$cache"
exec chroot "$root" "$@""#;

/// A kernel's own compiler cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// The archive does not give it.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// It is there and does not run.
    #[error(
        "{program} does not run in {}, which needs user namespaces (user_namespaces(7)): {why}",
        root.display()
    )]
    Unusable {
        /// The compiler.
        program: String,
        /// Where it should run.
        root: PathBuf,
        /// What became of it.
        why: ProgramError,
    },
    /// A file that cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// A directory with a compiler and what it needs.
pub(super) struct Root {
    path: PathBuf,
    cache: PathBuf,
}

impl Root {
    /// The root with that compiler of the kernel's suites, fetched if it is not in
    /// the cache. `compiler` is as in "x86_64-linux-gnu-gcc-14".
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

    /// `program` with this as its root directory. It sees the cache, and nothing else
    /// of the host's files.
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

    /// A host that forbids namespaces should say so before anything is built.
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

/// The suites that a kernel's own are built in: backports have no compiler.
fn suites(of_kernel: &[String]) -> Vec<String> {
    let mut all = BTreeSet::new();
    for suite in of_kernel {
        let base = suite.split('-').next().unwrap_or(suite);
        all.insert(base.to_owned());
        all.insert(suite.clone());
        // Unstable gets its security updates as it gets all else.
        if base != "sid" {
            all.insert(format!("{base}-security"));
        }
    }
    all.into_iter().collect()
}

/// The package of a compiler: since Debian 13 it bears the architecture.
fn package(compiler: &str) -> String {
    const ARCHITECTURE: &str = "x86_64-linux-gnu-";
    match compiler.strip_prefix(ARCHITECTURE) {
        Some(short) => format!("{short}-x86-64-linux-gnu"),
        None => compiler.to_owned(),
    }
}

/// The directories that no package holds, and where things are mounted.
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

/// Unpacks a package, but for what a person reads.
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
            // Refuses what would lead out of the root.
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

    /// The host's own root directory stands for one from the archive.
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

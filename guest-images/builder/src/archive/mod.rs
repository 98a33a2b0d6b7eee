//! A named kernel from the distribution's archive, by the distribution's own
//! client: `apt-get` with a private state in the cache, without root and
//! beside the host's own packages. apt checks signatures and hashes, and goes
//! on with what an interrupted download left.
//!
//! `mirror` finds the archive's address, `index` chooses the packages, `apt`
//! runs the client.

mod apt;
mod index;
mod mirror;

use crate::cache::Cache;
use crate::catalogue::Entry;
use crate::file::FileError;
use crate::progress::{Progress, Stage};
use crate::unpack::{UnpackError, unpack};
use std::fs;
use std::path::{Path, PathBuf};

/// A named kernel could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The host has no `apt-get`, or it cannot be run.
    #[error(
        "{program} cannot be run: {source}; on a host without Debian's tools give a kernel by its \
         files (--kernel vmlinuz --modules DIR), a build tree, or \"host\""
    )]
    NoClient {
        /// The program.
        program: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The host's apt knows no Debian archive.
    #[error(
        "this host's apt configuration names no Debian archive: set HALFWAY_DEBIAN_MIRROR to the \
         address of one (what holds its dists/ and pool/)"
    )]
    NoMirror,
    /// Debian's keys are not on the host.
    #[error("{path} is not there: install debian-archive-keyring, whose keys sign the kernels")]
    NoKeyring {
        /// Where it was looked for.
        path: String,
    },
    /// The suites have no kernel of that release at all.
    #[error("no suite of {} has a linux-image package of {release} {flavour}", suites.join(", "))]
    NoSuchRelease {
        /// The suites.
        suites: Vec<String>,
        /// Release series.
        release: String,
        /// The package's flavour.
        flavour: String,
    },
    /// A part of every version is no longer in the archive.
    #[error("the archive no longer has {package}, without which {version} is not complete")]
    Gone {
        /// The missing package, with its version.
        package: String,
        /// The kernel's version.
        version: String,
    },
    /// The suites have no package of that name.
    #[error("the archive has no package {package}")]
    NoSuchPackage {
        /// The package.
        package: String,
    },
    /// The kernel's files do not say which package they are from.
    #[error(
        "{origin:?} is no package's kernel and version, as in \"6.1.0-56-cloud-amd64 (6.1.192-2)\""
    )]
    NotAPackage {
        /// What they say.
        origin: String,
    },
    /// The client failed.
    #[error("cannot {doing}: apt-get says: {message}")]
    Client {
        /// What was being done.
        doing: String,
        /// What it said.
        message: String,
    },
    /// A package could not be unpacked.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// A file that cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Fetches the newest complete kernel of `entry` and unpacks it into
/// `destination`. Gives its version, as in "6.1.0-56-cloud-amd64 (6.1.192-2)".
pub(crate) fn fetch(
    entry: &Entry,
    cache: &Cache,
    destination: &Path,
    progress: &mut Progress<'_>,
) -> Result<String, ArchiveError> {
    let archive = Archive::open(&entry.suites, index::parse, cache, progress)?;
    let choice = index::choose(entry, &archive.suites, &archive.packages)?;
    for why in &choice.skipped {
        progress(&Stage::Skipped {
            why: why.to_string(),
        });
    }
    for file in archive.download(&choice, progress)?.iter() {
        unpack(file, destination, progress)?;
    }
    Ok(choice.to_string())
}

/// A part of what modules of a kernel are built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The headers, and the programs of the kernel's makefile.
    Headers,
    /// The source.
    Source,
}

/// Fetches parts of what modules of a kernel are built with, of exactly its
/// version, and has `each` take the packages apart.
/// `origin` is what [`fetch`] gave for the kernel.
pub(crate) fn fetch_build_inputs(
    entry: &Entry,
    origin: &str,
    parts: &[Part],
    cache: &Cache,
    progress: &mut Progress<'_>,
    mut each: impl FnMut(&Path, &mut Progress<'_>) -> Result<(), UnpackError>,
) -> Result<(), ArchiveError> {
    let archive = Archive::open(&entry.suites, index::parse, cache, progress)?;
    let choice = index::build_inputs(origin, parts, &archive.packages)?;
    for file in archive.download(&choice, progress)?.iter() {
        each(file, progress)?;
    }
    Ok(())
}

/// Fetches the newest versions of those packages with all libraries that they
/// depend on, and has `each` take them apart. Gives what was fetched, as in
/// "fio (3.33-3)".
pub(crate) fn fetch_programs(
    packages: &[String],
    suites: &[String],
    cache: &Cache,
    progress: &mut Progress<'_>,
    mut each: impl FnMut(&Path, &mut Progress<'_>) -> Result<(), UnpackError>,
) -> Result<Vec<String>, ArchiveError> {
    let wanted = |name: &str| index::is_library(name) || packages.iter().any(|one| one == name);
    let parse = |lists: &str| index::parse_those(lists, wanted);
    let archive = Archive::open(suites, parse, cache, progress)?;
    let choice = index::with_libraries(packages, &archive.packages)?;
    for file in archive.download(&choice, progress)?.iter() {
        each(file, progress)?;
    }
    let fetched = choice.versions.iter();
    Ok(fetched
        .map(|(name, version)| format!("{name} ({version})"))
        .collect())
}

/// Fetches those packages with all that they depend on, programs too, and has `each`
/// take them apart: a system of its own.
pub(crate) fn fetch_installation(
    packages: &[String],
    suites: &[String],
    cache: &Cache,
    progress: &mut Progress<'_>,
    mut each: impl FnMut(&Path, &mut Progress<'_>) -> Result<(), UnpackError>,
) -> Result<(), ArchiveError> {
    let archive = Archive::open(suites, |_| Vec::new(), cache, progress)?;
    let choice = archive.apt.resolve(packages)?;
    for file in archive.download(&choice, progress)?.iter() {
        each(file, progress)?;
    }
    Ok(())
}

/// Suites, with current package lists.
struct Archive {
    apt: apt::Apt,
    suites: Vec<String>,
    packages: Vec<index::Package>,
}

impl Archive {
    fn open(
        suites: &[String],
        parse: impl FnOnce(&str) -> Vec<index::Package>,
        cache: &Cache,
        progress: &mut Progress<'_>,
    ) -> Result<Self, ArchiveError> {
        // One apt state for all kernels. apt's own lock would refuse, not wait.
        let lock = cache.lock("apt", || progress(&Stage::Waiting))?;
        let apt = apt::Apt::new(cache.root().join("apt"), lock)?;
        let mirrors = mirror::Mirrors::of_host(&apt)?;
        let suites = mirrors.suites(suites);
        apt.write_sources(&mirrors.sources(&suites)?)?;

        progress(&Stage::Lists {
            suites: suites.clone(),
        });
        apt.update()?;
        let packages = parse(&apt.package_lists()?);
        Ok(Archive {
            apt,
            suites,
            packages,
        })
    }

    fn download(
        &self,
        choice: &index::Choice,
        progress: &mut Progress<'_>,
    ) -> Result<Downloads, ArchiveError> {
        let what = choice.to_string();
        let files = self.apt.download(choice, &mut |percent| {
            progress(&Stage::Download {
                what: what.clone(),
                percent,
            });
        })?;
        Ok(Downloads { files })
    }
}

/// Fetched packages; taken apart, they have no further use.
struct Downloads {
    files: Vec<PathBuf>,
}

impl Downloads {
    fn iter(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(PathBuf::as_path)
    }
}

impl Drop for Downloads {
    fn drop(&mut self) {
        for file in &self.files {
            let _ = fs::remove_file(file);
        }
    }
}

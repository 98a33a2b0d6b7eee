//! Fetches a named kernel from the distribution's archive, with the distribution's own
//! client.
//!
//! This is `apt-get` with a private state in the cache. It needs no root and does not
//! touch the host's packages. apt checks signatures and hashes, and resumes interrupted
//! downloads.
//!
//! `mirror` finds the archive's address, `index` chooses the packages, `apt` runs the
//! client.

mod apt;
mod index;
mod listing;
mod mirror;

pub use listing::PackagedKernel;

use crate::cache::Cache;
use crate::catalogue::Entry;
use crate::file::FileError;
use crate::progress::{Progress, Stage};
use crate::unpack::{UnpackError, unpack};
use std::fs;
use std::path::{Path, PathBuf};

/// Why a named kernel could not be fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The host has no `apt-get`, or it cannot be run.
    #[error(
        "{program} cannot be run: {source}; on a host without Debian's tools give a kernel by its \
         files (--kernel vmlinuz --modules DIR), a build tree, or \"host\""
    )]
    NoClient {
        /// The name of the program.
        program: String,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The host's apt configuration names no Debian archive.
    #[error(
        "this host's apt configuration names no Debian archive: set HALFWAY_DEBIAN_MIRROR to the \
         address of one (what holds its dists/ and pool/)"
    )]
    NoMirror,
    /// The keys of Debian's archive are not on the host.
    #[error("{path} is not there: install debian-archive-keyring, whose keys sign the kernels")]
    NoKeyring {
        /// The path of the keyring that was looked for.
        path: String,
    },
    /// The suites have no kernel of that release at all.
    #[error("no suite of {} has a linux-image package of {release} {flavour}", suites.join(", "))]
    NoSuchRelease {
        /// The suites that were searched.
        suites: Vec<String>,
        /// The release series, such as "6.1".
        release: String,
        /// The flavour of the package.
        flavour: String,
    },
    /// Of every version, some package is no longer in the archive.
    #[error("the archive no longer has {package}, without which {version} is not complete")]
    Gone {
        /// The missing package, with its version.
        package: String,
        /// The version of the kernel.
        version: String,
    },
    /// The suites have no package of that name.
    #[error("the archive has no package {package}")]
    NoSuchPackage {
        /// The name of the package.
        package: String,
    },
    /// The description of the kernel does not name a package, so the matching source
    /// cannot be found.
    #[error(
        "{origin:?} is no package's kernel and version, as in \"6.1.0-56-cloud-amd64 (6.1.192-2)\""
    )]
    NotAPackage {
        /// The description that was given.
        origin: String,
    },
    /// apt failed, for instance because there is no network.
    #[error("cannot {doing}: apt-get says: {message}")]
    Client {
        /// What was being done.
        doing: String,
        /// The message that it printed.
        message: String,
    },
    /// A package could not be unpacked.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Fetches the newest complete kernel of `entry` and unpacks it into `destination`.
/// Returns its release and version, such as "6.1.0-56-cloud-amd64 (6.1.192-2)".
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

/// All kernels of a flavour that the archive's lists name, in version order.
pub(crate) fn list(
    suites: &[String],
    flavour: &str,
    cache: &Cache,
    progress: &mut Progress<'_>,
) -> Result<Vec<PackagedKernel>, ArchiveError> {
    let archive = Archive::open(suites, index::parse, cache, progress)?;
    Ok(listing::listing(flavour, &archive.packages))
}

/// A part of what a kernel's modules are built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The headers, and the programs for the kernel's makefile.
    Headers,
    /// The kernel's source.
    Source,
}

/// Fetches these parts of what a kernel's modules are built with, of exactly its version,
/// and calls `each` to unpack each package. `origin` is what [`fetch`] returned for the
/// kernel.
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

/// Fetches the newest versions of these packages and all libraries that they depend on,
/// and calls `each` to unpack each package. Returns the packages with their versions,
/// such as "fio (3.33-3)".
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

/// Fetches these packages and all that they depend on, programs too, and calls `each` to
/// unpack each package. Together they are a system that can run by itself.
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

/// The suites of an archive, with current package lists.
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
        // All kernels share one apt state. Take a lock that waits: apt's own would fail.
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

/// The fetched packages. They are deleted on drop, since nothing needs them once they are
/// unpacked.
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

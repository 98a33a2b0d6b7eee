//! Programs of the distribution for guests that need them: named packages with their
//! libraries. They are fetched by the same apt as the kernels, and unpacked in the cache.
//!
//! Only files that a program is linked with (`DT_NEEDED`) are kept. Each has the name
//! that the dynamic loader looks for, so the guest needs no `ldconfig`.

use crate::archive::{self, ArchiveError};
use crate::cache::Cache;
use crate::file::{self, Context, FileError};
use crate::image;
use crate::initramfs::Extra;
use crate::progress::{Progress, Stage};
use crate::unpack;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// The format of a set in the cache. Raise it when the layout changes.
const FORMAT: u32 = 1;

/// The directories that the dynamic loader searches (ld.so(8), as Debian builds it), and
/// those of libraries that programs find by `DT_RUNPATH`.
const LIBRARIES: [&str; 5] = [
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib",
    "/usr/lib",
    "/usr/lib/x86_64-linux-gnu/ceph",
];

/// A set of programs that a guest can get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Userland {
    /// The name of the set.
    pub name: String,
    /// The Debian suites to search.
    #[serde(default)]
    pub suites: Vec<String>,
    /// The packages. Libraries that they depend on are fetched too.
    pub packages: Vec<String>,
    /// The absolute paths of the programs that the guest gets.
    pub programs: Vec<String>,
    /// The absolute paths of other files that the guest gets.
    #[serde(default)]
    pub files: Vec<String>,
}

/// Why the programs are not available.
#[derive(Debug, thiserror::Error)]
pub enum UserlandError {
    /// There is no set of that name.
    #[error("there is no set of programs called {0}")]
    Unknown(String),
    /// The packages could not be fetched.
    #[error("the programs of {name} cannot be had: {source}")]
    Archive {
        /// The name of the set.
        name: String,
        /// Why the archive could not deliver them.
        source: ArchiveError,
    },
    /// A program or library is in none of the packages.
    #[error("{path}, which {needed_by} needs, is in none of the packages")]
    Missing {
        /// The path that is missing.
        path: String,
        /// What needs it.
        needed_by: String,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    suites: Vec<String>,
    #[serde(rename = "set")]
    sets: Vec<Userland>,
}

/// The description of a set in the cache, stored beside its files.
#[derive(Serialize, Deserialize)]
struct Stamp {
    /// The packages with their versions.
    origin: Vec<String>,
    /// The absolute paths in the guest.
    files: Vec<String>,
}

const STAMP: &str = "userland.json";
const ROOT: &str = "root";

impl Userland {
    /// The set of that name in `guest-images/userland.toml`.
    ///
    /// # Errors
    /// There is no such set.
    pub fn named(name: &str) -> Result<Self, UserlandError> {
        let manifest: Manifest = toml::from_str(include_str!("../../userland.toml"))
            .expect("the manifest is checked by this crate's tests");
        let mut sets = manifest.sets.into_iter();
        let set = sets.find(|set| set.name == name);
        let set = set.ok_or_else(|| UserlandError::Unknown(name.to_owned()))?;
        Ok(Userland {
            suites: manifest.suites,
            ..set
        })
    }

    /// The files for an initramfs. They are fetched if they are not in the cache, and
    /// need no network when used again. To get newer ones, delete `userland/NAME-*` in
    /// the cache.
    pub fn get(
        &self,
        cache: &Cache,
        progress: &mut Progress<'_>,
    ) -> Result<Vec<Extra>, UserlandError> {
        let all = cache.root().join("userland");
        let asked = serde_json::to_vec(&(FORMAT, self)).map_err(io::Error::from);
        let digest = file::digest(&asked.at("describe", &all)?);
        let directory = all.join(format!("{}-{}", self.name, &digest[..12]));
        if let Some(files) = cached(&directory) {
            return Ok(files);
        }
        let _lock = cache.lock("userland", || progress(&Stage::Waiting))?;
        if let Some(files) = cached(&directory) {
            return Ok(files);
        }
        let unfinished = all.join(format!(".unfinished-{}", self.name));
        for leftover in [&unfinished, &directory] {
            if leftover.exists() {
                fs::remove_dir_all(leftover).at("remove", leftover)?;
            }
        }
        let made = self.make(&unfinished, cache, progress);
        if made.is_ok() {
            fs::rename(&unfinished, &directory).at("create", &directory)?;
        } else {
            let _ = fs::remove_dir_all(&unfinished);
        }
        made?;
        cached(&directory).ok_or_else(|| UserlandError::Missing {
            path: directory.display().to_string(),
            needed_by: self.name.clone(),
        })
    }

    fn make(
        &self,
        place: &Path,
        cache: &Cache,
        progress: &mut Progress<'_>,
    ) -> Result<(), UserlandError> {
        let packages = place.join("packages");
        file::create_dir(&packages)?;
        let unpack = |package: &Path, progress: &mut Progress<'_>| {
            unpack::read(package, progress, |stream| {
                let mut archive = tar::Archive::new(stream);
                // Do not keep the owner: the files belong to whoever runs this.
                archive.set_preserve_permissions(false);
                archive.unpack(&packages)
            })
        };
        let origin = archive::fetch_programs(&self.packages, &self.suites, cache, progress, unpack)
            .map_err(|source| UserlandError::Archive {
                name: self.name.clone(),
                source,
            })?;
        let files = closure(&packages, &self.programs, &self.files)?;
        for (guest, host) in &files {
            let to = place.join(ROOT).join(guest.trim_start_matches('/'));
            file::create_dir(to.parent().unwrap_or(place))?;
            fs::copy(host, &to).at("write", &to)?;
        }
        fs::remove_dir_all(&packages).at("remove", &packages)?;
        let stamp = Stamp {
            origin,
            files: files.into_keys().collect(),
        };
        let path = place.join(STAMP);
        let text = serde_json::to_vec_pretty(&stamp).map_err(io::Error::from);
        Ok(file::write_atomically(&path, &text.at("write", &path)?)?)
    }
}

/// The files of a set that was fetched before, if it is complete.
fn cached(directory: &Path) -> Option<Vec<Extra>> {
    let stamp = fs::read(directory.join(STAMP)).ok()?;
    let stamp: Stamp = serde_json::from_slice(&stamp).ok()?;
    let files = stamp.files.into_iter().map(|guest| {
        let host = directory.join(ROOT).join(guest.trim_start_matches('/'));
        host.is_file().then_some(Extra::File {
            guest,
            host,
            mode: 0o755,
        })
    });
    files.collect()
}

/// The programs in `root` with everything that they are linked with, and the other files.
/// Maps each path in the guest to the file on the host.
fn closure(
    root: &Path,
    programs: &[String],
    files: &[String],
) -> Result<BTreeMap<String, PathBuf>, UserlandError> {
    let mut found = BTreeMap::new();
    let mut add = |guest: String, needed_by: &str| match resolve(root, &guest) {
        Some(host) => Ok(found.insert(guest, host.clone()).is_none().then_some(host)),
        None => Err(UserlandError::Missing {
            path: guest,
            needed_by: needed_by.to_owned(),
        }),
    };
    for path in files {
        add(path.clone(), "the guest")?;
    }
    let mut queue = Vec::new();
    for path in programs {
        queue.extend(add(path.clone(), "the guest")?);
    }
    while let Some(host) = queue.pop() {
        let links = image::links(&file::read(&host)?).unwrap_or_default();
        let name = host.file_name().unwrap_or_default().to_string_lossy();
        for library in links.needed {
            let places = LIBRARIES.map(|place| format!("{place}/{library}"));
            let there = places.iter().find(|path| resolve(root, path).is_some());
            let path = there.cloned().unwrap_or(library);
            queue.extend(add(path, &name)?);
        }
        if let Some(interpreter) = links.interpreter {
            add(interpreter, &name)?;
        }
    }
    Ok(found)
}

/// The file that an absolute path leads to in `root`, as if that was the root directory.
fn resolve(root: &Path, path: &str) -> Option<PathBuf> {
    /// The largest number of links that are followed, as in the kernel (`MAXSYMLINKS`).
    const LINKS: usize = 40;
    let mut links = 0;
    let mut left: Vec<PathBuf> = parts(Path::new(path));
    let mut at = PathBuf::new();
    while let Some(part) = left.pop() {
        if part == Path::new("..") {
            at.pop();
            continue;
        }
        let here = root.join(&at).join(&part);
        match fs::read_link(&here) {
            Ok(target) => {
                links += 1;
                if links > LINKS {
                    return None;
                }
                if target.is_absolute() {
                    at = PathBuf::new();
                }
                left.extend(parts(&target));
            }
            Err(_) => at.push(part),
        }
    }
    let file = root.join(at);
    file.is_file().then_some(file)
}

/// The parts of a path below its root, the last one first.
fn parts(path: &Path) -> Vec<PathBuf> {
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(PathBuf::from(name)),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    parts.rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn the_manifest_holds_together() {
        for name in ["filesystems", "multipath"] {
            let set = Userland::named(name).unwrap();
            assert!(!set.suites.is_empty() && !set.packages.is_empty());
            let paths = set.programs.iter().chain(&set.files);
            assert!(paths.into_iter().all(|path| path.starts_with('/')));
        }
        let error = Userland::named("games").unwrap_err().to_string();
        assert!(error.contains("games"), "{error}");
    }

    #[test]
    fn links_lead_where_they_would_in_the_guest() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs::create_dir_all(root.join("lib/x")).unwrap();
        fs::create_dir_all(root.join("lib64")).unwrap();
        fs::write(root.join("lib/x/ld-2.so"), "ld").unwrap();
        symlink("ld-2.so", root.join("lib/x/ld.so")).unwrap();
        symlink("/lib/x/ld.so", root.join("lib64/ld.so")).unwrap();
        symlink("../lib/x", root.join("lib64/x")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let file = Some(root.join("lib/x/ld-2.so"));
        assert_eq!(resolve(root, "/lib64/ld.so"), file);
        assert_eq!(resolve(root, "/lib64/x/ld.so"), file);
        assert_eq!(resolve(root, "/loop"), None);
        assert_eq!(resolve(root, "/lib64/other"), None);
        assert_eq!(resolve(root, "/lib"), None, "a directory");
    }

    #[test]
    fn what_a_program_is_linked_with_comes_along() {
        // The host's own shell stands for a program of a package.
        let root = Path::new("/");
        let found = closure(root, &["/bin/sh".to_owned()], &["/etc/passwd".to_owned()]).unwrap();
        let has = |end: &str| found.keys().any(|path| path.ends_with(end));
        assert!(
            has("/libc.so.6") && has("ld-linux-x86-64.so.2"),
            "{found:?}"
        );
        assert!(has("/bin/sh") && has("/etc/passwd"));
        let error = closure(root, &["/bin/no-such-program".to_owned()], &[]).unwrap_err();
        assert!(error.to_string().contains("no-such-program"), "{error}");
    }

    #[test]
    fn what_is_not_whole_is_not_used() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path();
        assert_eq!(cached(place), None);
        let stamp = r#"{"origin": [], "files": ["/bin/a"]}"#;
        fs::write(place.join(STAMP), stamp).unwrap();
        assert_eq!(cached(place), None);
        fs::create_dir_all(place.join("root/bin")).unwrap();
        fs::write(place.join("root/bin/a"), "a").unwrap();
        assert_eq!(cached(place).unwrap().len(), 1);
    }
}

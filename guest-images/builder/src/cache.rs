//! The user's cache directory: kernels, initramfs images, and what other parts of Halfway
//! keep from run to run.

use crate::file::{Context, FileError, create_dir};
use fs4::fs_std::FileExt;
use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Files younger than this are never pruned: a machine may be about to boot them.
const FRESH: Duration = Duration::from_secs(60 * 60);

/// The directory of everything that Halfway keeps for its user. Deleting it loses time,
/// but never results.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

/// No directory for the cache is known.
#[derive(Debug, thiserror::Error)]
#[error(
    "there is no place for the cache: neither HALFWAY_CACHE, XDG_CACHE_HOME nor HOME is an absolute path"
)]
pub struct CacheError;

impl Cache {
    /// The cache in `$HALFWAY_CACHE`, else `$XDG_CACHE_HOME/halfway`, else
    /// `$HOME/.cache/halfway`. Nothing is created before it is needed.
    pub fn open() -> Result<Self, CacheError> {
        Self::from_env(|name| env::var_os(name)).ok_or(CacheError)
    }

    /// A cache in this directory.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Cache { root: root.into() }
    }

    /// Ignores relative paths in all three variables, as the XDG base directory
    /// specification demands.
    fn from_env(var: impl Fn(&str) -> Option<OsString>) -> Option<Self> {
        let absolute = |name: &str| var(name).map(PathBuf::from).filter(|p| p.is_absolute());
        absolute("HALFWAY_CACHE")
            .or_else(|| Some(absolute("XDG_CACHE_HOME")?.join("halfway")))
            .or_else(|| Some(absolute("HOME")?.join(".cache/halfway")))
            .map(Cache::at)
    }

    /// The directory of the cache. It may not exist yet.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Locks `name` against other processes until the result is dropped. Calls `waiting`
    /// once if another process holds the lock.
    pub(crate) fn lock(&self, name: &str, waiting: impl FnOnce()) -> Result<File, FileError> {
        let directory = self.root.join("locks");
        create_dir(&directory)?;
        let path = directory.join(name);
        let file = File::create(&path).at("create", &path)?;
        if !FileExt::try_lock_exclusive(&file).at("lock", &path)? {
            waiting();
            FileExt::lock_exclusive(&file).at("lock", &path)?;
        }
        Ok(file)
    }
}

/// Marks a cached file as used now, so that it is pruned last. Errors are ignored: a
/// read-only cache can still be read.
pub(crate) fn touch(path: &Path) {
    if let Ok(file) = File::options().append(true).open(path) {
        let _ = file.set_modified(SystemTime::now());
    }
}

/// Deletes all files of a directory except the `keep` most recently used ones. Errors are
/// ignored: a file that stays costs only space.
pub(crate) fn prune(directory: &Path, keep: usize) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    let mut files: Vec<(SystemTime, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    files.sort_by(|a, b| b.cmp(a));
    for (used, path) in files.into_iter().skip(keep) {
        if used.elapsed().is_ok_and(|age| age > FRESH) {
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::own(&[("HALFWAY_CACHE", "/c"), ("HOME", "/h")], Some("/c"))]
    #[case::xdg(&[("XDG_CACHE_HOME", "/x"), ("HOME", "/h")], Some("/x/halfway"))]
    #[case::home(&[("HOME", "/h")], Some("/h/.cache/halfway"))]
    #[case::relative_is_ignored(&[("XDG_CACHE_HOME", "x"), ("HOME", "/h")], Some("/h/.cache/halfway"))]
    #[case::nothing(&[], None)]
    fn place(#[case] environment: &[(&str, &str)], #[case] expected: Option<&str>) {
        let found = Cache::from_env(|name| {
            let (_, value) = environment.iter().find(|(key, _)| *key == name)?;
            Some(OsString::from(value))
        });
        assert_eq!(found.map(|cache| cache.root), expected.map(PathBuf::from));
    }

    #[test]
    fn pruning_keeps_the_recently_used() {
        let directory = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        for (name, hours) in [("old", 9), ("older", 10), ("oldest", 11), ("fresh", 0)] {
            let path = directory.path().join(name);
            let file = File::create(path).unwrap();
            file.set_modified(now - Duration::from_secs(hours * 3600))
                .unwrap();
        }
        touch(&directory.path().join("oldest"));
        prune(directory.path(), 1);
        let mut left: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["fresh", "oldest"]);
    }

    #[test]
    fn a_lock_excludes_and_is_released() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::at(directory.path());
        let held = cache.lock("k", || panic!("nobody holds it")).unwrap();
        let path = directory.path().join("locks/k");
        let other = File::open(&path).unwrap();
        assert!(!FileExt::try_lock_exclusive(&other).unwrap());
        drop(held);
        assert!(FileExt::try_lock_exclusive(&other).unwrap());
    }
}

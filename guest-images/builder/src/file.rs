//! File access with errors that name the file.

use sha2::{Digest, Sha256};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What could not be done to a file, and which file.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {}: {source}", path.display())]
pub struct FileError {
    /// The verb that completes "cannot ...", such as "read".
    pub doing: &'static str,
    /// The path of the file.
    pub path: PathBuf,
    /// The operating system's error.
    pub source: io::Error,
}

/// Turns an [`io::Error`] into a [`FileError`].
pub(crate) trait Context<T> {
    fn at(self, doing: &'static str, path: &Path) -> Result<T, FileError>;
}

impl<T> Context<T> for io::Result<T> {
    fn at(self, doing: &'static str, path: &Path) -> Result<T, FileError> {
        self.map_err(|source| FileError {
            doing,
            path: path.to_owned(),
            source,
        })
    }
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    fs::read(path).at("read", path)
}

pub(crate) fn create_dir(path: &Path) -> Result<(), FileError> {
    fs::create_dir_all(path).at("create", path)
}

/// Writes the file atomically: other processes see either the old content or the whole
/// new one.
pub(crate) fn write_atomically(path: &Path, content: &[u8]) -> Result<(), FileError> {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    let parent = path.parent().unwrap_or(Path::new("."));
    create_dir(parent)?;
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(parent)?;
        file.write_all(content)?;
        file.as_file()
            .set_permissions(fs::Permissions::from_mode(0o644))?;
        file.persist(path)?;
        Ok(())
    };
    write().at("write", path)
}

/// The SHA-256 digest, in hexadecimal.
pub(crate) fn digest(data: &[u8]) -> String {
    format!("{:x}", Sha256::digest(data))
}

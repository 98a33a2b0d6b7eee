//! Cleans up when the harness itself is killed.
//!
//! All private directories of a harness lie in one directory. A second process, `halfway
//! janitor DIR`, reads from a pipe whose other end only the harness holds. When the pipe
//! closes, however the harness ended, the janitor removes the directory. QEMU needs no
//! janitor, because it has a parent-death signal.

use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The name of the hidden subcommand.
pub const SUBCOMMAND: &str = "janitor";

/// The directory of all private directories of this harness (mode 0700). It is removed
/// when this is dropped. If the harness is killed before that, the janitor removes it.
#[derive(Debug)]
pub struct Workshop {
    path: PathBuf,
    janitor: Option<Child>,
}

impl Workshop {
    /// Makes the directory in the system's temporary directory. Starts the janitor from
    /// `program` (this program), if given. Without it, as in tests of the library, the
    /// directory is removed only at a normal end.
    pub fn open(program: Option<&Path>) -> io::Result<Self> {
        // A short path, because the path of a unix socket has at most 107 bytes.
        let path = tempfile::Builder::new()
            .prefix("halfway-")
            .permissions(std::fs::Permissions::from_mode(0o700))
            .tempdir()?
            .keep();
        let mut workshop = Workshop {
            path,
            janitor: None,
        };
        if let Some(program) = program {
            use std::os::unix::process::CommandExt;
            workshop.janitor = Some(
                Command::new(program)
                    .arg(SUBCOMMAND)
                    .arg(&workshop.path)
                    .stdin(Stdio::piped())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .process_group(0)
                    .spawn()?,
            );
        }
        Ok(workshop)
    }

    /// A new directory in it.
    pub fn directory(&self) -> io::Result<tempfile::TempDir> {
        tempfile::Builder::new().prefix("m").tempdir_in(&self.path)
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
        if let Some(mut janitor) = self.janitor.take() {
            drop(janitor.stdin.take());
            let _ = janitor.wait();
        }
    }
}

/// The main function of the janitor: waits for the end of standard input, then removes
/// `directory`. Refuses a directory that is not a workshop.
pub fn wait_and_sweep(directory: &Path) -> io::Result<()> {
    let ours = directory
        .file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| name.starts_with("halfway-"));
    if !ours {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{} is not a directory of Halfway's", directory.display()),
        ));
    }
    let mut rest = Vec::new();
    io::stdin().lock().read_to_end(&mut rest)?;
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workshop_goes_with_its_owner() {
        let workshop = Workshop::open(None).unwrap();
        let path = workshop.path.clone();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        std::fs::write(path.join("left behind"), "x").unwrap();
        drop(workshop);
        assert!(!path.exists());
    }

    #[test]
    fn the_janitor_refuses_a_strange_directory() {
        assert!(wait_and_sweep(Path::new("/tmp/something-else")).is_err());
    }
}

//! The files with debug information of one kernel.

use crate::image::{Image, ImageError, Miss, Place};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// How many entries of a directory tree are looked at.
const ENTRIES: usize = 500_000;

/// How deep a directory tree is followed.
const DEPTH: usize = 24;

/// The largest file that is read, in bytes.
const FILE: u64 = 4 << 30;

/// Why there are no symbols.
#[derive(Debug, Error)]
pub enum OpenError {
    /// A file or directory could not be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is of no use.
    #[error("no source lines can be learnt from {}", path.display())]
    Image {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: ImageError,
    },
    /// The directory has neither a vmlinux nor a module.
    #[error("{} has neither a vmlinux nor a module (.ko, .ko.debug)", .0.display())]
    Empty(PathBuf),
    /// The file is larger than any kernel.
    #[error("{} is larger than 4 GiB", .0.display())]
    TooLarge(PathBuf),
}

/// Files of a kernel and its modules, which are read when a frame needs them.
pub struct Symbols {
    /// By module; the kernel itself has the empty name.
    files: HashMap<String, Vec<PathBuf>>,
    read: HashMap<PathBuf, Image>,
    useless: Vec<OpenError>,
}

impl Symbols {
    /// Takes a vmlinux or a module, or looks for them in a directory, such as a
    /// build tree or `/usr/lib/debug`. Symbolic links to directories are not
    /// followed.
    ///
    /// # Errors
    /// The path cannot be read, or there is no such file; a single file has no
    /// debug information.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Read {
            path: path.to_owned(),
            source,
        };
        let mut symbols = Self {
            files: HashMap::new(),
            read: HashMap::new(),
            useless: Vec::new(),
        };
        if fs::metadata(path).map_err(failed)?.is_dir() {
            let mut left = ENTRIES;
            symbols.look(path, 0, &mut left).map_err(failed)?;
            if symbols.files.is_empty() {
                return Err(OpenError::Empty(path.to_owned()));
            }
            for files in symbols.files.values_mut() {
                files.sort();
            }
        } else {
            let image = load(path)?;
            let module = module(path).unwrap_or_default();
            symbols.files.insert(module, vec![path.to_owned()]);
            symbols.read.insert(path.to_owned(), image);
        }
        Ok(symbols)
    }

    fn look(&mut self, directory: &Path, depth: usize, left: &mut usize) -> io::Result<()> {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            if *left == 0 {
                break;
            }
            *left -= 1;
            let (path, kind) = (entry.path(), entry.file_type()?);
            if kind.is_dir() {
                // What may not be read further down is left out.
                if depth < DEPTH {
                    let _ = self.look(&path, depth + 1, left);
                }
            } else if let Some(module) = module(&path) {
                self.files.entry(module).or_default().push(path);
            }
        }
        Ok(())
    }

    /// The places of a frame; see [`Image::places`]. `module` is `None` for the
    /// kernel itself.
    ///
    /// # Errors
    /// No file knows the place, or not for sure. If none was tried, `None`.
    pub fn places(
        &mut self,
        module: Option<&str>,
        symbol: &str,
        offset: u64,
        size: u64,
        after_call: bool,
    ) -> Result<Vec<Place>, Option<Miss>> {
        let module = module.unwrap_or_default();
        let (mut miss, mut answer) = (None, None);
        for path in self.files.get(module).cloned().unwrap_or_default() {
            if !self.read.contains_key(&path) {
                match load(&path) {
                    Ok(image) => drop(self.read.insert(path.clone(), image)),
                    Err(error) => {
                        // Each useless file is read, and told of, once.
                        if let Some(files) = self.files.get_mut(module) {
                            files.retain(|file| *file != path);
                        }
                        self.useless.push(error);
                        continue;
                    }
                }
            }
            match self.read[&path].places(symbol, offset, size, after_call) {
                // Of several builds of a module only one was loaded.
                Ok(places) if answer.as_ref().is_some_and(|other| *other != places) => {
                    return Err(Some(Miss::Ambiguous("the directory".to_owned())));
                }
                Ok(places) => answer = Some(places),
                Err(found) => miss = miss.or(Some(found)),
            }
        }
        answer.ok_or(miss)
    }

    /// The files that were of no use since the last call.
    pub fn useless(&mut self) -> Vec<OpenError> {
        std::mem::take(&mut self.useless)
    }
}

/// The module whose symbols a file of this name has; the empty name for a
/// vmlinux.
fn module(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    if name == "vmlinux" || name.starts_with("vmlinux-") || name == "vmlinux.debug" {
        return Some(String::new());
    }
    let stem = name.strip_suffix(".debug").unwrap_or(name);
    // In the kernel a module's name has no dash.
    Some(stem.strip_suffix(".ko")?.replace('-', "_"))
}

fn load(path: &Path) -> Result<Image, OpenError> {
    let failed = |source| OpenError::Read {
        path: path.to_owned(),
        source,
    };
    let metadata = fs::metadata(path).map_err(failed)?;
    if metadata.len() > FILE {
        return Err(OpenError::TooLarge(path.to_owned()));
    }
    let data = fs::read(path).map_err(failed)?;
    let name = path
        .file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy();
    Image::parse(&name, &data).map_err(|source| OpenError::Image {
        path: path.to_owned(),
        source,
    })
}

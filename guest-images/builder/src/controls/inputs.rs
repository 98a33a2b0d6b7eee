//! The headers and the source of exactly a kernel's version, unpacked in the cache.

pub(super) use crate::archive::Part;
use crate::archive::{self, ArchiveError};
use crate::cache::Cache;
use crate::catalogue::Entry;
use crate::file::{self, Context, FileError};
use crate::progress::{Progress, Stage};
use crate::unpack;
use lzma_rust2::XzReader;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// The parts of the source whose modules can be built. The whole source would be a
/// gigabyte.
const SOURCE: [&str; 2] = ["drivers/md", "drivers/scsi"];

/// The headers and the source of one kernel.
pub(super) struct Inputs {
    root: PathBuf,
    /// The release of the kernel, such as "6.1.0-56-cloud-amd64".
    kernel: String,
}

/// Why the headers or the source are not available.
#[derive(Debug, thiserror::Error)]
pub enum InputsError {
    /// The archive does not have them.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// An expected file is missing from them.
    #[error("what modules are built with is not whole: there is no {}; delete {} and try again",
        missing.display(), root.display())]
    Incomplete {
        /// The path that is missing.
        missing: PathBuf,
        /// The directory that it should be in.
        root: PathBuf,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Inputs {
    /// Finds these parts in the cache, or fetches them. `origin` is the kernel's release
    /// and version, such as "6.1.0-56-cloud-amd64 (6.1.192-2)".
    pub(super) fn get(
        entry: &Entry,
        origin: &str,
        parts: &[Part],
        cache: &Cache,
        progress: &mut Progress<'_>,
    ) -> Result<Self, InputsError> {
        let name: String = origin
            .chars()
            .filter(|c| !"()".contains(*c))
            .map(|c| if c == ' ' || c == '/' { '_' } else { c })
            .collect();
        let all = cache.root().join("controls/inputs");
        let root = all.join(&name);
        let _lock = cache.lock("controls-inputs", || progress(&Stage::Waiting))?;
        let mut missing = parts.to_vec();
        missing.retain(|part| !root.join(directory(*part)).is_dir());
        if !missing.is_empty() {
            let unfinished = all.join(format!(".unfinished-{name}"));
            if unfinished.exists() {
                fs::remove_dir_all(&unfinished).at("remove", &unfinished)?;
            }
            file::create_dir(&unfinished)?;
            archive::fetch_build_inputs(
                entry,
                origin,
                &missing,
                cache,
                progress,
                |package, progress| {
                    unpack::read(package, progress, |stream| take(stream, &unfinished))
                },
            )?;
            file::create_dir(&root)?;
            for part in &missing {
                let place = root.join(directory(*part));
                fs::rename(unfinished.join(directory(*part)), &place).at("create", &place)?;
            }
            fs::remove_dir_all(&unfinished).at("remove", &unfinished)?;
        }
        let kernel = origin.split(' ').next().unwrap_or_default().to_owned();
        let inputs = Inputs { root, kernel };
        for path in [inputs.headers().join("Module.symvers"), inputs.makefile()] {
            if !path.is_file() {
                let root = inputs.root;
                return Err(InputsError::Incomplete {
                    missing: path,
                    root,
                });
            }
        }
        Ok(inputs)
    }

    /// The directory for `make -C`. It has the configuration and the symbols of the
    /// flavour.
    pub(super) fn headers(&self) -> PathBuf {
        self.unpacked()
            .join(format!("usr/src/linux-headers-{}", self.kernel))
    }

    /// The kernel's makefile. The headers' own makefile includes it by an absolute path,
    /// which is valid only for an installed package.
    pub(super) fn makefile(&self) -> PathBuf {
        let own = fs::read_to_string(self.headers().join("Makefile")).unwrap_or_default();
        let installed = own.lines().find_map(|line| line.strip_prefix("include "));
        let installed = installed.unwrap_or_default().trim().trim_start_matches('/');
        self.unpacked().join(installed)
    }

    /// The setting that tells make where the configuration is. Since Linux 6.13 the
    /// headers' own makefile sets it, but to the path of an installed package.
    pub(super) fn output(&self) -> Option<String> {
        let own = fs::read_to_string(self.headers().join("Makefile")).ok()?;
        let sets = own.lines().any(|line| line.starts_with("KBUILD_OUTPUT"));
        sets.then(|| format!("KBUILD_OUTPUT={}", self.headers().display()))
    }

    /// A compiler option that lets our own modules compile where this kernel has renamed
    /// something. Linux 7.3 renames `bi_bvec_done` of `struct bvec_iter` to `bi_offset`.
    pub(super) fn names(&self) -> Option<&'static str> {
        let header = self.makefile().with_file_name("include/linux/bvec.h");
        let says = |name| fs::read_to_string(&header).is_ok_and(|text| text.contains(name));
        (!says("bi_bvec_done") && says("bi_offset")).then_some("KCFLAGS=-Dbi_bvec_done=bi_offset")
    }

    fn unpacked(&self) -> PathBuf {
        self.root.join(directory(Part::Headers))
    }

    /// A directory of the kernel's source.
    pub(super) fn source(&self, below: &Path) -> Result<PathBuf, InputsError> {
        let path = self.root.join(directory(Part::Source)).join(below);
        match path.is_dir() {
            true => Ok(path),
            false => Err(InputsError::Incomplete {
                missing: path,
                root: self.root.clone(),
            }),
        }
    }
}

/// The name of a part's directory in the cache.
fn directory(part: Part) -> &'static str {
    match part {
        Part::Headers => "headers",
        Part::Source => "source",
    }
}

/// Unpacks from a package what building modules needs.
fn take(stream: impl io::Read, root: &Path) -> io::Result<()> {
    let mut archive = tar::Archive::new(stream);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        if is_source(&path) {
            let place = root.join(directory(Part::Source));
            take_source(XzReader::new(entry, true), &place)?;
        } else {
            let place = root.join(directory(Part::Headers));
            fs::create_dir_all(&place)?;
            // This refuses paths that lead out of `place`.
            entry.unpack_in(place)?;
        }
    }
    Ok(())
}

fn is_source(path: &Path) -> bool {
    path.to_str()
        .is_some_and(|path| path.contains("/linux-source-") && path.ends_with(".tar.xz"))
}

/// Unpacks the parts in [`SOURCE`] from the archive within the source package, without
/// its top directory.
fn take_source(stream: impl io::Read, root: &Path) -> io::Result<()> {
    let mut archive = tar::Archive::new(stream);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let mut parts = path.components();
        let below = match parts.next() {
            Some(Component::Normal(_)) => parts.as_path().to_owned(),
            _ => continue,
        };
        let plain = below
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        let wanted = SOURCE.iter().any(|part| below.starts_with(part));
        if plain && wanted && entry.header().entry_type().is_file() {
            let place = root.join(below);
            if let Some(parent) = place.parent() {
                fs::create_dir_all(parent)?;
            }
            io::copy(&mut entry, &mut fs::File::create(place)?)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use lzma_rust2::{XzOptions, XzWriter};
    use std::io::Write;

    fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            builder.append_data(&mut header, path, *content).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn of_the_source_only_what_is_wanted_lands() {
        let source = tar(&[
            ("linux-source-6.1/drivers/md/dm.c", b"dm"),
            ("linux-source-6.1/drivers/net/x.c", b"net"),
            ("linux-source-6.1/Makefile", b"make"),
        ]);
        let mut xz = XzWriter::new(Vec::new(), XzOptions::with_preset(0)).unwrap();
        xz.write_all(&source).unwrap();
        let package = tar(&[
            ("./usr/src/linux-source-6.1.tar.xz", &xz.finish().unwrap()),
            (
                "./usr/src/linux-headers-x/Makefile",
                b"KBUILD_OUTPUT=/usr/src/linux-headers-x\ninclude /usr/src/y/Makefile",
            ),
            (
                "./usr/src/y/include/linux/bvec.h",
                b"\tunsigned int bi_offset;\n",
            ),
        ]);
        let directory = tempfile::tempdir().unwrap();
        take(&package[..], directory.path()).unwrap();
        let read = |path| fs::read_to_string(directory.path().join(path)).unwrap();
        assert_eq!(read("source/drivers/md/dm.c"), "dm");
        assert!(!directory.path().join("source/drivers/net").exists());
        assert!(!directory.path().join("source/Makefile").exists());

        let inputs = Inputs {
            root: directory.path().to_owned(),
            kernel: "x".to_owned(),
        };
        let makefile = directory.path().join("headers/usr/src/y/Makefile");
        assert_eq!(inputs.makefile(), makefile);
        assert_eq!(inputs.names(), Some("KCFLAGS=-Dbi_bvec_done=bi_offset"));
        let output = inputs.output().unwrap();
        assert!(output.starts_with("KBUILD_OUTPUT=/") && output.ends_with("/linux-headers-x"));
    }
}

//! Builds the initramfs: the agent, the modules in load order, and further files.
//!
//! Packing takes a millisecond, so it is done every time. The name of an image in the
//! cache is its own digest, and only a new image is written.

use crate::cache::{Cache, prune, touch};
use crate::cpio::Archive;
use crate::file::{self, FileError};
use crate::module::ResolvedModule;
use std::path::PathBuf;

/// How many images are kept in the cache.
const KEEP: usize = 20;

/// The path in the guest of the list of modules: one path per line, in load order.
const MODULE_LIST: &str = "/etc/halfway/modules";

/// The major and minor number of `/dev/console` (Documentation/admin-guide/devices.txt).
const CONSOLE: (u32, u32) = (5, 1);

/// The content of an initramfs.
#[derive(Clone, Copy, Debug)]
pub struct Initramfs<'a> {
    /// The first process, a static ELF file. Normally [`crate::AGENT`].
    pub agent: &'a [u8],
    /// The modules that the agent loads, in this order.
    pub modules: &'a [ResolvedModule],
    /// Further files, such as [`crate::shell_tools`].
    pub extra: &'a [Extra],
}

/// A further entry of the initramfs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extra {
    /// A copy of a file of the host.
    File {
        /// The absolute path in the guest.
        guest: String,
        /// The path on the host.
        host: PathBuf,
        /// The permission bits.
        mode: u32,
    },
    /// A file with this content.
    Content {
        /// The absolute path in the guest.
        guest: String,
        /// What is in it.
        content: Vec<u8>,
        /// The permission bits.
        mode: u32,
    },
    /// A symbolic link.
    Link {
        /// The absolute path in the guest.
        guest: String,
        /// The target of the link.
        target: String,
    },
}

/// Why the initramfs cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum InitramfsError {
    /// A file could not be read, or the image could not be written.
    #[error("the initramfs cannot be made: {0}")]
    File(#[from] FileError),
}

impl Initramfs<'_> {
    /// Returns the path of the uncompressed image in the cache. Writes the image if it is
    /// not there yet.
    ///
    /// In the guest, the agent is `/init`, the modules are in `/lib/halfway/modules`, and
    /// their list is `/etc/halfway/modules` (one path per line, in load order). There is
    /// also `/dev/console`: without it, the kernel gives init no standard output.
    pub fn build(&self, cache: &Cache) -> Result<PathBuf, InitramfsError> {
        let image = self.pack()?;
        let directory = cache.root().join("initramfs");
        let path = directory.join(format!("{}.cpio", file::digest(&image)));
        if path.is_file() {
            touch(&path);
        } else {
            file::write_atomically(&path, &image)?;
            prune(&directory, KEEP);
        }
        Ok(path)
    }

    fn pack(&self) -> Result<Vec<u8>, FileError> {
        let mut archive = Archive::default();
        for path in ["/dev", "/proc", "/sys", "/run", "/tmp"] {
            archive.directory(path);
        }
        archive.character_device("/dev/console", 0o600, CONSOLE);
        archive.file("/init", 0o755, self.agent);

        let mut list = String::new();
        for (index, module) in self.modules.iter().enumerate() {
            let path = format!("/lib/halfway/modules/{index:02}-{}.ko", module.name);
            archive.file(&path, 0o644, &module.elf);
            list.push_str(&path);
            list.push('\n');
        }
        archive.file(MODULE_LIST, 0o644, list.as_bytes());

        for extra in self.extra {
            match extra {
                Extra::File { guest, host, mode } => {
                    archive.file(guest, *mode, &file::read(host)?);
                }
                Extra::Content {
                    guest,
                    content,
                    mode,
                } => archive.file(guest, *mode, content),
                Extra::Link { guest, target } => archive.link(guest, target),
            }
        }
        Ok(archive.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpio::tests::parse;
    use std::fs;

    fn module(name: &str) -> ResolvedModule {
        ResolvedModule {
            name: name.to_owned(),
            path: PathBuf::new(),
            elf: name.as_bytes().to_vec(),
        }
    }

    #[test]
    fn the_guest_finds_what_it_needs() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::at(directory.path().join("cache"));
        let tool = directory.path().join("tool");
        fs::write(&tool, "tool").unwrap();
        let modules = [module("dm_mod"), module("dm_mirror")];
        let extra = [
            Extra::File {
                guest: "/bin/tool".to_owned(),
                host: tool.clone(),
                mode: 0o755,
            },
            Extra::Link {
                guest: "/bin/sh".to_owned(),
                target: "tool".to_owned(),
            },
        ];
        let initramfs = Initramfs {
            agent: b"agent",
            modules: &modules,
            extra: &extra,
        };
        let path = initramfs.build(&cache).unwrap();
        let members = parse(&fs::read(&path).unwrap());
        let listing: Vec<_> = members
            .iter()
            .map(|m| {
                let content = String::from_utf8_lossy(&m.content);
                format!("{:06o} {} {:?}", m.mode, m.path, content)
            })
            .collect();
        insta::assert_snapshot!(listing.join("\n"), @r#"
        040755 dev ""
        040755 proc ""
        040755 sys ""
        040755 run ""
        040755 tmp ""
        020600 dev/console ""
        100755 init "agent"
        040755 lib ""
        040755 lib/halfway ""
        040755 lib/halfway/modules ""
        100644 lib/halfway/modules/00-dm_mod.ko "dm_mod"
        100644 lib/halfway/modules/01-dm_mirror.ko "dm_mirror"
        040755 etc ""
        040755 etc/halfway ""
        100644 etc/halfway/modules "/lib/halfway/modules/00-dm_mod.ko\n/lib/halfway/modules/01-dm_mirror.ko\n"
        040755 bin ""
        100755 bin/tool "tool"
        120777 bin/sh "tool"
        "#);

        assert_eq!(initramfs.build(&cache).unwrap(), path, "the same again");
        fs::write(&tool, "another tool").unwrap();
        assert_ne!(initramfs.build(&cache).unwrap(), path, "an input changed");
        fs::remove_file(&tool).unwrap();
        let error = initramfs.build(&cache).unwrap_err().to_string();
        assert!(error.contains(tool.to_str().unwrap()), "{error}");
    }
}

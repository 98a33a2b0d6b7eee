//! Writes the "newc" cpio archive that Linux unpacks into its first root file system
//! (Documentation/driver-api/early-userspace/buffer-format.rst).
//!
//! Equal input gives equal bytes: the archive has no times, owners or inode numbers of
//! the host.

use std::collections::BTreeSet;

/// The file type bits of `st_mode` (inode(7)).
const DIRECTORY: u32 = 0o040_000;
const CHARACTER_DEVICE: u32 = 0o020_000;
const REGULAR: u32 = 0o100_000;
const LINK: u32 = 0o120_000;

/// An archive that is being written. Its entries are in the order of the calls.
#[derive(Default)]
pub(crate) struct Archive {
    out: Vec<u8>,
    inode: u32,
    directories: BTreeSet<String>,
}

impl Archive {
    /// Adds a directory (mode 0755), and its parents.
    pub(crate) fn directory(&mut self, path: &str) {
        self.parents(path);
        if self.directories.insert(path.to_owned()) {
            self.entry(path, DIRECTORY | 0o755, (0, 0), b"");
        }
    }

    /// Adds a regular file.
    pub(crate) fn file(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.parents(path);
        self.entry(path, REGULAR | mode, (0, 0), content);
    }

    /// Adds a symbolic link.
    pub(crate) fn link(&mut self, path: &str, target: &str) {
        self.parents(path);
        self.entry(path, LINK | 0o777, (0, 0), target.as_bytes());
    }

    /// Adds a character device.
    pub(crate) fn character_device(&mut self, path: &str, mode: u32, device: (u32, u32)) {
        self.parents(path);
        self.entry(path, CHARACTER_DEVICE | mode, device, b"");
    }

    /// Ends the archive, and returns its bytes.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.inode = 0;
        self.header("TRAILER!!!", 0, (0, 0), 0);
        self.out
    }

    fn parents(&mut self, path: &str) {
        if let Some((parent, _)) = path.rsplit_once('/')
            && !parent.is_empty()
        {
            self.directory(parent);
        }
    }

    fn entry(&mut self, path: &str, mode: u32, device: (u32, u32), content: &[u8]) {
        self.inode += 1;
        // The kernel unpacks paths relative to the root.
        let path = path.trim_start_matches('/');
        self.header(path, mode, device, content.len() as u32);
        self.out.extend(content);
        self.pad();
    }

    fn header(&mut self, name: &str, mode: u32, device: (u32, u32), size: u32) {
        let links = if mode & DIRECTORY != 0 { 2 } else { 1 };
        let name_size = name.len() as u32 + 1;
        // ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor,
        // rdevminor, namesize, check
        let fields = [
            self.inode, mode, 0, 0, links, 0, size, 0, 0, device.0, device.1, name_size, 0,
        ];
        self.out.extend(b"070701");
        for field in fields {
            self.out.extend(format!("{field:08x}").as_bytes());
        }
        self.out.extend(name.as_bytes());
        self.out.push(0);
        self.pad();
    }

    fn pad(&mut self) {
        self.out.resize(self.out.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, PartialEq)]
    pub(crate) struct Member {
        pub(crate) path: String,
        pub(crate) mode: u32,
        pub(crate) device: (u32, u32),
        pub(crate) content: Vec<u8>,
    }

    /// Parses an archive as the kernel does (init/initramfs.c).
    pub(crate) fn parse(archive: &[u8]) -> Vec<Member> {
        let mut members = Vec::new();
        let mut at = 0;
        loop {
            assert_eq!(&archive[at..at + 6], b"070701");
            let field = |index: usize| {
                let start = at + 6 + index * 8;
                let text = std::str::from_utf8(&archive[start..start + 8]).unwrap();
                u32::from_str_radix(text, 16).unwrap()
            };
            let (mode, size, name_size) = (field(1), field(6) as usize, field(11) as usize);
            let name = at + 110;
            let path = std::str::from_utf8(&archive[name..name + name_size - 1]).unwrap();
            assert_eq!(archive[name + name_size - 1], 0);
            let content = (name + name_size).next_multiple_of(4);
            if path == "TRAILER!!!" {
                assert_eq!(content, archive.len());
                return members;
            }
            members.push(Member {
                path: path.to_owned(),
                mode,
                device: (field(9), field(10)),
                content: archive[content..content + size].to_vec(),
            });
            at = (content + size).next_multiple_of(4);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            files in prop::collection::vec(
                ("[a-z]{1,9}(/[a-z.]{1,9}){0,3}", 0u32..0o1000, prop::collection::vec(any::<u8>(), 0..40)),
                0..8,
            )
        ) {
            let mut archive = Archive::default();
            for (path, mode, content) in &files {
                archive.file(&format!("/{path}"), *mode, content);
            }
            let members = parse(&archive.finish());
            let mut seen = BTreeSet::from([String::new()]);
            let mut read = Vec::new();
            for member in members {
                let parent = member.path.rsplit_once('/').map_or("", |(parent, _)| parent);
                prop_assert!(seen.contains(parent), "{} comes before its directory", member.path);
                if member.mode & DIRECTORY != 0 {
                    prop_assert!(seen.insert(member.path), "a directory comes once");
                } else {
                    read.push((member.path, member.mode - REGULAR, member.content));
                }
            }
            prop_assert_eq!(read, files);
        }
    }

    #[test]
    fn every_kind_of_entry() {
        let mut archive = Archive::default();
        archive.character_device("/dev/console", 0o600, (5, 1));
        archive.link("/bin/sh", "busybox");
        let listed: Vec<_> = parse(&archive.finish())
            .into_iter()
            .map(|m| (m.path, m.mode, m.device, m.content.len()))
            .collect();
        let expect = |path: &str, mode, device, size| (path.to_owned(), mode, device, size);
        assert_eq!(
            listed,
            [
                expect("dev", 0o040_755, (0, 0), 0),
                expect("dev/console", 0o020_600, (5, 1), 0),
                expect("bin", 0o040_755, (0, 0), 0),
                expect("bin/sh", 0o120_777, (0, 0), 7),
            ]
        );
    }
}

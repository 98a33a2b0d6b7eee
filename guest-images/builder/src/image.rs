//! Reads an x86 kernel image: its release, and the vmlinux inside it.
//!
//! With the uncompressed kernel and its PVH entry, a guest boots in a third of the time
//! that the emulated decompressor takes. So the vmlinux is extracted on the host. The
//! layout of a bzImage is described in Linux' Documentation/arch/x86/boot.rst, the note
//! with the entry in Xen's public/elfnote.h.

use crate::decompress::decompress;
use object::Endianness;
use object::elf::{DT_NEEDED, FileHeader64, PT_INTERP};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};

/// `XEN_ELFNOTE_PHYS32_ENTRY`: the note that says where a PVH loader enters the kernel.
const PVH_ENTRY_NOTE: u32 = 18;

/// Why a kernel image cannot be used, or not in the fast way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// It is neither a bzImage nor an ELF kernel.
    #[error("it is neither an x86 bzImage nor a 64-bit ELF kernel")]
    NotAKernel,
    /// The file is shorter than its header says.
    #[error("it is cut short")]
    Truncated,
    /// The boot protocol is older than 2.08 (Linux 2.6.26), so it does not say where the
    /// compressed kernel is.
    #[error("its boot protocol {0:#x} is older than 2.08")]
    OldProtocol(u16),
    /// The compression is not known: LZO, bzip2, or a new one. These are its first bytes.
    #[error("its compression is unknown (first bytes {0:02x?})")]
    UnknownCompression([u8; 4]),
    /// The compressed kernel is damaged.
    #[error("the kernel in it cannot be decompressed: {0}")]
    Decompress(String),
    /// The decompressed kernel does not have the announced size.
    #[error("the kernel in it has {found} bytes, not {expected}")]
    WrongSize {
        /// The announced size, in bytes.
        expected: u32,
        /// The size of the decompressed kernel, in bytes.
        found: usize,
    },
    /// The kernel has no PVH entry: `CONFIG_PVH` is off.
    #[error("it has no PVH entry (CONFIG_PVH)")]
    NoPvhEntry,
}

/// The bytes of an x86 boot image.
pub(crate) struct BzImage<'a> {
    data: &'a [u8],
}

impl<'a> BzImage<'a> {
    /// Parses the header. `None` if this is not a bzImage.
    pub(crate) fn parse(data: &'a [u8]) -> Option<Self> {
        (data.get(0x202..0x206)? == b"HdrS").then_some(BzImage { data })
    }

    /// The kernel's release, as `uname -r` will print it.
    pub(crate) fn release(&self) -> Option<String> {
        let start = 0x200 + usize::from(self.u16(0x20e)?);
        let text = self.data.get(start..)?.split(|byte| *byte == 0).next()?;
        let word = std::str::from_utf8(text).ok()?.split(' ').next()?;
        (!word.is_empty()).then(|| word.to_owned())
    }

    /// Extracts the vmlinux from the image. Checks that it has a PVH entry.
    pub(crate) fn vmlinux(&self) -> Result<Vec<u8>, ImageError> {
        let protocol = self.u16(0x206).ok_or(ImageError::Truncated)?;
        if protocol < 0x208 {
            return Err(ImageError::OldProtocol(protocol));
        }
        let payload = self.payload().ok_or(ImageError::Truncated)?;
        // The build appends the size of the uncompressed kernel. gzip's format has it in
        // the same place anyway.
        let (_, size) = payload
            .split_last_chunk::<4>()
            .ok_or(ImageError::Truncated)?;
        let expected = u32::from_le_bytes(*size);
        let stream = match payload.starts_with(&[0x1f, 0x8b]) {
            true => payload,
            false => &payload[..payload.len() - 4],
        };
        let vmlinux = decompress(stream)
            .ok_or_else(|| {
                let mut start = [0; 4];
                start.copy_from_slice(&payload[..4]);
                ImageError::UnknownCompression(start)
            })?
            .map_err(|error| ImageError::Decompress(error.to_string()))?;
        if vmlinux.len() != expected as usize {
            return Err(ImageError::WrongSize {
                expected,
                found: vmlinux.len(),
            });
        }
        match has_pvh_entry(&vmlinux) {
            true => Ok(vmlinux),
            false => Err(ImageError::NoPvhEntry),
        }
    }

    /// The compressed kernel with its appended size. `payload_offset` is relative to the
    /// protected-mode code, which follows the setup sectors.
    fn payload(&self) -> Option<&'a [u8]> {
        let setup_sectors = match *self.data.get(0x1f1)? {
            0 => 4,
            count => usize::from(count),
        };
        let start = (setup_sectors + 1) * 512 + self.u32(0x248)? as usize;
        let length = self.u32(0x24c)? as usize;
        self.data.get(start..start.checked_add(length)?)
    }

    fn u16(&self, at: usize) -> Option<u16> {
        let bytes = self.data.get(at..at + 2)?;
        Some(u16::from_le_bytes(bytes.try_into().ok()?))
    }

    fn u32(&self, at: usize) -> Option<u32> {
        let bytes = self.data.get(at..at + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    }
}

/// Whether QEMU's `-kernel` can enter this ELF kernel directly.
pub(crate) fn has_pvh_entry(elf: &[u8]) -> bool {
    let search = || -> object::Result<bool> {
        let header = FileHeader64::<Endianness>::parse(elf)?;
        let endian = header.endian()?;
        for segment in header.program_headers(endian, elf)? {
            let Some(mut notes) = segment.notes(endian, elf)? else {
                continue;
            };
            while let Some(note) = notes.next()? {
                if note.name() == b"Xen" && note.n_type(endian).0 == PVH_ENTRY_NOTE {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    };
    search().unwrap_or(false)
}

/// The release in the banner of an ELF kernel.
pub(crate) fn banner_release(elf: &[u8]) -> Option<String> {
    const BANNER: &[u8] = b"Linux version ";
    let mut rest = elf;
    loop {
        let at = rest.windows(BANNER.len()).position(|w| w == BANNER)?;
        rest = &rest[at + BANNER.len()..];
        let word = rest.split(|byte| *byte == b' ').next()?;
        // Skip the format string "Linux version %s ...", which is also in the kernel.
        if word.first()?.is_ascii_digit() {
            return Some(std::str::from_utf8(word).ok()?.to_owned());
        }
    }
}

/// Whether this is an x86-64 ELF file that needs no dynamic loader.
pub(crate) fn is_static_elf(data: &[u8]) -> bool {
    let search = || -> object::Result<bool> {
        let header = FileHeader64::<Endianness>::parse(data)?;
        let endian = header.endian()?;
        let segments = header.program_headers(endian, data)?;
        Ok(!segments.iter().any(|s| s.p_type(endian) == PT_INTERP))
    };
    search().unwrap_or(false)
}

/// What a dynamic ELF file needs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Links {
    /// The absolute path of the dynamic loader. A library has none.
    pub(crate) interpreter: Option<String>,
    /// The names of the libraries (`DT_NEEDED`).
    pub(crate) needed: Vec<String>,
}

/// What an ELF file needs. `None` if this is not an ELF file.
pub(crate) fn links(data: &[u8]) -> Option<Links> {
    let search = || -> object::Result<Links> {
        let header = FileHeader64::<Endianness>::parse(data)?;
        let endian = header.endian()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut links = Links::default();
        for segment in header.program_headers(endian, data)? {
            links.interpreter = match segment.interpreter(endian, data)? {
                Some(path) => Some(text(path)),
                None => links.interpreter,
            };
        }
        let sections = header.sections(endian, data)?;
        if let Some((entries, strings)) = sections.dynamic(endian, data)? {
            let strings = sections.strings(endian, data, strings)?;
            for entry in entries {
                if entry.d_tag(endian) == DT_NEEDED {
                    let offset = entry.d_val(endian) as u32;
                    let name = strings.get(offset).unwrap_or_default();
                    links.needed.push(text(name));
                }
            }
        }
        Ok(links)
    };
    search().ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use object::elf::PT_NOTE;
    use proptest::prelude::*;
    use rstest::rstest;
    use std::io::Write;

    /// A minimal ELF kernel that has one note segment.
    pub(crate) fn elf(note_name: &[u8; 4], note_type: u32) -> Vec<u8> {
        let mut note = Vec::new();
        for word in [4, 4, note_type] {
            note.extend(word.to_le_bytes());
        }
        note.extend(note_name);
        note.extend([0; 4]);

        let mut out = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        out.extend([2, 0, 62, 0, 1, 0, 0, 0]);
        for offset in [0u64, 64, 0] {
            out.extend(offset.to_le_bytes());
        }
        out.extend(0u32.to_le_bytes());
        for half in [64u16, 56, 1, 64, 0, 0] {
            out.extend(half.to_le_bytes());
        }
        out.extend(PT_NOTE.0.to_le_bytes());
        out.extend(4u32.to_le_bytes());
        for word in [120, 0, 0, note.len() as u64, note.len() as u64, 4] {
            out.extend(word.to_le_bytes());
        }
        out.extend(note);
        out
    }

    pub(crate) fn bzimage(payload: &[u8]) -> Vec<u8> {
        let mut image = vec![0; 3 * 512];
        image[0x1f1] = 2;
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x206..0x208].copy_from_slice(&0x20fu16.to_le_bytes());
        image[0x20e..0x210].copy_from_slice(&0x200u16.to_le_bytes());
        image[0x248..0x24c].copy_from_slice(&7u32.to_le_bytes());
        image[0x24c..0x250].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        image[0x400..0x412].copy_from_slice(b"6.1.0-test (a@b) #");
        image.extend([0; 7]);
        image.extend(payload);
        image.extend(b"trailing signature");
        image
    }

    pub(crate) fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Default::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(data: &[u8]) -> Vec<u8> {
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        let mut out = ruzstd::encoding::compress_to_vec(data, level);
        out.extend((data.len() as u32).to_le_bytes());
        out
    }

    /// The legacy frame format of `lz4 -l`, which the encoder cannot write.
    fn lz4(data: &[u8]) -> Vec<u8> {
        let block = lz4_flex::block::compress(data);
        let mut out = 0x184c_2102u32.to_le_bytes().to_vec();
        out.extend((block.len() as u32).to_le_bytes());
        out.extend(block);
        out.extend((data.len() as u32).to_le_bytes());
        out
    }

    #[rstest]
    #[case::gzip(gzip)]
    #[case::zstd(zstd)]
    #[case::lz4(lz4)]
    fn what_was_packed_comes_out(#[case] compress: fn(&[u8]) -> Vec<u8>) {
        let kernel = elf(b"Xen\0", PVH_ENTRY_NOTE);
        let image = bzimage(&compress(&kernel));
        let image = BzImage::parse(&image).unwrap();
        assert_eq!(image.release().as_deref(), Some("6.1.0-test"));
        assert_eq!(image.vmlinux().unwrap(), kernel);
    }

    #[rstest]
    #[case::another_note(b"Xen\0", 1)]
    #[case::another_owner(b"GNU\0", PVH_ENTRY_NOTE)]
    fn no_pvh_entry(#[case] name: &[u8; 4], #[case] kind: u32) {
        let image = bzimage(&gzip(&elf(name, kind)));
        assert_eq!(
            BzImage::parse(&image).unwrap().vmlinux(),
            Err(ImageError::NoPvhEntry)
        );
    }

    #[test]
    fn what_cannot_be_extracted_says_why() {
        let good = bzimage(&zstd(&elf(b"Xen\0", PVH_ENTRY_NOTE)));
        let error = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut image = good.clone();
            change(&mut image);
            BzImage::parse(&image).unwrap().vmlinux().unwrap_err()
        };
        let payload = 3 * 512 + 7;
        assert_eq!(error(&|i| i[0x206] = 7), ImageError::OldProtocol(0x207));
        assert_eq!(error(&|i| i.truncate(payload + 9)), ImageError::Truncated);
        assert_eq!(
            error(&|i| i[payload..payload + 4].copy_from_slice(b"BZh9")),
            ImageError::UnknownCompression(*b"BZh9")
        );
        let end = good.len() - b"trailing signature".len();
        assert!(matches!(
            error(&|i| i[end - 4] ^= 1),
            ImageError::WrongSize { .. }
        ));
    }

    #[test]
    fn the_banner_is_not_the_format_string() {
        let vmlinux = b"..Linux version %s (%s)\0..Linux version 7.2.0-rc1 (me@here) gcc\0";
        assert_eq!(banner_release(vmlinux).as_deref(), Some("7.2.0-rc1"));
        assert_eq!(banner_release(b"Linux version %s (%s)"), None);
    }

    proptest! {
        /// Reading any file returns an error at worst: it neither panics nor hangs.
        #[test]
        fn a_damaged_image_is_survived(at in 0usize..2000, byte: u8, length in 0usize..2000) {
            let mut image = bzimage(&gzip(&elf(b"Xen\0", PVH_ENTRY_NOTE)));
            if let Some(target) = image.get_mut(at) {
                *target = byte;
            }
            image.truncate(length.max(0x210));
            if let Some(image) = BzImage::parse(&image) {
                let _ = (image.release(), image.vmlinux());
            }
        }
    }
}

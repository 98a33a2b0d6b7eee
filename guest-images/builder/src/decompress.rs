//! Decompresses kernels and modules. The format is recognised by its magic number.

use std::io::{self, Read};

/// The compression formats of `CONFIG_KERNEL_*` and `CONFIG_MODULE_COMPRESS_*`. bzip2 and
/// LZO are left out, because no distribution uses them; a kernel image with these can
/// still boot as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    Gzip,
    Xz,
    Zstd,
    Lzma,
    /// The legacy frame format of `lz4 -l`.
    Lz4,
}

impl Compression {
    fn detect(data: &[u8]) -> Option<Self> {
        const MAGICS: [(&[u8], Compression); 5] = [
            (&[0x1f, 0x8b], Compression::Gzip),
            (b"\xfd7zXZ\0", Compression::Xz),
            (&[0x28, 0xb5, 0x2f, 0xfd], Compression::Zstd),
            (&[0x5d, 0, 0, 0], Compression::Lzma),
            (&[0x02, 0x21, 0x4c, 0x18], Compression::Lz4),
        ];
        MAGICS
            .iter()
            .find(|(magic, _)| data.starts_with(magic))
            .map(|(_, compression)| *compression)
    }
}

/// Decompresses the stream at the start of `data`, and ignores what follows it. `None` if
/// it does not begin with a known magic number.
pub(crate) fn decompress(data: &[u8]) -> Option<io::Result<Vec<u8>>> {
    let compression = Compression::detect(data)?;
    let mut out = Vec::new();
    let result = match compression {
        Compression::Gzip => flate2::read::GzDecoder::new(data).read_to_end(&mut out),
        Compression::Xz => lzma_rust2::XzReader::new(data, false).read_to_end(&mut out),
        Compression::Zstd => match ruzstd::decoding::StreamingDecoder::new(data) {
            Ok(mut decoder) => decoder.read_to_end(&mut out),
            Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        },
        Compression::Lzma => lzma_rust2::LzmaReader::new_mem_limit(data, u32::MAX, None)
            .and_then(|mut decoder| decoder.read_to_end(&mut out)),
        Compression::Lz4 => lz4_flex::frame::FrameDecoder::new(data).read_to_end(&mut out),
    };
    Some(result.map(|_| out))
}

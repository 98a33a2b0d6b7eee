//! The compressions that kernels and modules come in, told by their magic.

use std::io::{self, Read};

/// Compressions of `CONFIG_KERNEL_*` and `CONFIG_MODULE_COMPRESS_*`, except
/// bzip2 and LZO, which no distribution uses: such an image boots as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    Gzip,
    Xz,
    Zstd,
    Lzma,
    /// The legacy frame of `lz4 -l`.
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

/// Decompresses the one stream at the start of `data`; what follows it is
/// ignored. `None` if it has the magic of no known compression.
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

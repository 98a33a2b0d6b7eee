//! The layouts of a request's memory, and their segments.

use crate::io::Io;
use halfway_protocol::content::SECTOR;
use halfway_protocol::io::{IoOp, Memory, Segment};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// 512-byte sectors in a page of the guest (x86-64).
const PAGE_SECTORS: u64 = 8;

/// Lengths of the segments of [`Vector::Odd`] in logical blocks, over and over.
/// Their mean is 7, so a 256 KiB request has 74 segments. virtio-blk takes 126
/// at once (QEMU's `seg_max` of its 128-entry queue), so the vector reaches the
/// leg whole.
const ODD: [u64; 7] = [1, 7, 3, 13, 5, 9, 11];

/// Layout of a request's memory: where its segments lie and how long they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Vector {
    /// One physically contiguous buffer from the start of a page.
    Contiguous,
    /// A page in each segment; no two of them are neighbours in physical
    /// memory.
    Pages,
    /// Many segments of an odd number of sectors.
    Odd,
    /// One buffer that starts 512 bytes into its page, so that the boundaries
    /// of its pages and those of each 4 KiB of data never coincide.
    Offset,
    /// One buffer that starts 4 bytes into its page, which few devices accept
    /// (`dma_alignment`).
    Unaligned,
}

impl Vector {
    /// The memory of a request of that many sectors (at most
    /// [`limits::IO_SECTORS`](crate::limits::IO_SECTORS)), and its segments,
    /// whose lengths add up to it. `block` is the number of sectors in a
    /// logical block; a segment has a whole number of blocks
    /// (`bdev_iter_is_aligned` in block/fops.c).
    pub fn segments(self, sectors: u64, block: u64) -> (Memory, Vec<Segment>) {
        let one = |page_offset| vec![segment(page_offset, sectors)];
        match self {
            Vector::Contiguous => (Memory::Contiguous, one(0)),
            Vector::Pages => (Memory::Scattered, cut(sectors, &[PAGE_SECTORS])),
            Vector::Odd => (
                Memory::Contiguous,
                cut(sectors, &ODD.map(|blocks| blocks * block)),
            ),
            Vector::Offset => (Memory::Contiguous, one(512)),
            Vector::Unaligned => (Memory::Contiguous, one(4)),
        }
    }
}

impl Io {
    /// The memory, and the requests in the form in which the agent takes them.
    /// `block` is as in [`Vector::segments`].
    pub fn requests(&self, block: u64) -> (Memory, Vec<IoOp>) {
        let (memory, _) = self.vector.segments(block, block);
        let ops = self.parts().into_iter().map(|(sector, sectors)| IoOp {
            sector,
            segments: self.vector.segments(sectors, block).1,
        });
        (memory, ops.collect())
    }
}

fn segment(page_offset: u16, sectors: u64) -> Segment {
    Segment {
        page_offset,
        bytes: u32::try_from(sectors.saturating_mul(SECTOR as u64)).unwrap_or(u32::MAX),
    }
}

/// Segments of these lengths in turn, each at the start of a page; the last one
/// is cut to fit.
fn cut(sectors: u64, lengths: &[u64]) -> Vec<Segment> {
    let mut left = sectors;
    lengths
        .iter()
        .cycle()
        .map_while(|length| {
            let sectors = left.min(*length);
            left -= sectors;
            (sectors > 0).then(|| segment(0, sectors))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;
    use proptest::prelude::*;
    use rstest::rstest;

    const ALL: [Vector; 5] = [
        Vector::Contiguous,
        Vector::Pages,
        Vector::Odd,
        Vector::Offset,
        Vector::Unaligned,
    ];

    #[rstest]
    #[case::contiguous(Vector::Contiguous, Memory::Contiguous, &[(0, 20)])]
    #[case::pages(Vector::Pages, Memory::Scattered, &[(0, 8), (0, 8), (0, 4)])]
    #[case::odd(Vector::Odd, Memory::Contiguous, &[(0, 1), (0, 7), (0, 3), (0, 9)])]
    #[case::offset(Vector::Offset, Memory::Contiguous, &[(512, 20)])]
    #[case::unaligned(Vector::Unaligned, Memory::Contiguous, &[(4, 20)])]
    fn twenty_sectors(
        #[case] vector: Vector,
        #[case] memory: Memory,
        #[case] expected: &[(u16, u32)],
    ) {
        let expected = expected.iter().map(|(page_offset, sectors)| Segment {
            page_offset: *page_offset,
            bytes: sectors * 512,
        });
        assert_eq!(vector.segments(20, 1), (memory, expected.collect()));
    }

    #[test]
    fn an_odd_vector_of_256_kib_fits_virtio_blk() {
        assert_eq!(Vector::Odd.segments(512, 1).1.len(), 74);
        assert_eq!(Vector::Odd.segments(512, 8).1.len(), 11);
    }

    proptest! {
        #[test]
        fn lengths_add_up(which in 0..ALL.len(), sectors in 1..=limits::IO_SECTORS) {
            let (_, segments) = ALL[which].segments(sectors, 1);
            prop_assert!(segments.iter().all(|segment| segment.bytes > 0));
            let bytes: u64 = segments.iter().map(|segment| u64::from(segment.bytes)).sum();
            prop_assert_eq!(bytes, sectors * 512);
        }

        #[test]
        fn up_to_7162_sectors_are_one_iovec(which in 0..ALL.len(), sectors in 1u64..=7162) {
            prop_assert!(ALL[which].segments(sectors, 1).1.len() <= limits::SEGMENTS);
        }
    }
}

//! Blocks of memory whose place in physical memory is known, made once and
//! used again for every case.

use super::hoard::Hoard;
use crate::refuse::{Refuse, refusal};
use crate::sysfs;
use halfway_protocol::io::Memory;
use halfway_protocol::layout::{BLOCK, PAGE};
use halfway_protocol::limits;
use halfway_protocol::message::Refusal;
use rustix::mm::{
    Advice, MapFlags, MremapFlags, ProtFlags, madvise, mlock, mmap_anonymous, mremap_fixed, munmap,
};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::ptr::{NonNull, null_mut};

/// How often a mapping is made anew before its physical layout is given up.
const ATTEMPTS: usize = 8;

/// The blocks of both kinds.
#[derive(Default)]
pub struct Pool {
    contiguous: Vec<Block>,
    scattered: Vec<Block>,
}

impl Pool {
    /// `count` blocks of a kind, each of `bytes` or more (whole pages).
    ///
    /// # Errors
    /// The kernel gives no memory that lies so.
    pub fn blocks(
        &mut self,
        memory: Memory,
        count: usize,
        bytes: usize,
    ) -> Result<&mut [Block], Refusal> {
        let blocks = match memory {
            Memory::Contiguous => &mut self.contiguous,
            Memory::Scattered => &mut self.scattered,
        };
        let small = |block: &Block| block.size() < bytes;
        let all: usize = blocks.iter().map(Block::size).sum();
        let more = count.saturating_sub(blocks.len()) * bytes;
        // Larger ones serve as well, as long as there are not too many of them.
        if blocks.iter().take(count).any(small) || all + more > limits::MEMORY {
            blocks.clear();
        }
        if blocks.len() < count {
            let wanted = (count - blocks.len(), bytes);
            let found = match memory {
                Memory::Contiguous => contiguous(wanted),
                Memory::Scattered => scattered(wanted),
            };
            blocks.extend(found.map_err(|why| {
                let kib = (count * bytes) >> 10;
                Refusal {
                    doing: format!("finding {kib} KiB of {memory:?} memory: {}", why.doing),
                    ..why
                }
            })?);
        }
        Ok(&mut blocks[..count])
    }

    /// The blocks of a kind that there are.
    pub fn get(&self, memory: Memory) -> &[Block] {
        match memory {
            Memory::Contiguous => &self.contiguous,
            Memory::Scattered => &self.scattered,
        }
    }
}

#[cfg(test)]
impl Pool {
    /// One block of each kind that lies wherever the kernel put it.
    pub fn anywhere() -> Self {
        let block = || vec![Block::aligned(BLOCK).unwrap()];
        Self {
            contiguous: block(),
            scattered: block(),
        }
    }
}

/// So many blocks of so many bytes, each contiguous.
fn contiguous((count, bytes): (usize, usize)) -> Result<Vec<Block>, Refusal> {
    let mut hoard = Hoard::new();
    (0..count)
        .map(|_| {
            let block = hoard.take(bytes)?;
            match as_wanted(Memory::Contiguous, &frames(&block)?) {
                true => Ok(block),
                false => Err(refusal("looking at them", "their pages were moved")),
            }
        })
        .collect()
}

/// So many blocks of so many bytes, in which no page is beside its neighbour.
fn scattered((count, bytes): (usize, usize)) -> Result<Vec<Block>, Refusal> {
    let mut blocks = Vec::new();
    // Kept until the search ends, so that they are not given out again.
    let mut unfit = Vec::new();
    while blocks.len() < count {
        let block = Block::scattered(bytes).refuse(|| "mapping memory".to_owned())?;
        if as_wanted(Memory::Scattered, &frames(&block)?) {
            blocks.push(block);
            continue;
        }
        unfit.push(block);
        if unfit.len() == ATTEMPTS {
            return Err(refusal("looking at them", "they lie side by side"));
        }
    }
    Ok(blocks)
}

/// Whether pages with these frame numbers lie as they should.
///
/// A frame number of 0 means that the kernel does not tell.
fn as_wanted(memory: Memory, frames: &[u64]) -> bool {
    if frames.contains(&0) {
        return false;
    }
    let neighbours = |distance: usize| {
        let pairs = frames.iter().zip(frames.iter().skip(distance));
        pairs.filter(|(a, b)| **a + 1 == **b).count()
    };
    match memory {
        Memory::Contiguous => neighbours(1) + 1 == frames.len(),
        // Next but one too: a page of guard may lie between two segments.
        Memory::Scattered => neighbours(1) == 0 && neighbours(2) == 0,
    }
}

/// Memory of its own, whole pages.
pub struct Block {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: a block is the only owner of its mapping.
unsafe impl Send for Block {}
// SAFETY: who shares a block gets its address, and its bytes to read only; the kernel
// writes to them while nobody reads.
unsafe impl Sync for Block {}

impl Block {
    /// Keeps the kernel from moving the pages: it leaves locked ones alone when
    /// it is told to (Documentation/admin-guide/sysctl/vm.rst). Kernels without
    /// compaction have no such file and move nothing.
    pub fn pin(&self) -> std::io::Result<()> {
        let _ = sysfs::write("/proc/sys/vm/compact_unevictable_allowed", "0");
        // SAFETY: the block's own mapping.
        unsafe { mlock(self.start.as_ptr().cast(), self.bytes) }.map_err(Into::into)
    }

    /// The kernel gives neighbouring frames to pages that are touched one after
    /// the other, so they are touched far from each other.
    fn scattered(bytes: usize) -> std::io::Result<Self> {
        const STRIDE: usize = 8;
        let block = Self::aligned(bytes)?;
        block.advise(Advice::LinuxNoHugepage);
        for first in 0..STRIDE {
            for page in (first..bytes / PAGE).step_by(STRIDE) {
                block.touch(page * PAGE);
            }
        }
        block.pin()?;
        Ok(block)
    }

    /// A fresh mapping that begins where a huge page could.
    pub fn aligned(bytes: usize) -> std::io::Result<Self> {
        let wide = Self::map(bytes + BLOCK)?;
        let start = wide.start.as_ptr();
        let before = start.align_offset(BLOCK);
        std::mem::forget(wide);
        // SAFETY: both ranges are the parts of the mapping above that lie outside
        // of the block, and nobody knows them.
        unsafe {
            let block = start.add(before);
            if before > 0 {
                munmap(start.cast(), before)?;
            }
            munmap(block.add(bytes).cast(), BLOCK - before)?;
            Ok(Self {
                start: NonNull::new_unchecked(block),
                bytes,
            })
        }
    }

    fn map(bytes: usize) -> std::io::Result<Self> {
        let prot = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new anonymous mapping at an address of the kernel's choice.
        let start = unsafe { mmap_anonymous(null_mut(), bytes, prot, MapFlags::PRIVATE)? };
        NonNull::new(start.cast())
            .map(|start| Self { start, bytes })
            .ok_or_else(|| std::io::ErrorKind::OutOfMemory.into())
    }

    /// Moves the pages of `bytes` at `from` to `to`, in place of those there, and
    /// leaves empty ones behind (`MREMAP_DONTUNMAP`, since Linux 5.7).
    ///
    /// # Safety
    /// Both are ranges of blocks, and nobody has a reference to any of their bytes.
    pub unsafe fn put(from: *mut u8, bytes: usize, to: *mut u8) -> std::io::Result<()> {
        let flags = MremapFlags::MAYMOVE | MremapFlags::DONTUNMAP;
        // SAFETY: as the caller has it.
        unsafe { mremap_fixed(from.cast(), bytes, bytes, flags, to.cast()) }?;
        Ok(())
    }

    /// Its size in bytes.
    pub fn size(&self) -> usize {
        self.bytes
    }

    /// Advice may be refused (a kernel without huge pages): the frame numbers
    /// tell.
    pub fn advise(&self, advice: Advice) {
        // SAFETY: the block's own mapping, and advice that keeps its content.
        let _ = unsafe { madvise(self.start.as_ptr().cast(), self.bytes, advice) };
    }

    fn touch(&self, at: usize) {
        // SAFETY: `at` lies within the block, and no reference to it exists yet.
        unsafe { self.start.as_ptr().add(at).write_volatile(1) };
    }

    /// Has the kernel give all pages, in their order.
    pub fn touch_all(&self) {
        (0..self.bytes).step_by(PAGE).for_each(|at| self.touch(at));
    }

    /// Address of the byte at `offset`, for the kernel.
    pub fn address(&self, offset: usize) -> *mut u8 {
        self.start.as_ptr().wrapping_add(offset)
    }

    /// The bytes, while no I/O is in flight.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: mapped for as long as the block lives; the pool is with the
        // worker, out of reach, while the kernel may write to it.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.bytes) }
    }

    /// The bytes, to fill before an I/O.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `bytes`, and borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.bytes) }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: the block's own mapping, to which no reference is left.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

/// Physical frame numbers of a block's pages
/// (Documentation/admin-guide/mm/pagemap.rst).
pub fn frames(block: &Block) -> Result<Vec<u64>, Refusal> {
    const PATH: &str = "/proc/self/pagemap";
    const ENTRY: usize = 8;
    const FRAME: u64 = (1 << 55) - 1;
    let mut entries = vec![0; block.bytes / PAGE * ENTRY];
    let first = block.start.as_ptr() as usize / PAGE * ENTRY;
    File::open(PATH)
        .and_then(|pagemap| pagemap.read_exact_at(&mut entries, first as u64))
        .refuse(|| format!("reading {PATH}"))?;
    let (entries, _) = entries.as_chunks::<ENTRY>();
    Ok(entries
        .iter()
        .map(|entry| u64::from_ne_bytes(*entry) & FRAME)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::in_a_row(Memory::Contiguous, &[7, 8, 9], true)]
    #[case::broken(Memory::Contiguous, &[7, 8, 10], false)]
    #[case::apart(Memory::Scattered, &[7, 3, 9, 5], true)]
    #[case::downwards(Memory::Scattered, &[9, 8, 7], true)]
    #[case::neighbours(Memory::Scattered, &[3, 7, 8], false)]
    #[case::neighbours_but_one(Memory::Scattered, &[7, 3, 8], false)]
    #[case::unknown(Memory::Scattered, &[0, 0, 0], false)]
    fn as_they_should(#[case] memory: Memory, #[case] frames: &[u64], #[case] wanted: bool) {
        assert_eq!(as_wanted(memory, frames), wanted);
    }

    #[test]
    fn a_block_is_aligned_and_its_own() {
        let mut block = Block::aligned(BLOCK).unwrap();
        assert_eq!(block.address(0) as usize % BLOCK, 0);
        block.bytes_mut().fill(7);
        assert_eq!(block.bytes()[BLOCK - 1], 7);
    }
}

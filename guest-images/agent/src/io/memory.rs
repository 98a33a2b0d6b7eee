//! Blocks of memory whose place in physical memory is known. They are made once and
//! reused for every case.

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

/// How many mappings are tried until one has the wanted physical layout.
const ATTEMPTS: usize = 8;

/// The blocks of both kinds.
#[derive(Default)]
pub struct Pool {
    contiguous: Vec<Block>,
    scattered: Vec<Block>,
}

impl Pool {
    /// `count` blocks of a kind, each of at least `bytes` (whole pages).
    ///
    /// # Errors
    /// The kernel gives no memory with this layout.
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
        // Larger blocks can be reused, unless all blocks together would exceed the limit.
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

    /// The blocks of a kind that exist already.
    pub fn get(&self, memory: Memory) -> &[Block] {
        match memory {
            Memory::Contiguous => &self.contiguous,
            Memory::Scattered => &self.scattered,
        }
    }
}

#[cfg(test)]
impl Pool {
    /// A pool with one block of each kind, whatever its physical layout is.
    pub fn anywhere() -> Self {
        let block = || vec![Block::aligned(BLOCK).unwrap()];
        Self {
            contiguous: block(),
            scattered: block(),
        }
    }
}

/// This many contiguous blocks of this many bytes each.
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

/// This many blocks of this many bytes each, in which no two neighbouring pages are
/// physically adjacent.
fn scattered((count, bytes): (usize, usize)) -> Result<Vec<Block>, Refusal> {
    let mut blocks = Vec::new();
    // Keep the unfit ones until the search ends, so that the kernel does not return them
    // again.
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

/// Whether pages with these frame numbers have the wanted layout.
///
/// A frame number of 0 means that the kernel does not tell it.
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
        // Pages at a distance of two count too: a page of guard may lie between two
        // segments.
        Memory::Scattered => neighbours(1) == 0 && neighbours(2) == 0,
    }
}

/// An anonymous mapping of whole pages, unmapped on drop.
pub struct Block {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: a block is the only owner of its mapping.
unsafe impl Send for Block {}
// SAFETY: other threads get only the block's address, and its bytes for reading. The
// kernel writes to them only while no thread reads them.
unsafe impl Sync for Block {}

impl Block {
    /// Keeps the kernel from moving the pages. It does not move locked pages if this
    /// sysctl says so (Documentation/admin-guide/sysctl/vm.rst). Kernels without
    /// compaction have no such file and move nothing.
    pub fn pin(&self) -> std::io::Result<()> {
        let _ = sysfs::write("/proc/sys/vm/compact_unevictable_allowed", "0");
        // SAFETY: this is the block's own mapping.
        unsafe { mlock(self.start.as_ptr().cast(), self.bytes) }.map_err(Into::into)
    }

    /// Touches pages far from each other in turn, because the kernel gives adjacent
    /// frames to pages that are touched one after the other.
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

    /// A new mapping, at an address where a huge page can begin.
    pub fn aligned(bytes: usize) -> std::io::Result<Self> {
        let wide = Self::map(bytes + BLOCK)?;
        let start = wide.start.as_ptr();
        let before = start.align_offset(BLOCK);
        std::mem::forget(wide);
        // SAFETY: both ranges are parts of the mapping above that lie outside of the
        // block, and nothing refers to them.
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
        // SAFETY: a new anonymous mapping, at an address that the kernel chooses.
        let start = unsafe { mmap_anonymous(null_mut(), bytes, prot, MapFlags::PRIVATE)? };
        NonNull::new(start.cast())
            .map(|start| Self { start, bytes })
            .ok_or_else(|| std::io::ErrorKind::OutOfMemory.into())
    }

    /// Moves the pages of `bytes` at `from` to `to`, where they replace others. Leaves
    /// empty pages behind (`MREMAP_DONTUNMAP`, since Linux 5.7).
    ///
    /// # Safety
    /// Both ranges must lie in blocks, and nothing may have a reference to any of their
    /// bytes.
    pub unsafe fn put(from: *mut u8, bytes: usize, to: *mut u8) -> std::io::Result<()> {
        let flags = MremapFlags::MAYMOVE | MremapFlags::DONTUNMAP;
        // SAFETY: the caller guarantees it.
        unsafe { mremap_fixed(from.cast(), bytes, bytes, flags, to.cast()) }?;
        Ok(())
    }

    /// The size of the block, in bytes.
    pub fn size(&self) -> usize {
        self.bytes
    }

    /// Gives the kernel advice. It may be refused, for instance by a kernel without huge
    /// pages; the frame numbers show what came of it.
    pub fn advise(&self, advice: Advice) {
        // SAFETY: this is the block's own mapping, and the advice keeps its content.
        let _ = unsafe { madvise(self.start.as_ptr().cast(), self.bytes, advice) };
    }

    fn touch(&self, at: usize) {
        // SAFETY: `at` lies within the block, and no reference to it exists yet.
        unsafe { self.start.as_ptr().add(at).write_volatile(1) };
    }

    /// Touches all pages in order, so that the kernel allocates them.
    pub fn touch_all(&self) {
        (0..self.bytes).step_by(PAGE).for_each(|at| self.touch(at));
    }

    /// The address of the byte at `offset`, to pass to the kernel.
    pub fn address(&self, offset: usize) -> *mut u8 {
        self.start.as_ptr().wrapping_add(offset)
    }

    /// The bytes of the block, to read while no I/O is in flight.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the block is mapped as long as it lives. While the kernel may write to
        // it, the worker thread holds the pool, so that nothing else can reach it.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.bytes) }
    }

    /// The bytes of the block, to fill before an I/O.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `bytes`, and the block is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.bytes) }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: this is the block's own mapping, and no reference to it is left.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

/// The physical frame numbers of a block's pages
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

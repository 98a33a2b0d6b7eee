//! Blocks of memory whose place in physical memory is known, made once and
//! used again for every case.

use super::layout::{BLOCK, PAGE};
use crate::refuse::{Refuse, refusal};
use crate::sysfs;
use halfway_protocol::io::Memory;
use halfway_protocol::message::Refusal;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mlock, mmap_anonymous, munmap};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::ptr::{NonNull, null_mut};

/// Most blocks of one kind: 32 MiB, an eighth of a small guest.
const MOST: usize = 16;

/// How often a mapping is made anew before its physical layout is given up.
const ATTEMPTS: usize = 8;

/// The blocks of both kinds.
#[derive(Default)]
pub struct Pool {
    contiguous: Vec<Block>,
    scattered: Vec<Block>,
}

impl Pool {
    /// `count` blocks of a kind.
    ///
    /// # Errors
    /// More memory than a guest has for this, or the kernel gives none that
    /// lies so.
    pub fn blocks(&mut self, memory: Memory, count: usize) -> Result<&mut [Block], Refusal> {
        let doing = || format!("finding {} MiB of {memory:?} memory", (count * BLOCK) >> 20);
        if count > MOST {
            return Err(refusal(
                doing(),
                format!("the agent keeps at most {} MiB", (MOST * BLOCK) >> 20),
            ));
        }
        let blocks = match memory {
            Memory::Contiguous => &mut self.contiguous,
            Memory::Scattered => &mut self.scattered,
        };
        // Kept until the search ends, so that they are not given out again.
        let mut unfit = Vec::new();
        while blocks.len() < count {
            let block = Block::new(memory, unfit.len()).refuse(doing)?;
            if as_wanted(memory, &frames(&block)?) {
                blocks.push(block);
                continue;
            }
            unfit.push(block);
            if unfit.len() == ATTEMPTS {
                return Err(refusal(
                    doing(),
                    "the kernel gave no pages that lie so in physical memory; contiguous memory \
                     needs transparent huge pages or a free hugetlb page",
                ));
            }
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
        let block = || vec![Block::aligned().unwrap()];
        Self {
            contiguous: block(),
            scattered: block(),
        }
    }
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

/// `BLOCK` bytes of memory.
pub struct Block(NonNull<u8>);

// SAFETY: a block is the only owner of its mapping.
unsafe impl Send for Block {}
// SAFETY: who shares a block gets its address, and its bytes to read only; the kernel
// writes to them while nobody reads.
unsafe impl Sync for Block {}

impl Block {
    fn new(memory: Memory, attempt: usize) -> std::io::Result<Self> {
        let block = match memory {
            Memory::Scattered => Self::scattered(),
            // Transparent huge pages first: they need no reservation.
            Memory::Contiguous if attempt < ATTEMPTS / 2 => Self::huge(),
            Memory::Contiguous => Self::hugetlb(),
        }?;
        block.pin()?;
        Ok(block)
    }

    /// Keeps the kernel from moving the pages: it leaves locked ones alone when
    /// it is told to (Documentation/admin-guide/sysctl/vm.rst). Kernels without
    /// compaction have no such file and move nothing.
    fn pin(&self) -> std::io::Result<()> {
        let _ = sysfs::write("/proc/sys/vm/compact_unevictable_allowed", "0");
        // SAFETY: the block's own mapping.
        unsafe { mlock(self.0.as_ptr().cast(), BLOCK) }.map_err(Into::into)
    }

    fn huge() -> std::io::Result<Self> {
        let block = Self::aligned()?;
        block.advise(Advice::LinuxHugepage);
        block.touch(0);
        Ok(block)
    }

    fn hugetlb() -> std::io::Result<Self> {
        const PAGES: &str = "/proc/sys/vm/nr_hugepages";
        let there: u64 = sysfs::number(PAGES).unwrap_or_default();
        sysfs::write(PAGES, &(there + 1).to_string())?;
        let block = Self::map(BLOCK, MapFlags::PRIVATE | MapFlags::HUGETLB)?;
        block.touch(0);
        Ok(block)
    }

    /// The kernel gives neighbouring frames to pages that are touched one after
    /// the other, so they are touched far from each other.
    fn scattered() -> std::io::Result<Self> {
        const STRIDE: usize = 8;
        let block = Self::aligned()?;
        block.advise(Advice::LinuxNoHugepage);
        for first in 0..STRIDE {
            for page in (first..BLOCK / PAGE).step_by(STRIDE) {
                block.touch(page * PAGE);
            }
        }
        Ok(block)
    }

    /// A fresh mapping at a multiple of its size.
    fn aligned() -> std::io::Result<Self> {
        let wide = Self::map(2 * BLOCK, MapFlags::PRIVATE)?;
        let start = wide.0.as_ptr();
        let before = start.align_offset(BLOCK);
        std::mem::forget(wide);
        // SAFETY: both ranges are the parts of the mapping of 2 * BLOCK bytes
        // above that lie outside of the block, and nobody knows them.
        unsafe {
            let block = start.add(before);
            if before > 0 {
                munmap(start.cast(), before)?;
            }
            munmap(block.add(BLOCK).cast(), BLOCK - before)?;
            Ok(Self(NonNull::new_unchecked(block)))
        }
    }

    fn map(bytes: usize, flags: MapFlags) -> std::io::Result<Self> {
        // SAFETY: a new anonymous mapping at an address of the kernel's choice.
        let start = unsafe {
            mmap_anonymous(null_mut(), bytes, ProtFlags::READ | ProtFlags::WRITE, flags)?
        };
        NonNull::new(start.cast())
            .map(Self)
            .ok_or_else(|| std::io::ErrorKind::OutOfMemory.into())
    }

    /// Advice may be refused (a kernel without huge pages): the frame numbers
    /// tell.
    fn advise(&self, advice: Advice) {
        // SAFETY: the block's own mapping, and advice that keeps its content.
        let _ = unsafe { madvise(self.0.as_ptr().cast(), BLOCK, advice) };
    }

    fn touch(&self, at: usize) {
        // SAFETY: `at` lies within the block, and no reference to it exists yet.
        unsafe { self.0.as_ptr().add(at).write_volatile(1) };
    }

    /// Address of the byte at `offset`, for the kernel.
    pub fn address(&self, offset: usize) -> *mut u8 {
        self.0.as_ptr().wrapping_add(offset)
    }

    /// The bytes, while no I/O is in flight.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: mapped for as long as the block lives; the pool is with the
        // worker, out of reach, while the kernel may write to it.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr(), BLOCK) }
    }

    /// The bytes, to fill before an I/O.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `bytes`, and borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_ptr(), BLOCK) }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: the block's own mapping, to which no reference is left.
        let _ = unsafe { munmap(self.0.as_ptr().cast(), BLOCK) };
    }
}

/// Physical frame numbers of a block's pages
/// (Documentation/admin-guide/mm/pagemap.rst).
fn frames(block: &Block) -> Result<Vec<u64>, Refusal> {
    const PATH: &str = "/proc/self/pagemap";
    const ENTRY: usize = 8;
    const FRAME: u64 = (1 << 55) - 1;
    let mut entries = vec![0; BLOCK / PAGE * ENTRY];
    let first = block.0.as_ptr() as usize / PAGE * ENTRY;
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
        let mut block = Block::aligned().unwrap();
        assert_eq!(block.address(0) as usize % BLOCK, 0);
        block.bytes_mut().fill(7);
        assert_eq!(block.bytes()[BLOCK - 1], 7);
    }
}

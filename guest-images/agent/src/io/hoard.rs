//! Finds physically contiguous memory among ordinary pages.
//!
//! If the kernel makes huge pages, the first chunk is contiguous already. But any kernel
//! has ordinary pages. They are collected until enough of them are adjacent in physical
//! memory, and `mremap` then puts these into one mapping.

use super::memory::{Block, frames};
use crate::refuse::{Refuse, refusal};
use crate::sysfs;
use halfway_protocol::layout::{BLOCK, PAGE};
use halfway_protocol::message::Refusal;
use rustix::mm::Advice;
use std::ops::Range;

/// Pages that are kept while contiguous ones are searched for.
pub struct Hoard {
    /// The mappings of all pages. Where a page was taken, an empty page stays in its
    /// place, so that its address is not reused.
    chunks: Vec<Block>,
    /// The frame number and address of each remaining page, sorted by frame.
    pages: Vec<(u64, *mut u8)>,
    /// How many bytes may be collected.
    limit: usize,
}

impl Hoard {
    /// An empty hoard. It may collect half of the memory that is available in the guest.
    pub fn new() -> Self {
        let limit = available().unwrap_or(BLOCK as u64) / 2;
        Self {
            chunks: Vec::new(),
            pages: Vec::new(),
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
        }
    }

    /// A block of `bytes` (whole pages) of physically contiguous memory.
    ///
    /// # Errors
    /// There is none among all pages that may be collected.
    pub fn take(&mut self, bytes: usize) -> Result<Block, Refusal> {
        let doing = || "putting pages side by side".to_owned();
        loop {
            let numbers = self.pages.iter().map(|(frame, _)| *frame);
            if let Some(run) = run(&numbers.collect::<Vec<_>>(), bytes / PAGE) {
                let block = Block::aligned(bytes).refuse(doing)?;
                let pages: Vec<_> = self.pages.drain(run).map(|(_, address)| address).collect();
                for stretch in stretches(&pages) {
                    let at = block.address(stretch.start * PAGE);
                    let length = stretch.len() * PAGE;
                    // SAFETY: the pages belong to a chunk of this hoard, and nothing has
                    // a reference to them. The destination lies in the new block.
                    unsafe { Block::put(pages[stretch.start], length, at) }.refuse(doing)?;
                }
                block.pin().refuse(doing)?;
                return Ok(block);
            }
            let hoarded: usize = self.chunks.iter().map(Block::size).sum();
            let chunk = bytes.next_multiple_of(BLOCK);
            if hoarded + chunk > self.limit {
                let hoarded = hoarded >> 20;
                let none = format!(
                    "among {hoarded} MiB of pages no {} lie in a row",
                    bytes / PAGE
                );
                return Err(refusal(doing(), none));
            }
            let chunk = Block::aligned(chunk).refuse(doing)?;
            chunk.advise(Advice::LinuxHugepage);
            chunk.touch_all();
            chunk.pin().refuse(doing)?;
            let frames = frames(&chunk)?;
            if chunk.size() == bytes && run(&frames, frames.len()).is_some() {
                return Ok(chunk);
            }
            let addresses = (0..).map(|page| chunk.address(page * PAGE));
            self.pages.extend(frames.into_iter().zip(addresses));
            self.pages.sort_unstable();
            self.chunks.push(chunk);
        }
    }
}

/// The indices of `count` consecutive frame numbers. Prefers a range that begins where a
/// huge page could. A number of 0 means that the kernel does not tell it.
fn run(numbers: &[u64], count: usize) -> Option<Range<usize>> {
    const HUGE: u64 = (BLOCK / PAGE) as u64;
    if numbers.contains(&0) {
        return None;
    }
    let mut found = None;
    let mut start = 0;
    for end in 1..=numbers.len() {
        if end - start >= count {
            let first = end - count;
            if numbers[first].is_multiple_of(HUGE) {
                return Some(first..end);
            }
            found.get_or_insert(first..end);
        }
        if end < numbers.len() && numbers[end - 1] + 1 != numbers[end] {
            start = end;
        }
    }
    found
}

/// Splits the addresses into ranges in which each page follows the one before.
fn stretches(addresses: &[*mut u8]) -> Vec<Range<usize>> {
    let mut stretches: Vec<Range<usize>> = Vec::new();
    for (index, address) in addresses.iter().enumerate() {
        match stretches.last_mut() {
            Some(last) if addresses[index - 1].wrapping_add(PAGE) == *address => last.end += 1,
            _ => stretches.push(index..index + 1),
        }
    }
    stretches
}

/// How many bytes of memory are available in the guest (`MemAvailable`).
fn available() -> Option<u64> {
    let text = sysfs::read("/proc/meminfo").ok()?;
    let mut lines = text.lines();
    let line = lines.find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::all(&[7, 8, 9], 3, Some(0..3))]
    #[case::later(&[3, 7, 8, 9], 3, Some(1..4))]
    #[case::the_last(&[3, 5, 7, 8], 2, Some(2..4))]
    #[case::a_huge_page_rather(&[510, 511, 512, 513], 2, Some(2..4))]
    #[case::broken(&[7, 8, 10], 3, None)]
    #[case::too_few(&[7, 8], 3, None)]
    #[case::none(&[], 1, None)]
    #[case::not_told(&[0, 0, 0], 1, None)]
    fn in_a_row(
        #[case] numbers: &[u64],
        #[case] count: usize,
        #[case] expected: Option<Range<usize>>,
    ) {
        assert_eq!(run(numbers, count), expected);
    }

    #[test]
    fn pages_keep_their_content_where_they_are_put() {
        let mut old = Block::aligned(BLOCK).unwrap();
        for (page, bytes) in old.bytes_mut().chunks_mut(PAGE).enumerate() {
            bytes.fill(page as u8);
        }
        let order = [5, 3, 4, 9];
        let addresses = order.map(|page| old.address(page * PAGE));
        let stretches = stretches(&addresses);
        assert_eq!(stretches, [0..1, 1..3, 3..4]);
        let new = Block::aligned(order.len() * PAGE).unwrap();
        for stretch in stretches {
            let at = new.address(stretch.start * PAGE);
            // SAFETY: both ranges lie in blocks of this test.
            unsafe { Block::put(addresses[stretch.start], stretch.len() * PAGE, at) }.unwrap();
        }
        for (bytes, page) in new.bytes().chunks(PAGE).zip(order) {
            assert!(bytes.iter().all(|byte| usize::from(*byte) == page));
        }
        // Where a page was taken, there is an empty page now.
        assert_eq!((old.bytes()[3 * PAGE], old.bytes()[6 * PAGE]), (0, 6));
    }
}

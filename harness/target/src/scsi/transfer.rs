//! Transfers blocks, and finds the first that cannot be transferred.

use serde::{Deserialize, Serialize};
use std::io;

/// Why the storage behind the unit did not carry something out.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The storage refused it, with this errno.
    #[error("the storage answered errno {0}")]
    Refused(u32),
    /// The storage is out of reach; nothing is known of the request.
    #[error("the storage is out of reach: {0}")]
    Lost(#[from] io::Error),
}

/// The bytes behind a logical unit.
pub trait Storage {
    /// Size of the storage in bytes.
    fn size(&self) -> u64;
    /// Fills `data` from byte `offset` on.
    fn read(&mut self, offset: u64, data: &mut [u8]) -> Result<(), StorageError>;
    /// Writes at byte `offset`; with `force`, onto stable storage.
    fn write(&mut self, offset: u64, data: &[u8], force: bool) -> Result<(), StorageError>;
    /// Writes zeros; with `deallocate`, the space may be released.
    fn zero(&mut self, offset: u64, bytes: u32, deallocate: bool) -> Result<(), StorageError>;
    /// Releases the space of this range, if the storage can.
    fn trim(&mut self, offset: u64, bytes: u32) -> Result<(), StorageError>;
    /// Brings everything that was written onto stable storage.
    fn flush(&mut self) -> Result<(), StorageError>;
}

/// How the first bad block is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Search {
    /// By halves: fast, and exact if a bad block stays bad.
    #[default]
    Bisect,
    /// Block by block: exact even if a rule wears off, since each block is
    /// touched once.
    Stepwise,
}

/// A transfer that was not completed.
#[derive(Debug)]
pub enum Stop {
    /// Block `good` failed. All blocks before it were transferred, and nothing
    /// behind it was touched.
    Bad {
        /// Number of good blocks, which is the index of the bad one.
        good: u32,
        /// The errno of the storage for that block.
        errno: u32,
    },
    /// The whole transfer was refused, nothing was transferred, and the place
    /// does not matter.
    Whole {
        /// The errno of the storage.
        errno: u32,
    },
    /// The storage is out of reach.
    Lost(io::Error),
}

/// Transfers `blocks` blocks with `step`, which gets a first block and a count,
/// and does all of them or none. `locate` says for an errno whether the first
/// bad block must be found.
///
/// blkdebug refuses a request before it forwards any of it, so a `step` that
/// fails has transferred nothing.
pub fn run(
    blocks: u32,
    search: Search,
    locate: impl Fn(u32) -> bool,
    mut step: impl FnMut(u32, u32) -> Result<(), StorageError>,
) -> Result<(), Stop> {
    let mut attempt = |from: u32, count: u32| match step(from, count) {
        Ok(()) => Ok(None),
        Err(StorageError::Refused(errno)) => Ok(Some(errno)),
        Err(StorageError::Lost(error)) => Err(Stop::Lost(error)),
    };
    match search {
        Search::Stepwise => {
            for good in 0..blocks {
                if let Some(errno) = attempt(good, 1)? {
                    return Err(Stop::Bad { good, errno });
                }
            }
            Ok(())
        }
        Search::Bisect => {
            let mut good = 0;
            while good < blocks {
                let Some(errno) = attempt(good, blocks - good)? else {
                    return Ok(());
                };
                if good == 0 && !locate(errno) {
                    return Err(Stop::Whole { errno });
                }
                // The blocks before `good` are transferred; [good, bad) fails.
                let mut bad = blocks;
                while bad - good > 1 {
                    let middle = good + (bad - good) / 2;
                    match attempt(good, middle - good)? {
                        None => good = middle,
                        Some(_) => bad = middle,
                    }
                }
                // Alone, the block shows its own errno, or that its rule has
                // worn off.
                match attempt(good, 1)? {
                    Some(errno) => return Err(Stop::Bad { good, errno }),
                    None => good += 1,
                }
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The blocks transferred, in order. `bad` are blocks that fail, and how
    /// often (`None`: always).
    fn moved(
        blocks: u32,
        search: Search,
        faults: &mut [(u32, Option<u32>)],
    ) -> (Vec<u32>, Option<u32>) {
        let mut moved = Vec::new();
        let stop = run(
            blocks,
            search,
            |_| true,
            |from, count| {
                for (block, times) in faults.iter_mut() {
                    if (from..from + count).contains(block) && *times != Some(0) {
                        if let Some(times) = times {
                            *times -= 1;
                        }
                        return Err(StorageError::Refused(5));
                    }
                }
                moved.extend(from..from + count);
                Ok(())
            },
        );
        let good = match stop {
            Ok(()) => None,
            Err(Stop::Bad { good, errno: 5 }) => Some(good),
            Err(stop) => panic!("{stop:?}"),
        };
        (moved, good)
    }

    proptest! {
        #[test]
        fn the_first_bad_block_is_found(
            blocks in 1u32..700,
            faults in prop::collection::vec(0u32..700, 0..4),
            stepwise: bool,
        ) {
            let search = if stepwise { Search::Stepwise } else { Search::Bisect };
            let first = faults.iter().copied().filter(|block| *block < blocks).min();
            let mut faults: Vec<_> = faults.into_iter().map(|block| (block, None)).collect();
            let (moved, good) = moved(blocks, search, &mut faults);
            prop_assert_eq!(good, first);
            let whole: Vec<u32> = (0..first.unwrap_or(blocks)).collect();
            prop_assert_eq!(moved, whole);
        }

        #[test]
        fn a_rule_that_wears_off_is_met_once_by_steps(blocks in 1u32..300, at in 0u32..300, times in 1u32..4) {
            prop_assume!(at < blocks);
            let mut faults = [(at, Some(times))];
            for left in (0..times).rev() {
                prop_assert_eq!(moved(blocks, Search::Stepwise, &mut faults).1, Some(at));
                prop_assert_eq!(faults[0].1, Some(left));
            }
            prop_assert_eq!(moved(blocks, Search::Stepwise, &mut faults).1, None);
        }

        #[test]
        fn by_halves_a_rule_may_wear_off_and_all_is_moved_once(
            blocks in 1u32..300, at in 0u32..300, times in 1u32..12,
        ) {
            let (moved, good) = moved(blocks, Search::Bisect, &mut [(at, Some(times))]);
            let whole: Vec<u32> = (0..good.unwrap_or(blocks)).collect();
            prop_assert_eq!(moved, whole);
        }
    }

    #[test]
    fn where_does_not_matter() {
        let mut attempts = 0;
        let stop = run(
            512,
            Search::Bisect,
            |_| false,
            |_, _| {
                attempts += 1;
                Err(StorageError::Refused(28))
            },
        );
        assert!(matches!(stop, Err(Stop::Whole { errno: 28 })));
        assert_eq!(attempts, 1);
    }
}

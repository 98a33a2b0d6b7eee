//! The bounds of what a scenario may ask for. scenarios/README.md lists them
//! too, so change both together.

use halfway_controllers::{Controller, Limits};
use halfway_protocol::limits as agent;
use std::ops::RangeInclusive;

/// How many legs a mirror may have.
pub const LEGS: RangeInclusive<u8> = 2..=4;

/// Most regions of a mirror: as many as a mirror of [`Limits::LEG_SECTORS`] has
/// with the smallest regions. The kernel keeps bits for each region, and the
/// guest has little memory.
pub const REGIONS: u64 = Limits::LEG_SECTORS / REGION_SECTORS as u64;

/// How many paths a nested multipath may have.
pub const PATHS: RangeInclusive<u8> = 2..=4;

/// How many checks multipathd may wait for a path; it makes one each second.
/// With fewer than the least the I/O would fail before it is seen to wait.
pub const CHECKS: RangeInclusive<u32> = 3..=20;

/// `pg_init_retries`: a number of retries (`parse_features` in
/// drivers/md/dm-mpath.c).
pub const PG_INIT_RETRIES: RangeInclusive<u32> = 1..=50;

/// `pg_init_delay_msecs`, in milliseconds (`parse_features` as well).
pub const PG_INIT_DELAY: RangeInclusive<u32> = 0..=60_000;

/// Most legs of a stack on that controller.
pub fn legs_on(controller: Controller) -> u8 {
    controller.profile().limits.disks.min(*LEGS.end())
}

/// Most 512-byte sectors of a mirror that the kernel synchronises first: 8 MiB,
/// since it does that for each case anew.
pub const SYNCED_SECTORS: u64 = 1 << 14;

/// Most 512-byte sectors of the I/O, all its requests together: 8 MiB.
pub const IO_SECTORS: u64 = (agent::IO / halfway_protocol::content::SECTOR) as u64;

/// Most requests in flight together.
pub const REQUESTS: u32 = agent::REQUESTS as u32;

/// Most threads that submit the requests of one I/O.
pub const SUBMITTERS: u32 = agent::SUBMITTERS;

/// Most requests that can be held together.
pub const HOLDS: usize = 4;

/// Most segments of one request (`UIO_MAXIOV` in include/uapi/linux/uio.h).
pub const SEGMENTS: usize = agent::SEGMENTS;

/// Smallest region in 512-byte sectors: a page (`create_log_context` in
/// drivers/md/dm-log.c).
pub const REGION_SECTORS: u32 = 8;

/// Smallest `max_sectors_kb`, in KiB: a page (`queue_max_sectors_store` in
/// block/blk-sysfs.c).
pub const MAX_SECTORS_KB: u32 = 4;

/// Smallest segment of a linear device in 512-byte sectors: a page.
pub const SEGMENT_SECTORS: u64 = 8;

/// Most segments of a linear device.
pub const LINEAR_SEGMENTS: u64 = 4096;

/// Fewest 512-byte sectors that a soak works on, so that it can do more than
/// one thing.
pub const SOAK_SECTORS: u64 = 64;

/// 512-byte sectors that a file system needs: 32 MiB. An allocation group of
/// XFS has 16 MiB, and the files that fio writes must fit.
pub const FILES_SECTORS: u64 = 1 << 16;

/// Most I/Os of a soak.
pub const SOAK_COUNT: u32 = 1_000_000;

/// Most seconds of a soak: a day.
pub const SOAK_SECONDS: u32 = 86_400;

/// Most cases that one file may expand to.
pub const CASES: usize = 1_000_000;

/// Most bytes of a scenario file.
pub const FILE_BYTES: u64 = 1 << 20;

/// Most bytes of a case's id. With `.toml` behind it, it must still be a valid
/// file name.
pub const ID_BYTES: usize = 240;

//! The bounds of what a scenario may ask for. They are told in
//! scenarios/README.md, so change them together.

use halfway_controllers::{Controller, Limits};
use halfway_protocol::limits as agent;
use std::ops::RangeInclusive;

/// How many legs a mirror may have.
pub const LEGS: RangeInclusive<u8> = 2..=4;

/// Regions of a mirror: as many as the smallest ones of [`Limits::LEG_SECTORS`] are. The
/// kernel keeps bits of each, and the guest is small.
pub const REGIONS: u64 = Limits::LEG_SECTORS / REGION_SECTORS as u64;

/// How many paths a nested multipath may have.
pub const PATHS: RangeInclusive<u8> = 2..=4;

/// How many checks multipathd, which makes one each second, may wait for a path:
/// with fewer the I/O would have failed before it is seen to wait.
pub const CHECKS: RangeInclusive<u32> = 3..=20;

/// `pg_init_retries` (`parse_features` in drivers/md/dm-mpath.c).
pub const PG_INIT_RETRIES: RangeInclusive<u32> = 1..=50;

/// `pg_init_delay_msecs` (the same).
pub const PG_INIT_DELAY: RangeInclusive<u32> = 0..=60_000;

/// Legs of a stack on that controller.
pub fn legs_on(controller: Controller) -> u8 {
    controller.profile().limits.disks.min(*LEGS.end())
}

/// Sectors of a mirror that the kernel is to synchronise first, for each case
/// anew: 8 MiB.
pub const SYNCED_SECTORS: u64 = 1 << 14;

/// Sectors of the I/O, of all its requests together: 8 MiB.
pub const IO_SECTORS: u64 = (agent::IO / halfway_protocol::content::SECTOR) as u64;

/// Requests in flight together.
pub const REQUESTS: u32 = agent::REQUESTS as u32;

/// Threads that submit the requests of one I/O.
pub const SUBMITTERS: u32 = agent::SUBMITTERS;

/// Requests that can be held together.
pub const HOLDS: usize = 4;

/// Segments of one request (`UIO_MAXIOV` in include/uapi/linux/uio.h).
pub const SEGMENTS: usize = agent::SEGMENTS;

/// Smallest region in sectors, a page (`create_log_context` in
/// drivers/md/dm-log.c).
pub const REGION_SECTORS: u32 = 8;

/// Smallest `max_sectors_kb`, a page (`queue_max_sectors_store` in
/// block/blk-sysfs.c).
pub const MAX_SECTORS_KB: u32 = 4;

/// Smallest segment of a linear device in sectors, a page.
pub const SEGMENT_SECTORS: u64 = 8;

/// Most segments of a linear device.
pub const LINEAR_SEGMENTS: u64 = 4096;

/// Sectors that a soak works on, at least: it is to do more than one thing.
pub const SOAK_SECTORS: u64 = 64;

/// Sectors that a file system needs, 32 MiB: of XFS an allocation group has 16 MiB, and
/// the files that fio writes fit.
pub const FILES_SECTORS: u64 = 1 << 16;

/// I/Os of a soak.
pub const SOAK_COUNT: u32 = 1_000_000;

/// Seconds of a soak: a day.
pub const SOAK_SECONDS: u32 = 86_400;

/// Cases that one file may expand to.
pub const CASES: usize = 1_000_000;

/// Bytes of a scenario file.
pub const FILE_BYTES: u64 = 1 << 20;

/// Bytes of a case's id: with `.toml` behind it, it is still a file name.
pub const ID_BYTES: usize = 240;

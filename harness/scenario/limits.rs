//! The bounds of what a scenario may ask for. They are told in
//! scenarios/README.md, so change them together.

use super::case::Controller;
use halfway_protocol::limits as agent;
use std::ops::RangeInclusive;

/// How many legs a mirror may have.
pub const LEGS: RangeInclusive<u8> = 2..=4;

/// Sectors that the mirror may take of a leg, offset included: 2 GiB. A
/// machine whose legs are that large can run every case that is not for large
/// ones.
pub const LEG_SECTORS: u64 = 1 << 22;

/// The same of the SCSI target of our own, whose medium is computed: 32 TiB, which
/// is beyond what 32 bits count of 4096-byte blocks.
pub const TARGET_SECTORS: u64 = 1 << 36;

/// Regions of a mirror: as many as the smallest ones of [`LEG_SECTORS`] are. The
/// kernel keeps bits of each, and the guest is small.
pub const REGIONS: u64 = LEG_SECTORS / REGION_SECTORS as u64;
/// How many disks a machine has at most, where each leg is several paths to one.
pub const DISKS: u8 = 8;

/// How many paths a nested multipath may have.
pub const PATHS: RangeInclusive<u8> = 2..=4;

/// How many checks multipathd, which makes one each second, may wait for a path:
/// with fewer the I/O would have failed before it is seen to wait.
pub const CHECKS: RangeInclusive<u32> = 3..=20;

/// `pg_init_retries` (`parse_features` in drivers/md/dm-mpath.c).
pub const PG_INIT_RETRIES: RangeInclusive<u32> = 1..=50;

/// `pg_init_delay_msecs` (the same).
pub const PG_INIT_DELAY: RangeInclusive<u32> = 0..=60_000;

/// Disks that a controller has room for, the log's not among them.
pub fn room(controller: Controller) -> u8 {
    match controller {
        // Two drives on each of two buses.
        Controller::Piix3Ide => 4,
        // Ports of ich9-ahci (hw/ide/ich.c).
        Controller::Ahci => 6,
        // A narrow bus has eight addresses, one of them the adapter's own.
        Controller::Am53c974 | Controller::Lsi53c895a => 7,
        // Eight ports, of which QEMU keeps one for a hub.
        Controller::UsbStorage | Controller::UsbUas => 7,
        Controller::Floppy => 2,
        _ => DISKS,
    }
}

/// Legs and their sectors on that controller.
pub fn of(controller: Controller) -> (u8, u64) {
    match controller {
        // Two drives (`MAX_FD` in hw/block/fdc-internal.h) of 2.88 MB.
        Controller::Floppy => (2, 5760),
        Controller::Target => (*LEGS.end(), TARGET_SECTORS),
        _ => (*LEGS.end(), LEG_SECTORS),
    }
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

/// Sectors that XFS needs, 32 MiB: an allocation group of 16 MiB, and its log.
pub const XFS_SECTORS: u64 = 1 << 16;

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

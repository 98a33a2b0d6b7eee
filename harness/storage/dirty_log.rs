//! Reads a mirror's log from its disk (`struct log_header_disk` and `disk_ctr` in
//! drivers/md/dm-log.c). The header is in the first sector. From the third sector on
//! there is a bit for each region; it is set if the region is clean.

use super::medium::{Medium, OutOfRange};
use halfway_case::observation::DirtyLog;

/// `MIRROR_MAGIC`: the number that a log begins with.
const MAGIC: u32 = 0x4D69_5272;
/// `MIRROR_DISK_VERSION`: the version of the header that the kernel writes.
const VERSION: u32 = 2;
/// `LOG_OFFSET`: where the bits begin, in bytes.
const BITS: u64 = 1024;

/// What the disk holds. Without regions if the disk holds no log.
pub fn of(medium: &Medium) -> DirtyLog {
    read(medium).unwrap_or(DirtyLog {
        regions: 0,
        clean: Vec::new(),
    })
}

fn read(medium: &Medium) -> Result<DirtyLog, OutOfRange> {
    let (mut magic, mut version, mut regions) = ([0; 4], [0; 4], [0; 8]);
    medium.read(0, &mut magic)?;
    medium.read(4, &mut version)?;
    medium.read(8, &mut regions)?;
    let is_log = u32::from_le_bytes(magic) == MAGIC && u32::from_le_bytes(version) == VERSION;
    let regions = if is_log {
        u64::from_le_bytes(regions)
    } else {
        0
    };
    // A count of regions larger than the disk comes from a damaged header.
    let bytes = regions.div_ceil(8).min(medium.size());
    let mut bits = vec![0; bytes as usize];
    medium.read(BITS, &mut bits)?;
    let is_clean = |region: &u64| bits[(region / 8) as usize] >> (region % 8) & 1 == 1;
    Ok(DirtyLog {
        regions,
        clean: (0..regions).filter(is_clean).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfway_case::observation::Member;

    fn disk() -> Medium {
        Medium::new(Member::Log, 64, 1)
    }

    #[test]
    fn the_bits_of_a_log_are_its_clean_regions() {
        let mut disk = disk();
        disk.write(0, &MAGIC.to_le_bytes()).unwrap();
        disk.write(4, &VERSION.to_le_bytes()).unwrap();
        disk.write(8, &11u64.to_le_bytes()).unwrap();
        disk.write(BITS, &[0b1000_0010, 0b1111_0101]).unwrap();
        let log = of(&disk);
        assert_eq!((log.regions, log.clean), (11, vec![1, 7, 8, 10]));
    }

    #[test]
    fn what_is_no_log_or_has_no_room_for_its_bits_counts_nothing() {
        assert_eq!(of(&disk()).regions, 0);
        let mut disk = disk();
        disk.write(0, &MAGIC.to_le_bytes()).unwrap();
        disk.write(4, &VERSION.to_le_bytes()).unwrap();
        disk.write(8, &u64::MAX.to_le_bytes()).unwrap();
        assert_eq!(of(&disk).regions, 0);
    }
}

//! The status line of the `mirror` target.

use super::super::status::{Regions, Status};

/// Parses the part of a status line behind the word `mirror`: `2 254:0 254:16
/// 128/128 1 AA 1 core` (`mirror_status` in drivers/md/dm-raid1.c).
///
/// The letters of the legs are (`device_status_char`): `A` alive, `D` a write failed, `S` a
/// resynchronisation failed, `R` a read failed, `F` a flush failed, `U` unknown. Those of a log
/// on a disk (`disk_status` in drivers/md/dm-log.c): `A` alive, `D` a read or write failed, `F` a
/// flush failed.
pub fn parse(line: &str) -> Option<Status> {
    let mut words = line.split_ascii_whitespace();
    let legs: usize = words.next()?.parse().ok()?;
    let mut words = words.skip(legs);
    let (in_sync, regions) = words.next()?.split_once('/')?;
    let groups: usize = words.next()?.parse().ok()?;
    if groups != 1 {
        return None;
    }
    let health: Vec<char> = words.next()?.chars().collect();
    let mut log = words.skip(1);
    let on_disk = log.next() == Some("disk");
    let letter = log.nth(1).and_then(|word| word.chars().next());
    (health.len() == legs).then_some(Status {
        health,
        regions: Some(Regions {
            in_sync: in_sync.parse().ok()?,
            all: regions.parse().ok()?,
        }),
        log: letter.filter(|_| on_disk),
        active_group: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("2 254:0 254:16 128/128 1 AA 1 core", 128, 128, "AA", None)]
    #[case(
        "3 254:0 254:16 254:32 127/128 1 DAA 3 disk 254:48 A",
        127,
        128,
        "DAA",
        Some('A')
    )]
    #[case(
        "2 254:0 254:16 128/128 1 AA 3 disk 254:48 F",
        128,
        128,
        "AA",
        Some('F')
    )]
    fn a_line_is_read(
        #[case] line: &str,
        #[case] in_sync: u64,
        #[case] of: u64,
        #[case] legs: &str,
        #[case] log: Option<char>,
    ) {
        let health = legs.chars().collect();
        assert_eq!(
            parse(line),
            Some(Status {
                health,
                regions: Some(Regions { in_sync, all: of }),
                log,
                active_group: None,
            })
        );
    }

    #[rstest]
    #[case("")]
    #[case("2 254:0")]
    #[case("2 254:0 254:16 128/128 1 A 1 core")]
    #[case("2 254:0 254:16 128 1 AA 1 core")]
    #[case("99999999999999999999")]
    fn anything_else_is_not(#[case] line: &str) {
        assert_eq!(parse(line), None);
    }
}

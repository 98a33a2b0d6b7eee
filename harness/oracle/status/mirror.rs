//! The status line of the `mirror` target.

/// What the status line of a `mirror` target says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorStatus {
    /// Number of regions in sync.
    pub in_sync: u64,
    /// Number of regions in all.
    pub regions: u64,
    /// One character for each leg (`device_status_char` in
    /// drivers/md/dm-raid1.c): `A` alive, `D` a write failed, `S` a
    /// resynchronisation failed, `R` a read failed, `F` a flush failed, `U`
    /// unknown.
    pub health: Vec<char>,
    /// State of a disk log (`disk_status` in drivers/md/dm-log.c): `A` alive,
    /// `D` a read or write failed, `F` a flush failed. `None` for a log in
    /// memory.
    pub log: Option<char>,
}

/// Parses the part of a status line behind the word `mirror`: `2 254:0 254:16
/// 128/128 1 AA 1 core` (`mirror_status` in drivers/md/dm-raid1.c).
pub fn parse(line: &str) -> Option<MirrorStatus> {
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
    (health.len() == legs).then_some(MirrorStatus {
        in_sync: in_sync.parse().ok()?,
        regions: regions.parse().ok()?,
        health,
        log: letter.filter(|_| on_disk),
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
            Some(MirrorStatus {
                in_sync,
                regions: of,
                health,
                log,
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

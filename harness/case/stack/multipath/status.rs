//! The status line of the `multipath` target.

use super::super::status::Status;
use std::str::FromStr;

/// Parses the part of a status line behind the word `multipath`
/// (`multipath_status` in drivers/md/dm-mpath.c), for example `2 0 0 0 2 1 A 0
/// 1 0 254:0 A 0 E 0 1 0 254:16 A 0`.
///
/// The words are: features, hardware handler, number of groups, next group; for
/// each group its state, the selector's words, number of paths, number of words
/// that the selector has for each path; for each path its device, its state,
/// its number of failures, the selector's words. A group is `A` active, `E` enabled or `D`
/// disabled; a path is `A` active or `F` failed.
pub fn parse(line: &str) -> Option<Status> {
    let mut words = Words(line.split_ascii_whitespace());
    for _ in ["features", "hardware handler"] {
        let count = words.number()?;
        words.skip(count)?;
    }
    let groups: usize = words.number()?;
    words.skip(1)?;
    let mut health = Vec::new();
    let mut active_group = None;
    for group in 0..groups {
        let state = words.character("AED")?;
        let selector = words.number()?;
        words.skip(selector)?;
        let (paths, more): (usize, usize) = (words.number()?, words.number()?);
        if state == 'A' {
            active_group = active_group.or(Some(group));
        }
        for _ in 0..paths {
            words.skip(1)?;
            health.push(words.character("AF")?);
            words.number::<u64>()?;
            words.skip(more)?;
        }
    }
    words.0.next().is_none().then_some(Status {
        health,
        regions: None,
        log: None,
        active_group,
    })
}

struct Words<'a>(std::str::SplitAsciiWhitespace<'a>);

impl Words<'_> {
    fn number<T: FromStr>(&mut self) -> Option<T> {
        self.0.next()?.parse().ok()
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        (0..count).try_for_each(|_| self.0.next().map(drop))
    }

    fn character(&mut self, of: &str) -> Option<char> {
        let word = self.0.next()?;
        let character = word.chars().next().filter(|first| of.contains(*first))?;
        (word.len() == 1).then_some(character)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::failover("2 0 0 0 2 2 E 0 1 0 254:0 F 1 A 0 1 0 254:16 A 0", "FA", Some(1))]
    #[case::multibus("2 0 0 0 1 1 A 0 2 2 8:0 A 0 0 1 8:16 F 3 0 1 ", "AF", Some(0))]
    #[case::no_path("2 0 0 0 2 1 E 0 1 1 254:0 F 1 0 E 0 1 1 254:16 F 1 0", "FF", None)]
    fn a_line_is_read(#[case] line: &str, #[case] health: &str, #[case] group: Option<usize>) {
        let status = parse(line).unwrap();
        assert_eq!(status.health.iter().collect::<String>(), health);
        assert_eq!(status.active_group, group);
    }

    #[rstest]
    #[case("")]
    #[case("2 254:0 254:16 128/128 1 AA 1 core")]
    #[case("2 0 0 0 2 1 A 0 1 0 254:0 A 0")]
    #[case("2 0 0 0 1 1 A 0 1 0 254:0 X 0")]
    #[case("2 0 0 0 1 1 A 0 1 0 254:0 A 0 more")]
    #[case("99999999999999999999")]
    fn anything_else_is_not(#[case] line: &str) {
        assert_eq!(parse(line), None);
    }
}

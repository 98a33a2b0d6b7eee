//! The shape of a case's I/O: a digest of what the journal and the trace say, without what
//! differs between two runs of the same I/O.

use halfway_case::verdict::Evidence;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Digests of a case's I/O. Two that are equal are taken for the same I/O.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Of the host's journal.
    pub journal: u64,
    /// Of the guest's tracepoints.
    pub trace: u64,
}

impl Shape {
    /// The shape of a case's I/O.
    pub fn of(evidence: &Evidence) -> Self {
        Shape {
            journal: digest(&evidence.journal),
            trace: digest(&evidence.trace),
        }
    }
}

/// Lines in any order: what runs side by side ends in any. Of a list that was cut only its
/// length counts: which lines were kept depends on their order.
fn digest(lines: &[String]) -> u64 {
    let more = lines.last().and_then(|line| {
        let more = line.strip_prefix("… and ")?.strip_suffix(" more")?;
        more.parse::<usize>().ok()
    });
    let length = lines.len() + more.map_or(0, |more| more.saturating_sub(1));
    let lines = if more.is_some() { &[] } else { lines };
    let mut devices = HashMap::new();
    let mut lines: Vec<String> = lines.iter().map(|line| named(line, &mut devices)).collect();
    lines.sort_unstable();
    let mut hasher = DefaultHasher::new();
    (length, lines).hash(&mut hasher);
    hasher.finish()
}

/// The line with a device's number, `254:16`, replaced by its place among the devices:
/// each kernel numbers them in its own way.
fn named<'a>(line: &'a str, devices: &mut HashMap<&'a str, usize>) -> String {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let mut words: Vec<String> = Vec::new();
    for word in line.split(' ') {
        let bare = word.trim_end_matches(|c: char| !c.is_ascii_digit());
        let device = bare
            .split_once(':')
            .filter(|(major, minor)| is_number(major) && is_number(minor));
        words.push(match device {
            Some(_) => {
                let next = devices.len();
                let place = *devices.entry(bare).or_insert(next);
                format!("device {place}{}", &word[bare.len()..])
            }
            None => word.to_owned(),
        });
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::the_same(&["leg 0 read 8+8 ok"], &["leg 0 read 8+8 ok"], true)]
    #[case::another_order(&["a 1", "b 2"], &["b 2", "a 1"], true)]
    #[case::other_numbers_of_devices(&["queue 253:0 R 8+8", "complete 254:16 R 8+8"],
        &["queue 252:0 R 8+8", "complete 253:16 R 8+8"], true)]
    #[case::another_device(&["queue 253:0 R", "complete 254:0 R", "complete 254:0 R"],
        &["queue 253:0 R", "complete 254:0 R", "complete 254:16 R"], false)]
    #[case::another_sector(&["leg 0 read 8+8 ok"], &["leg 0 read 16+8 ok"], false)]
    #[case::cut(&["a", "b", "… and 7 more"], &["c", "a", "… and 7 more"], true)]
    #[case::cut_elsewhere(&["a", "b", "… and 7 more"], &["a", "b", "… and 8 more"], false)]
    #[case::once_more(&["a"], &["a", "a"], false)]
    fn shapes(#[case] one: &[&str], #[case] other: &[&str], #[case] same: bool) {
        let digest_of = |lines: &[&str]| {
            let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            digest(&lines)
        };
        assert_eq!(digest_of(one) == digest_of(other), same);
    }
}

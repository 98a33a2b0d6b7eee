//! Ranges of kernel versions: `6.18`, or `>=5.10, <6.12`.

use std::cmp::Ordering;

/// Which releases of the kernel are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range(Vec<Bound>);

/// One condition, such as `>=6.12`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Bound {
    holds: Holds,
    version: Vec<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Is,
    AtLeast,
    AtMost,
    Above,
    Below,
}

impl Range {
    /// Reads conditions that must all hold, with commas between them. A version that
    /// stands alone means itself and all that begins with it: `6.18` is 6.18, 6.18.1, ….
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        text.split(',')
            .map(bound)
            .collect::<Result<_, _>>()
            .map(Range)
    }

    /// Whether a release, as `uname -r` prints it, is in the range. One that does not
    /// begin with a number is in none.
    pub fn has(&self, release: &str) -> bool {
        let version = numbers(release);
        !version.is_empty() && self.0.iter().all(|bound| bound.is_met_by(&version))
    }
}

impl Bound {
    /// Compares only as many numbers as the bound has: `<=6.1` means all of 6.1.
    fn is_met_by(&self, version: &[u64]) -> bool {
        let mut version: Vec<u64> = version.to_vec();
        version.resize(self.version.len(), 0);
        let order = version.cmp(&self.version);
        match self.holds {
            Holds::Is => order == Ordering::Equal,
            Holds::AtLeast => order != Ordering::Less,
            Holds::AtMost => order != Ordering::Greater,
            Holds::Above => order == Ordering::Greater,
            Holds::Below => order == Ordering::Less,
        }
    }
}

fn bound(text: &str) -> Result<Bound, String> {
    let text = text.trim();
    let signs = [
        (">=", Holds::AtLeast),
        ("<=", Holds::AtMost),
        (">", Holds::Above),
        ("<", Holds::Below),
    ];
    let (holds, rest) = signs
        .into_iter()
        .find_map(|(sign, holds)| Some((holds, text.strip_prefix(sign)?.trim())))
        .unwrap_or((Holds::Is, text));
    let version: Option<Vec<u64>> = rest.split('.').map(|part| part.parse().ok()).collect();
    match version {
        Some(version) => Ok(Bound { holds, version }),
        None => Err(format!("{text:?} is no version of a kernel")),
    }
}

/// The numbers that a release begins with: 6, 1, 0 of `6.1.0-56-cloud-amd64`.
fn numbers(release: &str) -> Vec<u64> {
    let end = release.find(|c: char| !c.is_ascii_digit() && c != '.');
    let version = &release[..end.unwrap_or(release.len())];
    version
        .split('.')
        .map_while(|part| part.parse().ok())
        .collect()
}

/// The range that `halfway gate --update` writes for a release: `6.18` for 6.18.15.
pub fn series(release: &str) -> Option<String> {
    match numbers(release)[..] {
        [major, minor, ..] => Some(format!("{major}.{minor}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("6.18", "6.18.15+deb13-cloud-amd64", true)]
    #[case("6.18", "6.18.0-rc1", true)]
    #[case("6.1", "6.18.15", false)]
    #[case("6.1", "6.1.0-56-cloud-amd64", true)]
    #[case(">=5.10, <6.12", "6.1.0", true)]
    #[case(">=5.10, <6.12", "5.10.0", true)]
    #[case(">=5.10, <6.12", "6.12.1", false)]
    #[case(">=5.10, <6.12", "5.9.16", false)]
    #[case("<=6.1", "6.1.55", true)]
    #[case(">6.1", "6.1.55", false)]
    #[case(">6.1", "6.2.0", true)]
    #[case("6.1.0", "6.1", true)]
    #[case(">=6", "7.3.4", true)]
    #[case(">=5", "next-20261129", false)]
    fn ranges(#[case] range: &str, #[case] release: &str, #[case] expected: bool) {
        assert_eq!(Range::parse(range).unwrap().has(release), expected);
    }

    #[rstest]
    #[case("")]
    #[case("six")]
    #[case(">=")]
    #[case("6.x")]
    #[case("6.1,")]
    #[case("6.1-cloud")]
    fn no_ranges(#[case] text: &str) {
        assert!(Range::parse(text).is_err(), "{text}");
    }

    #[test]
    fn a_release_is_of_a_series() {
        assert_eq!(series("6.18.15+deb13-amd64").as_deref(), Some("6.18"));
        assert_eq!(series("6.12.0-rc1").as_deref(), Some("6.12"));
        assert_eq!(series("next"), None);
    }
}

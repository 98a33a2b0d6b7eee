//! Which kernels are near to a release.

/// The names of kernels, the one first whose release is nearest to `release`; of those
/// that are as near, in the order given. Kernels without a series of their own are left
/// out. None if `release` is none.
pub fn nearest<'a>(
    release: &str,
    kernels: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Vec<&'a str> {
    let Some(wanted) = place(release) else {
        return Vec::new();
    };
    let mut near: Vec<(u32, &str)> = kernels
        .into_iter()
        .filter_map(|(name, series)| Some((place(series)?.abs_diff(wanted), name)))
        .collect();
    near.sort_by_key(|(distance, _)| *distance);
    near.into_iter().map(|(_, name)| name).collect()
}

/// Whether two releases are of one series.
pub fn same_series(one: &str, other: &str) -> bool {
    place(one).is_some() && place(one) == place(other)
}

/// The release that a text names where no report does: behind `Linux version`, `Linux` or
/// `kernel`.
pub fn mentioned(text: &str) -> Option<&str> {
    let words: Vec<&str> = text.split_ascii_whitespace().take(100_000).collect();
    let behind = |word: &str| {
        matches!(
            word.to_ascii_lowercase().as_str(),
            "version" | "linux" | "kernel" | "kernel:"
        )
    };
    let releases = words.windows(2).filter(|pair| behind(pair[0]));
    releases
        .map(|pair| {
            pair[1]
                .trim_start_matches('v')
                .trim_end_matches([',', '.', ';', ':', ')'])
        })
        .find(|word| {
            word.len() < 64
                && word.contains('.')
                && word.starts_with(|c: char| c.is_ascii_digit())
                && place(word).is_some()
        })
}

/// How many releases came before this one since 2.6.0 (the last of each series are
/// 2.6.39, 3.19, 4.20, 5.19 and 6.19).
fn place(release: &str) -> Option<u32> {
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(str::parse::<u32>);
    let mut next = || numbers.next()?.ok();
    let (major, minor) = (next()?, next()?);
    let minor = minor.min(99);
    Some(match major {
        0 | 1 => 0,
        2 => next().unwrap_or(0).min(39),
        3 => 40 + minor.min(19),
        4 => 60 + minor.min(20),
        5 => 81 + minor.min(19),
        6 => 101 + minor.min(19),
        later => 121 + (later - 7).min(1000) * 20 + minor,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const KERNELS: [(&str, &str); 5] = [
        ("a", "6.1"),
        ("b", "6.1"),
        ("c", "5.10"),
        ("d", "6.18"),
        ("e", "sid"),
    ];

    #[rstest]
    #[case::exact("6.18.15+deb14-amd64", &["d", "a", "b", "c"])]
    #[case::first_of_equals("6.1.0-13-amd64", &["a", "b", "c", "d"])]
    #[case::old("2.6.28-rc4", &["c", "a", "b", "d"])]
    #[case::new("7.0-rc1", &["d", "a", "b", "c"])]
    #[case::not_one("unknown", &[])]
    #[case::huge("99999999999.1", &[])]
    fn the_nearest(#[case] release: &str, #[case] expected: &[&str]) {
        assert_eq!(nearest(release, KERNELS), expected);
    }

    #[rstest]
    #[case(
        "[    0.000000] Linux version 6.18.15+deb14-amd64 (a@b)",
        Some("6.18.15+deb14-amd64")
    )]
    #[case("Seen on kernel 5.10.", Some("5.10"))]
    #[case("Seen on Linux v6.12-rc3, twice", Some("6.12-rc3"))]
    #[case("version 2 of the kernel", None)]
    #[case("", None)]
    fn releases_in_words(#[case] text: &str, #[case] expected: Option<&str>) {
        assert_eq!(mentioned(text), expected);
    }

    #[rstest]
    #[case("6.1.0-56-cloud-amd64", "6.1", true)]
    #[case("6.12.1", "6.1", false)]
    #[case("x", "x", false)]
    fn series(#[case] one: &str, #[case] other: &str, #[case] expected: bool) {
        assert_eq!(same_series(one, other), expected);
    }
}

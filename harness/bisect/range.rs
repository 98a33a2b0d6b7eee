//! The kernels to search: those between two that the user names.

use halfway_builder::{Catalogue, Entry, PackagedKernel};

/// Why two names are no range of kernels.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// The text is no name of the catalogue and no release.
    #[error("{0:?} is neither the name of a kernel nor the release of a package")]
    NotAKernel(String),
    /// The kernels have different sets of drivers.
    #[error(
        "{good} is of flavour {of_good}, and {bad} of {of_bad}: both ends must be of one flavour"
    )]
    Flavours {
        /// The good end.
        good: String,
        /// Its flavour.
        of_good: String,
        /// The bad end.
        bad: String,
        /// Its flavour.
        of_bad: String,
    },
    /// The archive has no such kernel.
    #[error("the archive has no kernel {name}{}", hint.as_ref().map(|hint| format!(" (the nearest name is {hint})")).unwrap_or_default())]
    NotThere {
        /// What the user gave.
        name: String,
        /// A release with a similar name.
        hint: Option<String>,
    },
    /// Both ends are the same kernel.
    #[error("the good and the bad kernel are the same")]
    Same,
}

/// The kernels between two ends, both included, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// At least two kernels.
    pub kernels: Vec<PackagedKernel>,
    /// Whether the first is the bad one.
    pub reversed: bool,
}

/// The flavour of both ends.
///
/// # Errors
/// An end is no kernel of a package, or they differ.
pub fn flavour(good: &str, bad: &str, catalogue: &Catalogue) -> Result<String, RangeError> {
    let [of_good, of_bad] = [entry(good, catalogue)?, entry(bad, catalogue)?];
    match of_good.flavour == of_bad.flavour {
        true => Ok(of_good.flavour),
        false => Err(RangeError::Flavours {
            good: good.to_owned(),
            of_good: of_good.flavour,
            bad: bad.to_owned(),
            of_bad: of_bad.flavour,
        }),
    }
}

/// The kernels of `all` between the two ends. `all` is in the order of versions.
///
/// # Errors
/// An end is not among them, or both are the same.
pub fn between(
    good: &str,
    bad: &str,
    catalogue: &Catalogue,
    all: Vec<PackagedKernel>,
) -> Result<Range, RangeError> {
    let good = position(good, catalogue, &all)?;
    let bad = position(bad, catalogue, &all)?;
    if good == bad {
        return Err(RangeError::Same);
    }
    let reversed = bad < good;
    let range = good.min(bad)..=good.max(bad);
    Ok(Range {
        kernels: all[range].to_vec(),
        reversed,
    })
}

fn entry(name: &str, catalogue: &Catalogue) -> Result<Entry, RangeError> {
    let entry = catalogue.get(name).cloned();
    entry
        .or_else(|| catalogue.package(name))
        .ok_or_else(|| RangeError::NotAKernel(name.to_owned()))
}

/// Where the kernel of this name is. A name of the catalogue means the newest kernel of its
/// series that can be had.
fn position(
    name: &str,
    catalogue: &Catalogue,
    all: &[PackagedKernel],
) -> Result<usize, RangeError> {
    let entry = entry(name, catalogue)?;
    let of_series = |kernel: &PackagedKernel| {
        entry.release.as_ref().is_none_or(|series| {
            (kernel.release.strip_prefix(series.as_str())).is_some_and(|rest| rest.starts_with('.'))
        })
    };
    let found = match &entry.package {
        Some(release) => all.iter().position(|kernel| kernel.release == *release),
        None => (all.iter()).rposition(|kernel| kernel.lacks.is_none() && of_series(kernel)),
    };
    found.ok_or_else(|| RangeError::NotThere {
        name: name.to_owned(),
        hint: all
            .iter()
            .map(|kernel| (common_start(&kernel.release, &entry.name), &kernel.release))
            .max_by_key(|(likeness, _)| *likeness)
            .map(|(_, release)| release.clone()),
    })
}

/// How many characters two names have in common at their beginning.
fn common_start(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn all() -> Vec<PackagedKernel> {
        [
            "6.1.0-56",
            "6.12.90+deb13",
            "6.17.13+deb13",
            "6.18.5+deb13",
            "6.18.15+deb13",
            "7.0.4+deb13",
        ]
        .map(|abi| PackagedKernel {
            release: format!("{abi}-cloud-amd64"),
            version: "1".to_owned(),
            lacks: abi.starts_with("7.0").then(|| "linux-modules".to_owned()),
        })
        .to_vec()
    }

    fn tried(good: &str, bad: &str) -> Result<(usize, bool), RangeError> {
        let catalogue = Catalogue::load();
        flavour(good, bad, &catalogue)?;
        let range = between(good, bad, &catalogue, all())?;
        Ok((range.kernels.len(), range.reversed))
    }

    #[rstest]
    #[case::names("6.1-cloud", "6.18-cloud", (5, false))]
    #[case::fixed_later("7.0.4+deb13-cloud", "6.18-cloud", (2, true))]
    #[case::releases("6.12.90+deb13-cloud-amd64", "6.17.13+deb13-cloud", (2, false))]
    fn ends_may_be_names_or_releases(
        #[case] good: &str,
        #[case] bad: &str,
        #[case] expected: (usize, bool),
    ) {
        assert_eq!(tried(good, bad).unwrap(), expected);
    }

    #[rstest]
    #[case::same("6.18-cloud", "6.18.15+deb13-cloud", "are the same")]
    #[case::gone("6.1-cloud", "6.18.6+deb13-cloud", "nearest name is 6.18.")]
    #[case::flavours("6.1-cloud", "6.12", "of one flavour")]
    #[case::a_path("6.1-cloud", "./tree", "neither")]
    #[case::series_not_there("6.1-cloud", "7.3-cloud", "no kernel 7.3-cloud")]
    fn what_is_no_range_is_refused(#[case] good: &str, #[case] bad: &str, #[case] says: &str) {
        let error = tried(good, bad).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

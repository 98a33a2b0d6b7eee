//! All kernels that the archive's package lists name, in version order. A pure function of
//! the lists.

use super::index::{self, Package};
use crate::catalogue::Entry;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// A kernel of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackagedKernel {
    /// What `uname -r` prints in it, such as "6.12.90+deb13-cloud-amd64". `--kernel` takes
    /// it.
    pub release: String,
    /// The package's version, such as "6.12.90-1".
    pub version: String,
    /// The package that the archive no longer has, without which the kernel cannot be had.
    pub lacks: Option<String>,
}

/// The kernels of this flavour, the oldest first. If the archive has several versions of
/// one release, the newest complete one is meant, as it is the one that is fetched.
pub(super) fn listing(flavour: &str, packages: &[Package]) -> Vec<PackagedKernel> {
    let any = Entry {
        name: String::new(),
        suites: Vec::new(),
        release: None,
        flavour: flavour.to_owned(),
        about: String::new(),
        package: None,
    };
    let mut kernels: BTreeMap<String, PackagedKernel> = BTreeMap::new();
    for (release, version, lacks) in index::images(&any, packages) {
        let kernel = PackagedKernel {
            release: release.to_owned(),
            version: version.to_owned(),
            lacks,
        };
        let is_better = |old: &PackagedKernel| match (&old.lacks, &kernel.lacks) {
            (Some(_), None) => true,
            (None, Some(_)) => false,
            _ => compare(&kernel.version, &old.version).is_gt(),
        };
        if kernels.get(release).is_none_or(is_better) {
            kernels.insert(kernel.release.clone(), kernel);
        }
    }
    let mut kernels: Vec<PackagedKernel> = kernels.into_values().collect();
    kernels.sort_by(|a, b| {
        compare(&a.version, &b.version).then_with(|| compare(&a.release, &b.release))
    });
    kernels
}

fn compare(a: &str, b: &str) -> Ordering {
    deb_version::compare_versions(a, b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const LISTS: &str = include_str!("testdata/Packages");

    fn listed(flavour: &str, lists: &str) -> Vec<String> {
        listing(flavour, &index::parse(lists))
            .into_iter()
            .map(|kernel| {
                let lacks = kernel.lacks.map(|lacks| format!(" lacks {lacks}"));
                let PackagedKernel {
                    release, version, ..
                } = kernel;
                format!("{release} {version}{}", lacks.unwrap_or_default())
            })
            .collect()
    }

    #[test]
    fn what_an_archive_holds() {
        let lists = ["cloud-amd64", "amd64"].map(|flavour| listed(flavour, LISTS).join("\n"));
        insta::assert_snapshot!(lists.join("\n\n"));
    }

    /// 6.9 is older than 6.12, and a backport is older than what it was made of.
    #[test]
    fn versions_are_compared_as_debian_does() {
        let stanza = |release: &str, version: &str| {
            format!("Package: linux-image-{release}-amd64\nVersion: {version}\n\n")
        };
        let lists = [
            stanza("6.12.9+deb13", "6.12.9-1"),
            stanza("6.9.0", "6.9.0-1"),
            stanza("6.12.9+deb12", "6.12.9-1~deb12u1"),
            stanza("6.12.10+deb13", "6.12.10-1"),
        ];
        let releases: Vec<String> = listed("amd64", &lists.concat())
            .iter()
            .filter_map(|line| Some(line.split_once(' ')?.0.to_owned()))
            .collect();
        let expected = ["6.9.0", "6.12.9+deb12", "6.12.9+deb13", "6.12.10+deb13"];
        assert_eq!(releases, expected.map(|abi| format!("{abi}-amd64")));
    }

    #[rstest]
    #[case::the_newest("6.1.2-2", "6.1.2-3", "6.1.2-3")]
    #[case::whatever_the_order("6.1.2-3", "6.1.2-2", "6.1.2-3")]
    fn a_release_is_there_once(#[case] one: &str, #[case] other: &str, #[case] expected: &str) {
        let stanza =
            |version| format!("Package: linux-image-6.1.0-2-amd64\nVersion: {version}\n\n");
        let lists = stanza(one) + &stanza(other);
        assert_eq!(
            listed("amd64", &lists),
            [format!("6.1.0-2-amd64 {expected}")]
        );
    }

    #[test]
    fn an_empty_or_broken_list_holds_nothing() {
        for lists in [
            "",
            "\n\n\n",
            "Package: linux-image-6.1.0-2-amd64\n",
            "<html>",
        ] {
            assert!(listed("amd64", lists).is_empty(), "{lists}");
        }
    }
}

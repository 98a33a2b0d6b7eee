//! Chooses the packages that make up the newest complete kernel of a release. A pure
//! function of the archive's package lists.

use super::{ArchiveError, Part};
use crate::catalogue::Entry;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

/// The fields of a package list's stanza that are needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    name: String,
    version: String,
    /// The dependencies. The alternatives of a dependency are entries of their own.
    depends: Vec<Atom>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Atom {
    name: String,
    /// The version of a `(= ...)`, if there is one.
    exactly: Option<String>,
}

/// The packages to fetch.
#[derive(Debug)]
pub(crate) struct Choice {
    /// What they make up: the kernel, such as "6.1.0-56-cloud-amd64".
    pub(super) what: String,
    /// The version of all packages, except for those in `versions`.
    pub(super) version: String,
    /// The names of the packages. The one with the image is first.
    pub(super) packages: Vec<String>,
    /// The versions of packages whose version differs.
    pub(super) versions: BTreeMap<String, String>,
    /// All other packages that these depend on, with a version that satisfies the
    /// dependency. An installed system has them, but a guest does not need them.
    pub(super) foreign: BTreeMap<String, String>,
    /// Why newer versions were not chosen.
    pub(super) skipped: Vec<ArchiveError>,
}

impl Choice {
    /// The version of one of the packages.
    pub(super) fn version_of(&self, package: &str) -> &str {
        self.versions.get(package).unwrap_or(&self.version)
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.what, self.version)
    }
}

const IMAGE: &str = "linux-image-";
const BINARY: &str = "linux-binary-";
const BASE: &str = "linux-base-";
const HEADERS: &str = "linux-headers-";
const KBUILD: &str = "linux-kbuild-";
const SOURCE: &str = "linux-source-";

/// A version that satisfies every `>=`.
const HIGH: &str = "99:9999";

/// Parses package lists (stanzas as in deb-control(5)), but only the kernels' packages.
pub(super) fn parse(lists: &str) -> Vec<Package> {
    parse_those(lists, |name| name.starts_with("linux-"))
}

/// Parses package lists, but only packages whose names are `wanted`.
pub(super) fn parse_those(lists: &str, wanted: impl Fn(&str) -> bool) -> Vec<Package> {
    let name = |stanza: &str| {
        let rest = stanza.trim_start().strip_prefix("Package: ")?;
        rest.lines().next().map(str::to_owned)
    };
    lists
        .split("\n\n")
        .filter(|stanza| name(stanza).is_some_and(|name| wanted(&name)))
        .filter_map(parse_stanza)
        .collect()
}

fn parse_stanza(stanza: &str) -> Option<Package> {
    let field = |name: &str| {
        stanza
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    let depends = ["Pre-Depends", "Depends"]
        .into_iter()
        .filter_map(field)
        .flat_map(|list| list.split([',', '|']))
        .filter_map(parse_atom)
        .collect();
    Some(Package {
        name: field("Package")?.to_owned(),
        version: field("Version")?.to_owned(),
        depends,
    })
}

/// Parses a dependency such as `kmod`, `linux-base (>= 4.3~)` or `python3:any`.
fn parse_atom(text: &str) -> Option<Atom> {
    let (name, constraint) = match text.split_once('(') {
        Some((name, constraint)) => (name, constraint.trim().trim_end_matches(')')),
        None => (text, ""),
    };
    let name = name.trim().split(':').next()?;
    Some(Atom {
        name: name.to_owned(),
        exactly: constraint
            .strip_prefix("= ")
            .map(|version| version.trim().to_owned()),
    })
    .filter(|atom| !atom.name.is_empty())
}

/// The newest kernel of `entry` of which all parts are in the archive.
///
/// If there is none, the error names the missing part of the newest one.
pub(super) fn choose(
    entry: &Entry,
    suites: &[String],
    packages: &[Package],
) -> Result<Choice, ArchiveError> {
    let mut images: Vec<&Package> = packages
        .iter()
        .filter(|package| is_image_of(&package.name, entry))
        .collect();
    images.sort_by(|a, b| deb_version::compare_versions(&b.version, &a.version));

    let mut skipped = Vec::new();
    for image in images {
        match complete(image, packages) {
            Ok(mut choice) => {
                choice.skipped = skipped;
                return Ok(choice);
            }
            Err(gone) => skipped.push(gone),
        }
    }
    Err(match skipped.into_iter().next() {
        Some(newest) => newest,
        None => ArchiveError::NoSuchRelease {
            suites: suites.to_vec(),
            release: (entry.package.as_ref())
                .or(entry.release.as_ref())
                .cloned()
                .unwrap_or_else(|| "any".to_owned()),
            flavour: entry.flavour.clone(),
        },
    })
}

/// Every image of `entry`, as its release and version, with the package that is missing if
/// it is not complete.
pub(super) fn images<'a>(
    entry: &'a Entry,
    packages: &'a [Package],
) -> impl Iterator<Item = (&'a str, &'a str, Option<String>)> {
    packages.iter().filter_map(|package| {
        let release = package.name.strip_prefix(IMAGE)?;
        is_image_of(&package.name, entry).then(|| {
            let lacks = match complete(package, packages) {
                Err(ArchiveError::Gone { package, .. }) => Some(package),
                _ => None,
            };
            (release, package.version.as_str(), lacks)
        })
    })
}

/// Whether a package is an image of the entry's release and flavour, such as
/// `linux-image-6.1.0-56-cloud-amd64`. Meta packages, unsigned images and flavours whose
/// names only end alike are not.
fn is_image_of(name: &str, entry: &Entry) -> bool {
    if let Some(package) = &entry.package {
        return name.strip_prefix(IMAGE) == Some(package.as_str());
    }
    let Some(abi) = name
        .strip_prefix(IMAGE)
        .and_then(|rest| rest.strip_suffix(entry.flavour.as_str())?.strip_suffix('-'))
    else {
        return false;
    };
    let of_release = match &entry.release {
        Some(release) => abi
            .strip_prefix(release.as_str())
            .is_some_and(|rest| rest.starts_with('.')),
        // A meta package is called after a series, such as 6.12.
        None => abi.matches('.').count() >= 2,
    };
    let digits = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
    of_release && abi.split('-').all(digits)
}

/// The image, with all packages of the same kernel that it needs.
fn complete(image: &Package, packages: &[Package]) -> Result<Choice, ArchiveError> {
    let kernel = image.name.trim_start_matches(IMAGE);
    let mut choice = Choice {
        what: kernel.to_owned(),
        version: image.version.clone(),
        packages: vec![image.name.clone()],
        versions: BTreeMap::new(),
        foreign: BTreeMap::new(),
        skipped: Vec::new(),
    };
    let holds_all = !image
        .depends
        .iter()
        .any(|atom| atom.name.starts_with(BINARY));
    let mut queue = vec![image];
    while let Some(package) = queue.pop() {
        for atom in &package.depends {
            let version = atom.exactly.as_deref();
            let is_part = atom.name.starts_with("linux-") && atom.name.ends_with(kernel);
            if !is_part {
                let version = version.unwrap_or(HIGH).to_owned();
                choice.foreign.insert(atom.name.clone(), version);
                continue;
            }
            if choice.packages.contains(&atom.name) {
                continue;
            }
            let version = version.unwrap_or(&image.version);
            let part = packages
                .iter()
                .find(|p| p.name == atom.name && p.version == version);
            match part {
                Some(part) => {
                    choice.packages.push(part.name.clone());
                    queue.push(part);
                }
                // In 6.18 this package has only documentation. In later kernels it has
                // modules.builtin.
                None if holds_all && atom.name.starts_with(BASE) => {
                    choice.foreign.insert(atom.name.clone(), version.to_owned());
                }
                None => {
                    return Err(ArchiveError::Gone {
                        package: format!("{} ({version})", atom.name),
                        version: format!("{kernel} ({})", image.version),
                    });
                }
            }
        }
    }
    Ok(choice)
}

/// The packages that modules for exactly the kernel `origin` (as a [`Choice`] prints it)
/// are built with: `linux-headers-KERNEL` with its parts, and `linux-source-SERIES`, all
/// of the kernel's version.
///
/// The programs for the kernel's makefile may be newer, and the earliest version that is
/// not older is taken, as the headers' own dependency allows. A new version of these
/// programs replaces the old one in the archive before the signed kernel arrives. The
/// compiler is the host's.
pub(super) fn build_inputs(
    origin: &str,
    parts: &[Part],
    packages: &[Package],
) -> Result<Choice, ArchiveError> {
    let not_a_package = || ArchiveError::NotAPackage {
        origin: origin.to_owned(),
    };
    let (kernel, version) = origin
        .strip_suffix(')')
        .and_then(|text| text.split_once(" ("))
        .ok_or_else(not_a_package)?;
    let series: Vec<&str> = kernel.split('.').take(2).collect();
    let mut choice = Choice {
        what: format!("what builds modules of {kernel}"),
        version: version.to_owned(),
        packages: Vec::new(),
        versions: BTreeMap::new(),
        foreign: BTreeMap::new(),
        skipped: Vec::new(),
    };
    let package = |part: &Part| match part {
        Part::Headers => format!("{HEADERS}{kernel}"),
        Part::Source => format!("{SOURCE}{}", series.join(".")),
    };
    let mut queue: Vec<String> = parts.iter().map(package).collect();
    while let Some(name) = queue.pop() {
        if choice.packages.contains(&name) {
            continue;
        }
        let suits = |package: &&Package| {
            package.name == name
                && match deb_version::compare_versions(&package.version, version) {
                    Ordering::Less => false,
                    Ordering::Equal => true,
                    Ordering::Greater => name.starts_with(KBUILD),
                }
        };
        let package = packages
            .iter()
            .filter(suits)
            .min_by(|a, b| deb_version::compare_versions(&a.version, &b.version))
            .ok_or_else(|| ArchiveError::Gone {
                package: format!("{name} ({version})"),
                version: format!("what modules of {origin} are built with"),
            })?;
        for atom in &package.depends {
            if atom.name.starts_with(HEADERS) || atom.name.starts_with(KBUILD) {
                queue.push(atom.name.clone());
            } else {
                let version = atom.exactly.as_deref().unwrap_or(HIGH).to_owned();
                choice.foreign.insert(atom.name.clone(), version);
            }
        }
        if package.version != version {
            (choice.versions).insert(name.clone(), package.version.clone());
        }
        choice.packages.push(name);
    }
    Ok(choice)
}

/// The packages that `apt-get --simulate install` would install, from lines such as `Inst
/// make (4.4.1-2 Debian:13.8/stable [amd64])`.
pub(super) fn simulated(names: &[String], said: &str) -> Choice {
    let installed = said.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("Inst ")?.split_once(' ')?;
        let (_, rest) = rest.split_once('(')?;
        Some((name.to_owned(), rest.split(' ').next()?.to_owned()))
    });
    let versions: BTreeMap<String, String> = installed.collect();
    Choice {
        what: names.join(", "),
        version: "with all that they need".to_owned(),
        packages: versions.keys().cloned().collect(),
        versions,
        foreign: BTreeMap::new(),
        skipped: Vec::new(),
    }
}

/// Whether a package holds libraries, by Debian's naming policy (8.1).
pub(super) fn is_library(name: &str) -> bool {
    name.starts_with("lib") || name == "zlib1g"
}

/// The newest versions of these packages, and all libraries that they depend on, directly
/// or indirectly. Other dependencies are left out, because a guest has no other packages.
pub(super) fn with_libraries(
    names: &[String],
    packages: &[Package],
) -> Result<Choice, ArchiveError> {
    let newest = |name: &str| {
        let of_name = packages.iter().filter(|package| package.name == name);
        of_name.max_by(|a, b| deb_version::compare_versions(&a.version, &b.version))
    };
    let mut choice = Choice {
        what: names.join(", "),
        version: "newest".to_owned(),
        packages: Vec::new(),
        versions: BTreeMap::new(),
        foreign: BTreeMap::new(),
        skipped: Vec::new(),
    };
    let mut queue: Vec<&Package> = Vec::new();
    for name in names {
        queue.push(newest(name).ok_or_else(|| ArchiveError::NoSuchPackage {
            package: name.clone(),
        })?);
    }
    while let Some(package) = queue.pop() {
        if choice.versions.contains_key(&package.name) {
            continue;
        }
        choice.packages.push(package.name.clone());
        let version = package.version.clone();
        choice.versions.insert(package.name.clone(), version);
        for atom in &package.depends {
            match newest(&atom.name).filter(|found| is_library(&found.name)) {
                Some(library) => queue.push(library),
                None => {
                    let version = atom.exactly.as_deref().unwrap_or(HIGH).to_owned();
                    choice.foreign.insert(atom.name.clone(), version);
                }
            }
        }
    }
    choice
        .foreign
        .retain(|name, _| !choice.versions.contains_key(name));
    Ok(choice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;
    use rstest::rstest;

    /// Stanzas as in the archive, without the fields that are not needed.
    const LISTS: &str = include_str!("testdata/Packages");

    fn entry(name: &str) -> Entry {
        let series = name.trim_end_matches("-cloud");
        Entry {
            name: name.to_owned(),
            suites: vec!["suite".to_owned()],
            release: (series != "sid").then(|| series.to_owned()),
            flavour: match name.ends_with("-cloud") {
                true => "cloud-amd64".to_owned(),
                false => "amd64".to_owned(),
            },
            about: String::new(),
            package: None,
        }
    }

    fn chosen(name: &str) -> Result<Choice, ArchiveError> {
        let entry = entry(name);
        choose(&entry, &entry.suites, &parse(LISTS))
    }

    #[rstest]
    #[case::newest_of_all_suites("6.1-cloud", "6.1.0-56-cloud-amd64 (6.1.192-2)", 1)]
    #[case::other_flavours_end_alike("6.1", "6.1.0-56-amd64 (6.1.192-2)", 1)]
    #[case::not_the_meta_package("6.12-cloud", "6.12.107+deb13-cloud-amd64 (6.12.107-1)", 1)]
    #[case::four_packages("7.3-cloud", "7.3.4+deb13-cloud-amd64 (7.3.4-1~bpo13+1)", 4)]
    #[case::any_release("sid-cloud", "7.3.4+deb13-cloud-amd64 (7.3.4-1~bpo13+1)", 4)]
    fn the_newest(#[case] name: &str, #[case] version: &str, #[case] packages: usize) {
        let choice = chosen(name).unwrap();
        assert_eq!(choice.to_string(), version);
        assert_eq!(choice.packages.len(), packages, "{:?}", choice.packages);
        assert!(choice.skipped.is_empty());
    }

    #[test]
    fn what_apt_would_install_is_read() {
        let said = "Inst libacl1 (2.3.2-2+b1 Debian:13.8/stable [amd64])\n\
                    Inst libc6 (2.41-12 Debian:13.8/stable [amd64]) []\n\
                    Inst libattr1 (1:2.5.2-3 Debian:13.8/stable [amd64])\n\
                    Conf libc6 (2.41-12 Debian:13.8/stable [amd64])\n";
        let choice = simulated(&["make".to_owned()], said);
        assert_eq!(choice.packages, ["libacl1", "libattr1", "libc6"]);
        assert_eq!(choice.version_of("libattr1"), "1:2.5.2-3");
    }

    #[test]
    fn what_a_guest_does_not_need_is_told_apart() {
        let foreign = chosen("7.3-cloud").unwrap().foreign;
        let expected = [
            "dracut",
            "initramfs-tools",
            "kmod",
            "linux-base",
            "linux-initramfs-tool",
        ];
        assert!(foreign.keys().eq(&expected), "{foreign:?}");
    }

    #[test]
    fn documentation_that_is_gone_does_not_matter() {
        let choice = chosen("6.18-cloud").unwrap();
        assert_eq!(choice.packages, ["linux-image-6.18.15+deb13-cloud-amd64"]);
        let base = &choice.foreign["linux-base-6.18.15+deb13-cloud-amd64"];
        assert_eq!(base, "6.18.15-1~bpo13+1", "the image insists on it");
    }

    #[test]
    fn an_older_version_serves_where_the_newest_is_incomplete() {
        let choice = chosen("7.2-cloud").unwrap();
        assert_eq!(
            choice.to_string(),
            "7.2.11+deb13-cloud-amd64 (7.2.11-1~bpo13+1)"
        );
        assert_eq!(choice.skipped.len(), 1);
    }

    #[test]
    fn what_is_gone_is_named() {
        let gone = chosen("7.1-cloud").unwrap_err().to_string();
        assert_eq!(
            gone,
            "the archive no longer has linux-modules-7.1.13+deb13-cloud-amd64 (7.1.13-1~bpo13+1), \
             without which 7.1.13+deb13-cloud-amd64 (7.1.13-1~bpo13+1) is not complete"
        );
        let none = chosen("6.15-cloud").unwrap_err().to_string();
        assert_eq!(
            none,
            "no suite of suite has a linux-image package of 6.15 cloud-amd64"
        );
    }

    #[test]
    fn the_catalogue_tells_its_flavours_apart() {
        let catalogue = Catalogue::load();
        let plain = catalogue.get("6.1").unwrap();
        for (name, expected) in [
            ("linux-image-6.1.0-56-amd64", true),
            ("linux-image-6.1.0-0.deb11.52-amd64", true),
            ("linux-image-6.1.0-56-cloud-amd64", false),
            ("linux-image-6.1.0-56-rt-amd64", false),
            ("linux-image-6.1.0-56-amd64-unsigned", false),
            ("linux-image-6.1-amd64", false),
            ("linux-image-6.12.107+deb13-amd64", false),
            ("linux-image-amd64", false),
        ] {
            assert_eq!(is_image_of(name, plain), expected, "{name}");
        }
    }

    /// Stanzas of the packages that modules are built with, without the fields that are
    /// not needed.
    const BUILD: &str = "\
Package: linux-headers-6.1.0-56-cloud-amd64
Version: 6.1.192-2
Depends: linux-headers-6.1.0-56-common (= 6.1.192-2), linux-kbuild-6.1 (>= 6.1.192-2), linux-compiler-gcc-12-x86

Package: linux-headers-6.1.0-56-common
Version: 6.1.192-2

Package: linux-kbuild-6.1
Version: 6.1.190-1
Depends: libc6 (>= 2.34)

Package: linux-kbuild-6.1
Version: 6.1.192-2
Depends: libc6 (>= 2.34), libelf1 (>= 0.142)

Package: linux-source-6.1
Version: 6.1.192-2
Depends: binutils, xz-utils
";

    const ORIGIN: &str = "6.1.0-56-cloud-amd64 (6.1.192-2)";

    const BOTH: [Part; 2] = [Part::Headers, Part::Source];

    #[test]
    fn modules_of_our_own_need_no_source() {
        let choice = build_inputs(ORIGIN, &[Part::Headers], &parse(BUILD)).unwrap();
        let of_source = |name: &String| name.starts_with(SOURCE);
        assert!(!choice.packages.iter().any(of_source));
        assert_eq!(choice.packages.len(), 3);
    }

    #[test]
    fn modules_are_built_with_the_kernels_own_version() {
        let packages = parse(BUILD);
        let choice = build_inputs(ORIGIN, &BOTH, &packages).unwrap();
        let mut names = choice.packages.clone();
        names.sort();
        assert_eq!(
            names,
            [
                "linux-headers-6.1.0-56-cloud-amd64",
                "linux-headers-6.1.0-56-common",
                "linux-kbuild-6.1",
                "linux-source-6.1"
            ]
        );
        assert_eq!(choice.version, "6.1.192-2");
        let foreign: Vec<_> = choice.foreign.keys().map(String::as_str).collect();
        assert_eq!(
            foreign,
            [
                "binutils",
                "libc6",
                "libelf1",
                "linux-compiler-gcc-12-x86",
                "xz-utils"
            ]
        );
    }

    #[test]
    fn the_makefiles_programs_may_be_newer() {
        let mut packages = parse(BUILD);
        let mut newer = ["6.1.193-1", "6.1.192-3"].into_iter();
        for package in &mut packages {
            if package.name.starts_with(KBUILD) {
                package.version = newer.next().unwrap().to_owned();
            }
        }
        let choice = build_inputs(ORIGIN, &BOTH, &packages).unwrap();
        assert_eq!(choice.version_of("linux-kbuild-6.1"), "6.1.192-3");
        assert_eq!(choice.version_of("linux-source-6.1"), "6.1.192-2");
    }

    #[rstest]
    #[case::older(
        "6.1.0-56-cloud-amd64 (6.1.190-1)",
        "no longer has linux-source-6.1 (6.1.190-1)"
    )]
    #[case::a_file("/boot/vmlinuz", "is no package's kernel")]
    fn no_other_version_will_do(#[case] origin: &str, #[case] expected: &str) {
        let error = build_inputs(origin, &BOTH, &parse(BUILD))
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{error}");
    }

    /// Stanzas of a program and its libraries, without the fields that are not needed.
    const PROGRAMS: &str = "\
Package: fio
Version: 3.33-3
Depends: libaio1 (>= 0.3.93), zlib1g (>= 1:1.2.0) | other, python3:any

Package: libaio1
Version: 0.3.112-1
Depends: libc6 (>= 2.34)

Package: libaio1
Version: 0.3.113-4
Depends: libc6 (>= 2.34)

Package: zlib1g
Version: 1:1.2.13

Package: libc6
Version: 2.36-9
Depends: libgcc-s1

Package: libgcc-s1
Version: 12.2
Depends: libc6, gcc-12-base (= 12.2)
";

    #[test]
    fn a_program_comes_with_the_newest_of_its_libraries() {
        let packages = parse_those(PROGRAMS, |name| name == "fio" || is_library(name));
        assert_eq!(packages.len(), 6);
        let choice = with_libraries(&["fio".to_owned()], &packages).unwrap();
        let versions: Vec<_> = (choice.versions.iter())
            .map(|(name, version)| format!("{name} {version}"))
            .collect();
        assert_eq!(
            versions,
            [
                "fio 3.33-3",
                "libaio1 0.3.113-4",
                "libc6 2.36-9",
                "libgcc-s1 12.2",
                "zlib1g 1:1.2.13"
            ]
        );
        assert_eq!(choice.version_of("zlib1g"), "1:1.2.13");
        let foreign: Vec<_> = choice.foreign.keys().map(String::as_str).collect();
        assert_eq!(foreign, ["gcc-12-base", "other", "python3"]);
        assert_eq!(choice.foreign["gcc-12-base"], "12.2");
    }

    #[test]
    fn a_package_that_is_not_there_is_named() {
        let error = with_libraries(&["fio2".to_owned()], &parse_those(PROGRAMS, |_| true));
        let error = error.unwrap_err().to_string();
        assert!(error.contains("fio2"), "{error}");
    }
}

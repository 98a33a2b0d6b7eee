//! The named kernels, from `guest-images/kernels.toml`.

use serde::Deserialize;

/// A kernel with a name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The name that the user gives, such as "6.1-cloud".
    pub name: String,
    /// The Debian suites to search. The newest complete version of all is taken.
    pub suites: Vec<String>,
    /// The upstream release series, such as "6.1". Any series if absent.
    #[serde(default)]
    pub release: Option<String>,
    /// The end of the package's name: "cloud-amd64" or "amd64".
    pub flavour: String,
    /// The exact release of one package, as `uname -r` prints it. The newest of the
    /// series if absent, as it is in the file.
    #[serde(skip)]
    pub package: Option<String>,
    /// A description in one line.
    pub about: String,
}

/// The flavours of Debian's kernels that a guest can use. One that ends like another
/// comes first.
const FLAVOURS: [&str; 2] = ["cloud-amd64", "amd64"];

/// All named kernels.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    #[serde(rename = "kernel")]
    entries: Vec<Entry>,
}

impl Catalogue {
    /// Loads the catalogue that is built into the program.
    pub fn load() -> Self {
        toml::from_str(include_str!("../../kernels.toml"))
            .expect("the manifest is checked by this crate's tests")
    }

    /// All entries in the order of the file. The default is first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The kernel that is used if the user names none.
    pub fn default_entry(&self) -> &Entry {
        &self.entries[0]
    }

    /// The entry with this name.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// The kernel of one package. `release` is what `uname -r` prints in it, which is its
    /// package's name without `linux-image-`: "6.12.90+deb13-cloud-amd64". The
    /// architecture at its end may be left out.
    ///
    /// `None` if the text has another form. Whether the archive has such a package is not
    /// known yet.
    pub fn package(&self, release: &str) -> Option<Entry> {
        let release = match release {
            text if text.ends_with("-amd64") => text.to_owned(),
            text => format!("{text}-amd64"),
        };
        let (abi, flavour) = FLAVOURS.iter().find_map(|flavour| {
            let abi = release.strip_suffix(flavour)?.strip_suffix('-')?;
            Some((abi, *flavour))
        })?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || ".+~-".contains(c);
        let is_number = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
        // A series such as 6.1 is no release.
        let parts: Vec<&str> = abi.split('.').take(3).collect();
        let is_release = parts.len() == 3 && parts.into_iter().all(is_number);
        (is_release && abi.chars().all(allowed)).then(|| Entry {
            name: release.clone(),
            suites: self.suites(),
            release: None,
            flavour: flavour.to_owned(),
            about: String::new(),
            package: Some(release.clone()),
        })
    }

    /// Every suite that some kernel is searched in.
    pub fn suites(&self) -> Vec<String> {
        let mut suites: Vec<String> = Vec::new();
        for suite in self.entries.iter().flat_map(|entry| &entry.suites) {
            if !suites.contains(suite) {
                suites.push(suite.clone());
            }
        }
        suites
    }

    /// The entry whose name is closest to a mistyped one, if one is close.
    pub fn nearest(&self, name: &str) -> Option<&Entry> {
        self.entries
            .iter()
            .map(|entry| (strsim::jaro_winkler(&entry.name, name), entry))
            .filter(|(likeness, _)| *likeness > 0.8)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, entry)| entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::collections::BTreeSet;

    #[test]
    fn the_manifest_holds_together() {
        let catalogue = Catalogue::load();
        assert_eq!(catalogue.default_entry().name, "6.1-cloud");
        let mut names = BTreeSet::new();
        for entry in catalogue.entries() {
            let name = &entry.name;
            assert!(names.insert(name), "{name} is there twice");
            assert!(!entry.suites.is_empty(), "{name} has no suite");
            assert!(!entry.about.is_empty(), "{name} has no description");
            assert!(
                ["amd64", "cloud-amd64"].contains(&entry.flavour.as_str()),
                "{name} has an unknown flavour"
            );
            let series = entry.release.as_deref().unwrap_or("sid");
            let suffix = entry.flavour.strip_suffix("amd64").unwrap();
            // A backport is the same release for an older Debian, built by that Debian's
            // compiler.
            let older = match entry
                .suites
                .iter()
                .all(|suite| suite == "bookworm-backports")
            {
                true => "bpo-",
                false => "",
            };
            let expected = format!("{series}-{older}{suffix}");
            assert_eq!(
                *name,
                expected.trim_end_matches('-'),
                "a name says release and flavour"
            );
            assert!(!name.contains('/') && name != "host", "{name} is ambiguous");
        }
    }

    #[rstest]
    #[case("6.12.90+deb13-cloud-amd64", Some("cloud-amd64"))]
    #[case("6.12.90+deb13-cloud", Some("cloud-amd64"))]
    #[case("6.1.0-56-amd64", Some("amd64"))]
    #[case("6.1.0-56", Some("amd64"))]
    #[case("6.1.0-0.deb11.48-cloud-amd64", Some("cloud-amd64"))]
    #[case::a_series("6.1-cloud", None)]
    #[case::a_path("../6.1.0-56-cloud-amd64", None)]
    #[case::an_option("-o6.1.0-amd64", None)]
    #[case::spaces("6.1.0 -cloud-amd64", None)]
    #[case::nothing("", None)]
    fn a_package_has_a_name(#[case] text: &str, #[case] flavour: Option<&str>) {
        let entry = Catalogue::load().package(text);
        assert_eq!(entry.as_ref().map(|entry| entry.flavour.as_str()), flavour);
        assert!(entry.is_none_or(|entry| entry.name.ends_with("amd64")));
    }

    #[test]
    fn a_slip_of_the_finger_has_a_neighbour() {
        let catalogue = Catalogue::load();
        assert_eq!(catalogue.nearest("6.1-clod").unwrap().name, "6.1-cloud");
        assert_eq!(catalogue.nearest("windows"), None);
    }
}

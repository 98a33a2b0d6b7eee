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
    /// A description in one line.
    pub about: String,
}

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

    #[test]
    fn a_slip_of_the_finger_has_a_neighbour() {
        let catalogue = Catalogue::load();
        assert_eq!(catalogue.nearest("6.1-clod").unwrap().name, "6.1-cloud");
        assert_eq!(catalogue.nearest("windows"), None);
    }
}

//! Which kernels a report is tried on.

use halfway_builder::Catalogue;
use halfway_crash::Report;
use halfway_reach::{mentioned, nearest, same_series};

/// How many kernels are tried to be had until one can be.
const TRIES: usize = 3;

/// The kernels that are tried, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernels {
    /// Their names. `None` is the default one.
    pub names: Vec<Option<String>>,
    /// Whether all of them are meant, and not the first that can be had.
    pub all: bool,
    /// Why these.
    pub why: String,
}

impl Kernels {
    /// Those that the user names, else those that are nearest to the report's. A control
    /// is built for the default one.
    pub fn of(asked: &[String], control: bool, text: &str, reports: &[Report]) -> Self {
        if !asked.is_empty() {
            return Kernels {
                names: asked.iter().cloned().map(Some).collect(),
                all: true,
                why: "as asked for".to_owned(),
            };
        }
        let of_report = reports.iter().find_map(|one| one.facts.release.as_deref());
        let release = of_report.or_else(|| mentioned(text));
        let default = |why: String| Kernels {
            names: vec![None],
            all: false,
            why,
        };
        if control {
            return default("controls are made for it".to_owned());
        }
        let Some(release) = release else {
            return default("the report names no kernel".to_owned());
        };
        let catalogue = Catalogue::load();
        let series = |name: &str| {
            let entry = catalogue.get(name)?;
            entry.release.as_deref()
        };
        let known = (catalogue.entries().iter())
            .filter_map(|entry| Some((&*entry.name, entry.release.as_deref()?)));
        let near = nearest(release, known);
        let why = match near.first().and_then(|name| series(name)) {
            Some(series) if same_series(series, release) => format!("of the series of {release}"),
            Some(_) => format!("the nearest to {release}, which cannot be had as a package"),
            None => return default(format!("{release} is no release")),
        };
        let names = near.into_iter().take(TRIES);
        Kernels {
            names: names.map(|name| Some(name.to_owned())).collect(),
            all: false,
            why,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::asked(&["7.3", "host"], false, "", &["7.3", "host"], "as asked for")]
    #[case::series(&[], false, "Linux version 6.18.15+deb14", &["6.18-cloud"], "of the series of 6.18.15+deb14")]
    #[case::near(&[], false, "Linux version 2.6.28", &["5.10-cloud"], "the nearest to 2.6.28, which cannot be had as a package")]
    #[case::control(&[], true, "Linux version 6.18.15", &["-"], "controls are made for it")]
    #[case::none(&[], false, "It hangs.", &["-"], "the report names no kernel")]
    fn which(
        #[case] asked: &[&str],
        #[case] control: bool,
        #[case] text: &str,
        #[case] first: &[&str],
        #[case] why: &str,
    ) {
        let asked: Vec<String> = asked.iter().map(|&name| name.to_owned()).collect();
        let kernels = Kernels::of(&asked, control, text, &[]);
        let names: Vec<&str> = (kernels.names.iter())
            .map(|name| name.as_deref().unwrap_or("-"))
            .collect();
        assert_eq!(names[..first.len()], *first);
        assert_eq!(kernels.why, why);
    }
}

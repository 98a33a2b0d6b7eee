//! Records that cannot be held against each other or against a baseline.

use crate::results::Ran;
use miette::Diagnostic;
use std::collections::HashMap;
use thiserror::Error;

/// Why nothing can be said of these records.
#[derive(Debug, Error, Diagnostic)]
pub enum Unusable {
    /// One record is about several kernels.
    #[error("the record {path} is about several kernels: {releases}")]
    #[diagnostic(help("record each kernel for itself: a failure would not say whose it is"))]
    Kernels {
        /// The record.
        path: String,
        /// The kernels' releases.
        releases: String,
    },
    /// The same name stands for different scenarios.
    #[error("{first} and {second} were made from different catalogues: `{scenario}` is not the same in both{}", others(*more))]
    #[diagnostic(help(
        "their cases have the same ids and are different cases: record one of them again"
    ))]
    Catalogues {
        /// A record.
        first: String,
        /// The other one.
        second: String,
        /// A scenario that differs.
        scenario: String,
        /// How many more differ.
        more: usize,
    },
}

fn others(more: usize) -> String {
    match more {
        0 => String::new(),
        1 => ", nor is another one".to_owned(),
        more => format!(", nor are {more} others"),
    }
}

/// Checks that each record is about one kernel, and that the same scenario has the same
/// text in all of them.
///
/// # Errors
/// One is not, or it has not.
pub fn usable<'a>(runs: impl IntoIterator<Item = &'a Ran>) -> Result<(), Unusable> {
    let mut scenarios: HashMap<&str, (&str, &Ran)> = HashMap::new();
    for run in runs {
        if run.releases.len() > 1 {
            return Err(Unusable::Kernels {
                path: run.path.clone(),
                releases: run.releases.join(", "),
            });
        }
        let mut differing: Option<(&str, &Ran)> = None;
        let mut more = 0;
        for file in &run.manifest.scenarios {
            let (text, first) = scenarios.entry(&file.name).or_insert((&file.text, run));
            if *text != file.text {
                match differing {
                    None => differing = Some((&file.name, first)),
                    Some(_) => more += 1,
                }
            }
        }
        if let Some((scenario, first)) = differing {
            return Err(Unusable::Catalogues {
                first: first.path.clone(),
                second: run.path.clone(),
                scenario: scenario.to_owned(),
                more,
            });
        }
    }
    Ok(())
}

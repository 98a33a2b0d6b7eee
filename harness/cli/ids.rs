//! Which cases a user names by id: `--list FILE`, `--exclude REGEX|@FILE`.

use super::CliError;
use crate::report::lines::count;
use miette::Diagnostic;
use regex::Regex;
use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// What `--exclude` leaves out.
#[derive(Clone, Debug)]
pub enum Exclude {
    /// The cases whose id matches.
    Matching(Regex),
    /// The cases whose ids are in this file.
    Listed(PathBuf),
}

impl std::str::FromStr for Exclude {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix('@') {
            Some("") => Err("`@` is followed by the name of a file".to_owned()),
            Some(file) => Ok(Exclude::Listed(file.into())),
            None => Regex::new(text)
                .map(Exclude::Matching)
                .map_err(|error| error.to_string()),
        }
    }
}

/// Why a list of cases cannot be used.
#[derive(Debug, Error, Diagnostic)]
pub enum IdsError {
    /// The file cannot be read.
    #[error("failed to read the list of cases {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// No case is in it.
    #[error("the list {} names no case", path.display())]
    #[diagnostic(help("it has the id of a case in each line; what follows a `#` is a comment"))]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// It names cases that are not there.
    #[error("nothing was started: {} of the list {} in none of the scenarios, such as {first:?}",
        count(*number, "id"), if *number == 1 { "is" } else { "are" })]
    #[diagnostic(help(
        "`halfway list --full` prints all ids; name the paths of all scenarios that the list is about"
    ))]
    Unknown {
        /// How many there are.
        number: u64,
        /// One of them.
        first: String,
    },
}

impl From<IdsError> for CliError {
    fn from(error: IdsError) -> Self {
        CliError::usage(error)
    }
}

/// Reads a list of ids.
///
/// # Errors
/// It cannot be read, or names no case.
pub fn read(path: &Path) -> Result<Vec<String>, IdsError> {
    let text = std::fs::read_to_string(path).map_err(|source| IdsError::Read {
        path: path.to_owned(),
        source,
    })?;
    match parse(&text) {
        ids if ids.is_empty() => Err(IdsError::Empty {
            path: path.to_owned(),
        }),
        ids => Ok(ids),
    }
}

/// An id a line; the rest of a line behind `#` is a comment. An id has no such sign.
fn parse(text: &str) -> Vec<String> {
    let mut seen = HashSet::new();
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim());
    let ids = lines.filter(|line| !line.is_empty() && seen.insert(*line));
    ids.map(str::to_owned).collect()
}

/// The cases that are left when some are named and some are left out.
#[derive(Clone, Debug, Default)]
pub struct Named {
    /// Only these; all if `None`.
    pub only: Option<HashSet<String>>,
    /// Not these.
    pub without: HashSet<String>,
    /// Nor those that match one of these.
    pub not_matching: Vec<Regex>,
}

impl Named {
    /// Whether the case is left out.
    pub fn excludes(&self, id: &str) -> bool {
        self.without.contains(id) || self.not_matching.iter().any(|regex| regex.is_match(id))
    }

    /// Whether cases are left out.
    pub fn leaves_out(&self) -> bool {
        !self.without.is_empty() || !self.not_matching.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_comments_and_empty_lines() {
        let text = "# all that failed\na@1\n\n  b@2  # twice\r\na@1\n";
        assert_eq!(parse(text), ["a@1", "b@2"]);
        assert!(parse("# nothing\n").is_empty());
    }
}

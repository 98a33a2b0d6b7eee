//! What is wrong with a scenario, with the place in its file.

use super::sweep::Given;
use miette::{Diagnostic, LabeledSpan, NamedSource};
use std::ops::Range;
use std::path::PathBuf;
use thiserror::Error;

/// A scenario file that cannot be used, with everything that is wrong with it.
#[derive(Debug, Error, Diagnostic)]
#[error("{}: {} {}", source_code.name(), problems.len(), if problems.len() == 1 { "mistake" } else { "mistakes" })]
pub struct ScenarioError {
    /// The file; its name is the one to show.
    #[source_code]
    pub source_code: NamedSource<String>,
    /// The mistakes, in the order of the file; never empty.
    #[related]
    pub problems: Vec<Problem>,
}

/// One mistake in a scenario file.
#[derive(Clone, Debug, Error, Diagnostic, PartialEq, Eq)]
#[error("{message}")]
pub struct Problem {
    /// What is wrong.
    pub message: String,
    /// Where the mistake is, in bytes from the start of the file; the first
    /// label is the culprit.
    #[label(collection)]
    pub labels: Vec<LabeledSpan>,
    /// What to do about it.
    #[help]
    pub help: Option<String>,
}

/// A path that gave no scenarios.
#[derive(Debug, Error, Diagnostic)]
pub enum LoadError {
    /// The path could not be opened or read.
    #[error("cannot read {}", path.display())]
    #[diagnostic(help("name scenario files, or directories that hold them"))]
    Read {
        /// The path as it was given.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        source: std::io::Error,
    },
    /// The file is not text.
    #[error("{} is not a scenario: byte {at} is not UTF-8", path.display())]
    #[diagnostic(help("a scenario is a TOML file; see scenarios/README.md"))]
    NotText {
        /// The path of that file.
        path: PathBuf,
        /// Offset of the first byte that is not UTF-8.
        at: usize,
    },
    /// The file is far larger than any scenario.
    #[error("{} is not a scenario: it is larger than 1 MiB", path.display())]
    #[diagnostic(help("a scenario is a TOML file; see scenarios/README.md"))]
    TooLarge {
        /// The path of that file.
        path: PathBuf,
    },
    /// The directory holds no scenario.
    #[error("there is no scenario below {}", path.display())]
    #[diagnostic(help("scenarios are files whose names end in .toml"))]
    Empty {
        /// The path of that directory.
        path: PathBuf,
    },
    /// Two files would give cases with the same ids.
    #[error("{} and {} would both be called `{name}`", first.display(), second.display())]
    #[diagnostic(help("rename one of them: a case is known by its scenario's name"))]
    SameName {
        /// The name that both scenarios would have.
        name: String,
        /// The file that had it first.
        first: PathBuf,
        /// The other one.
        second: PathBuf,
    },
    /// The file is not a valid scenario.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Invalid(#[from] ScenarioError),
}

/// The mistakes found so far.
#[derive(Default)]
pub(super) struct Report(Vec<Problem>);

impl Report {
    /// Adds a mistake and returns it, so that labels and help can be added.
    pub(super) fn problem(&mut self, message: impl Into<String>) -> &mut Problem {
        self.0.push(Problem {
            message: message.into(),
            labels: Vec::new(),
            help: None,
        });
        let last = self.0.len() - 1;
        &mut self.0[last]
    }

    /// How many mistakes were found.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The mistakes as an error about the file called `file`.
    pub(super) fn into_error(mut self, file: &str, source: &str) -> ScenarioError {
        self.0
            .sort_by_key(|problem| problem.labels.first().map_or(0, LabeledSpan::offset));
        ScenarioError {
            source_code: NamedSource::new(file, source.to_owned()).with_language("TOML"),
            problems: self.0,
        }
    }
}

impl Problem {
    /// Adds a label at a place in the file.
    pub(super) fn at(&mut self, span: Range<usize>, label: impl Into<String>) -> &mut Self {
        self.labels.push(LabeledSpan::new_with_span(
            Some(label.into()),
            (span.start, span.len()),
        ));
        self
    }

    /// Adds a label at a value, unless it is a default that is not in the file.
    pub(super) fn value<T>(&mut self, given: &Given<T>, label: impl Into<String>) -> &mut Self {
        if let Some(span) = given.span.clone() {
            self.at(span, label);
        }
        self
    }

    /// Adds what to do about the mistake.
    pub(super) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }
}

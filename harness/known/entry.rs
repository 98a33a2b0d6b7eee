//! One cause of failures that is known.

use super::kernels::Range;
use super::pattern::Pattern;
use crate::results::Ended;
use halfway_case::verdict::Difference;
use halfway_case::{Outcome, Signature};
use regex::Regex;
use std::ops::Range as Span;
use time::Date;

/// One cause, and the cases that fail because of it.
#[derive(Clone, Debug)]
pub struct Known {
    /// What the cause is, in one line.
    pub title: String,
    /// Where more is written about it.
    pub link: Option<String>,
    /// Its cases; any if empty.
    pub cases: Vec<Pattern>,
    /// Each must match some line of the case's file.
    pub lines: Vec<Regex>,
    /// How the cases fail: in one of these ways.
    pub failures: Vec<Failure>,
    /// The kernels that it is known of; all if empty.
    pub kernels: Vec<Range>,
    /// The last day on which it counts.
    pub until: Option<Date>,
    /// The line of its header in the file, from 1.
    pub line: usize,
    /// Where it, its `cases` and its `signature` are in the file, for changes to it.
    pub place: Place,
}

/// Places of an entry in its file, in bytes.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// Its header.
    pub header: Span<usize>,
    /// The value of `cases`.
    pub cases: Option<Span<usize>>,
    /// The elements of `cases`, where it is a list.
    pub elements: Vec<Span<usize>>,
    /// The value of `signature`.
    pub signature: Option<Span<usize>>,
}

/// A way to fail.
#[derive(Clone, Debug)]
pub enum Failure {
    /// A [`Signature`], as it is printed.
    Signature(String),
    /// An outcome, and what the reason or one of the differences says.
    Says(Outcome, Regex),
}

/// What was seen of a case that did not pass.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The case's id.
    pub id: &'a str,
    /// The kernel's release.
    pub release: &'a str,
    /// The kind of the verdict.
    pub outcome: Outcome,
    /// Its reason.
    pub reason: &'a str,
    /// Its differences.
    pub differences: &'a [Difference],
    /// Its signature.
    pub signature: Option<&'a Signature>,
}

impl<'a> Seen<'a> {
    /// What a case came to, on a kernel.
    pub fn of(case: &'a Ended, release: &'a str) -> Self {
        Seen {
            id: &case.id,
            release,
            outcome: case.outcome,
            reason: &case.reason,
            differences: &case.differences,
            signature: case.signature.as_ref(),
        }
    }
}

impl Known {
    /// Whether it speaks of this kernel.
    pub fn is_about_kernel(&self, release: &str) -> bool {
        self.kernels.is_empty() || self.kernels.iter().any(|range| range.has(release))
    }

    /// Whether it speaks of the case with this id.
    pub fn is_about_case(&self, id: &str) -> bool {
        self.cases.is_empty() || self.cases.iter().any(|pattern| pattern.is_met_by(id))
    }

    /// Whether it speaks of the case with this file. `file` is asked only if it matters.
    pub fn is_about_file(&self, file: impl FnOnce() -> String) -> bool {
        if self.lines.is_empty() {
            return true;
        }
        let file = file();
        self.lines.iter().all(|pattern| pattern.is_match(&file))
    }

    /// Whether the case failed as this says.
    pub fn is(&self, seen: &Seen<'_>, file: impl FnOnce() -> String) -> bool {
        self.is_about_kernel(seen.release)
            && self.is_about_case(seen.id)
            && self.failures.iter().any(|failure| failure.is(seen))
            && self.is_about_file(file)
    }

    /// Whether it no longer counts on that day.
    pub fn is_expired(&self, today: Date) -> bool {
        self.until.is_some_and(|until| until < today)
    }
}

impl Failure {
    /// Whether this is how the case failed.
    fn is(&self, seen: &Seen<'_>) -> bool {
        match self {
            Failure::Signature(known) => {
                (seen.signature).is_some_and(|signature| signature.to_string() == *known)
            }
            Failure::Says(outcome, says) => {
                let differences = seen.differences.iter().map(|one| one.text.as_str());
                let mut said = std::iter::once(seen.reason).chain(differences);
                *outcome == seen.outcome && said.any(|text| says.is_match(text))
            }
        }
    }

    /// The outcome that it is about.
    pub fn outcome(&self) -> Option<Outcome> {
        match self {
            Failure::Signature(known) => {
                let word = known.split(": ").next().unwrap_or_default();
                Outcome::of_word(word)
            }
            Failure::Says(outcome, _) => Some(*outcome),
        }
    }

    /// In words, for a person.
    pub fn words(&self) -> String {
        match self {
            Failure::Signature(known) => known.clone(),
            Failure::Says(outcome, says) => format!("{outcome}: …{says}…"),
        }
    }
}

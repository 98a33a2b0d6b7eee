//! A recorded run in the formats that other programs read.
//!
//! Everything here is a pure function from what a run came to ([`Ran`]) to text. Each
//! format is checked by a program that is not ours (`ci/check-formats`).
//!
//! * [`standing`]: what a verdict is where a format knows only passed, failed, skipped.
//! * [`junit`], [`ktap`], [`tap`], [`csv`], [`github`], [`gitlab`], [`markdown`],
//!   [`kcidb`]: the formats.

mod csv;
mod github;
mod gitlab;
mod junit;
mod kcidb;
mod ktap;
mod markdown;
mod standing;
mod tap;

use crate::results::ran::grouped;
use crate::results::{Ended, Ran};
use standing::Standing;
use std::io;

/// A format of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// JUnit XML: Jenkins, GitLab and most others
    Junit,
    /// KTAP 1 with subtests: the kernel's own tools
    Ktap,
    /// TAP 14, one flat list
    Tap,
    /// Plain text for a mail to a list, in fewer than 72 columns
    Markdown,
    /// A row for each case
    Csv,
    /// Workflow commands that annotate a GitHub run
    Github,
    /// Markdown for the file that GITHUB_STEP_SUMMARY names
    GithubSummary,
    /// GitLab's code quality report
    Gitlab,
    /// KCIDB 5.3: the kernel community's database of test results
    Kcidb,
}

impl Format {
    /// Writes the runs in this format.
    ///
    /// # Errors
    /// `out` cannot be written.
    pub fn write(self, runs: &[Ran], out: &mut dyn io::Write) -> io::Result<()> {
        match self {
            Format::Junit => junit::write(runs, out),
            Format::Ktap => ktap::write(runs, out),
            Format::Tap => tap::write(runs, out),
            Format::Markdown => markdown::write(runs, out),
            Format::Csv => csv::write(runs, out),
            Format::Github => github::annotations(runs, out),
            Format::GithubSummary => github::summary(runs, out),
            Format::Gitlab => gitlab::write(runs, out),
            Format::Kcidb => kcidb::write(runs, out),
        }
    }
}

/// The name under which a run that is not complete is reported: a test of its own, which
/// did not pass.
const COMPLETE: &str = "the-record-is-complete";

/// The cases with such a standing. Those that went wrong in the same way are together:
/// they have one signature, or are skipped for one reason.
fn causes(run: &Ran, wanted: impl Fn(Standing) -> bool) -> Vec<Vec<&Ended>> {
    let cases = (run.cases.iter()).filter(|case| wanted(Standing::of(case.outcome)));
    let causes = grouped(cases, |case| {
        let cause = match &case.signature {
            Some(signature) => signature.to_string(),
            None => case.reason.clone(),
        };
        (case.outcome, cause)
    });
    causes.into_iter().map(|(_, cases)| cases).collect()
}

#[cfg(test)]
mod tests;

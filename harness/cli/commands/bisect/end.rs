//! An end of the search in a tree: a commit that must be what the user says.

use super::judge::judge;
use super::worktree::Worktree;
use crate::bisect::evidence::Evidence;
use crate::bisect::search::Mark;
use crate::bisect::sought::Sought;
use crate::bisect::words;
use crate::cli::args::BisectArgs;
use crate::cli::interrupt::Interrupt;
use crate::cli::{CliError, Context, Exit, output};
use miette::Diagnostic;
use thiserror::Error;

/// It is something else.
#[derive(Debug, Error, Diagnostic)]
#[error("{name} was given as {expected}, but {found}")]
#[diagnostic(help("both ends are tried first: without them there is nothing to search for"))]
struct EndError {
    name: String,
    expected: &'static str,
    found: String,
}

/// A commit, and what the user says of it.
pub(super) struct End<'a> {
    pub(super) name: &'a str,
    pub(super) commit: &'a str,
    pub(super) should: Mark,
}

impl End<'_> {
    /// Builds it and judges it: it must be what it should be.
    pub(super) async fn check(
        &self,
        worktree: &Worktree,
        build: &str,
        args: &BisectArgs,
        sought: &Sought,
        interrupt: &Interrupt,
        ctx: &Context,
    ) -> Result<Evidence, CliError> {
        worktree.check_out(self.commit)?;
        let built = worktree.build(build, interrupt).await;
        let evidence = match built? {
            None => return Err(super::interrupted()),
            Some(0) => judge(&worktree.to_string(), args, sought, interrupt, ctx).await,
            Some(code) => Evidence::nothing(format!("its build ends with exit code {code}")),
        };
        if *interrupt.stop.borrow() {
            return Err(super::interrupted());
        }
        output::say(words::line(self.name, &evidence));
        if evidence.mark == self.should {
            return Ok(evidence);
        }
        let (found, exit) = match evidence.mark {
            Mark::Good => ("it passes".to_owned(), Exit::Kernel),
            Mark::Bad => (format!("it fails: {}", evidence.why), Exit::Kernel),
            Mark::Unjudged => (
                format!("it cannot be judged: {}", evidence.why),
                Exit::Unjudged,
            ),
        };
        let expected = match self.should {
            Mark::Bad => "bad",
            _ => "good",
        };
        let name = self.name.to_owned();
        Err(CliError {
            exit,
            report: miette::Report::new(EndError {
                name,
                expected,
                found,
            }),
        })
    }
}

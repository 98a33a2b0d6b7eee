//! `halfway bisect`: finds the kernel at which the verdict of some cases changes.
//!
//! * `packages`: among the distribution's kernels.
//! * `tree`: among the commits of a kernel tree, with `git bisect run`.
//! * `end`: the first and the last of these, which are tried first.
//! * `worktree`: where they are built.
//! * `command`: the command line that judges one of them.
//! * `judge`: runs the cases on one kernel.

mod command;
mod end;
mod judge;
mod packages;
mod tree;
mod worktree;

use crate::cli::args::BisectArgs;
use crate::cli::interrupt::Interrupt;
use crate::cli::select::Choice;
use crate::cli::{CliError, Context, Exit};
use miette::Diagnostic;
use std::io;
use thiserror::Error;

/// What ends every search.
#[derive(Debug, Error, Diagnostic)]
enum SignalError {
    #[error("failed to listen for signals")]
    Listen(#[source] io::Error),
    #[error("interrupted: the search is not done")]
    #[diagnostic(help("--good and --bad may be kernels that were judged until now"))]
    Interrupted,
}

/// Searches.
///
/// # Errors
/// The search could not start, or was interrupted. A kernel that cannot be judged is no
/// error.
pub async fn execute(args: &BisectArgs, ctx: &Context) -> Result<Exit, CliError> {
    // What is wrong with the cases is said before anything is fetched or built.
    Choice::new(&args.select)?.expand().known()?;
    match (&args.judge, &args.good, &args.bad, &args.tree) {
        (Some(kernel), ..) => judge::alone(kernel, args, ctx).await,
        (None, Some(good), Some(bad), None) => packages::execute(good, bad, args, ctx).await,
        (None, Some(good), Some(bad), Some(tree)) => {
            let ends = tree::Ends { good, bad };
            tree::execute(tree, &ends, args, ctx).await
        }
        // clap refuses it.
        (None, ..) => Ok(Exit::Usage),
    }
}

fn listen() -> Result<Interrupt, CliError> {
    Interrupt::listen().map_err(|error| CliError::infrastructure(SignalError::Listen(error)))
}

fn interrupted() -> CliError {
    CliError::infrastructure(SignalError::Interrupted)
}

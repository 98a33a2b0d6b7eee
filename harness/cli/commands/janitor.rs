//! `halfway janitor`: cleans up after a harness that was killed. The command is hidden:
//! the harness starts it itself.

use crate::cli::{CliError, Exit};
use crate::machine::janitor;
use miette::Diagnostic;
use std::path::Path;
use thiserror::Error;

#[derive(Debug, Error, Diagnostic)]
#[error("failed to sweep")]
struct SweepError(#[source] std::io::Error);

/// Waits until the harness has ended, then removes its directory.
///
/// # Errors
/// The directory is not one of Halfway's, or cannot be removed.
pub fn execute(directory: &Path) -> Result<Exit, CliError> {
    janitor::wait_and_sweep(directory)
        .map(|()| Exit::Pass)
        .map_err(|error| CliError::infrastructure(SweepError(error)))
}

//! `halfway janitor`: cleans up behind a harness that was killed. Hidden: the
//! harness starts it.

use crate::cli::{CliError, Exit};
use crate::machine::janitor;
use miette::Diagnostic;
use std::path::Path;
use thiserror::Error;

#[derive(Debug, Error, Diagnostic)]
#[error("failed to sweep")]
struct SweepError(#[source] std::io::Error);

/// Waits for the harness's end, then removes its directory.
///
/// # Errors
/// The directory is not one of ours, or cannot be removed.
pub fn execute(directory: &Path) -> Result<Exit, CliError> {
    janitor::wait_and_sweep(directory)
        .map(|()| Exit::Pass)
        .map_err(|error| CliError::infrastructure(SweepError(error)))
}

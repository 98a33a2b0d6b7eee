//! An error that ends a command, with its exit code.

use super::Exit;
use crate::results::RecordError;
use halfway_scenario::{LoadError, ScenarioError};
use miette::{Diagnostic, Report};

/// What ended a command early.
#[derive(Debug)]
pub struct CliError {
    /// The exit code of the program.
    pub exit: Exit,
    /// The message for the user.
    pub report: Report,
}

impl CliError {
    /// An error of the user: the command line or a scenario asks for something
    /// impossible.
    pub fn usage(error: impl Diagnostic + Send + Sync + 'static) -> Self {
        CliError {
            exit: Exit::Usage,
            report: Report::new(error),
        }
    }

    /// An error of the host, QEMU or Halfway itself.
    pub fn infrastructure(error: impl Diagnostic + Send + Sync + 'static) -> Self {
        CliError {
            exit: Exit::Infrastructure,
            report: Report::new(error),
        }
    }
}

impl From<RecordError> for CliError {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::NoSuchRun { .. }
            | RecordError::Manifest { .. }
            | RecordError::Format { .. } => CliError::usage(error),
            _ => CliError::infrastructure(error),
        }
    }
}

/// Scenario files that cannot be used, with everything that is wrong in them.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("nothing was started: {} scenario file(s) cannot be used", errors.len())]
struct BadScenarios {
    #[related]
    errors: Vec<LoadError>,
}

impl From<Vec<LoadError>> for CliError {
    fn from(errors: Vec<LoadError>) -> Self {
        CliError::usage(BadScenarios { errors })
    }
}

impl From<ScenarioError> for CliError {
    fn from(error: ScenarioError) -> Self {
        CliError::usage(error)
    }
}

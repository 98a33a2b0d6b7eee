//! An error as a command ends with it: what to say, and how to exit.

use super::Exit;
use crate::results::RecordError;
use halfway_scenario::{LoadError, ScenarioError};
use miette::{Diagnostic, Report};

/// What ended a command early.
#[derive(Debug)]
pub struct CliError {
    /// How the program exits.
    pub exit: Exit,
    /// What is said.
    pub report: Report,
}

impl CliError {
    /// The user asked for something that cannot be.
    pub fn usage(error: impl Diagnostic + Send + Sync + 'static) -> Self {
        CliError {
            exit: Exit::Usage,
            report: Report::new(error),
        }
    }

    /// The host, QEMU or halfway failed.
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

/// Scenario files that cannot be used, all that is wrong with them.
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

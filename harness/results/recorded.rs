//! A case that was recorded with what was seen of it, to be judged again.

use crate::runner::event::Details;
use halfway_case::Case;
use halfway_case::Verdict;
use halfway_case::observation::Observation;
use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A recorded case that cannot be judged.
#[derive(Debug, Error, Diagnostic)]
pub enum RecordedError {
    /// There is no such file.
    #[error("failed to read the recorded case {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// It is something else.
    #[error("{} is not a recorded case", path.display())]
    #[diagnostic(help("recorded cases are the files cases/*.json of a run record"))]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// There is nothing to judge.
    #[error("{} holds no observation: that case never reached a machine", path.display())]
    Unobserved {
        /// The file.
        path: PathBuf,
    },
}

/// A case, and what was seen of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recorded {
    /// The case.
    pub case: Case,
    /// What was seen.
    pub observation: Observation,
}

impl Recorded {
    /// Reads what a run recorded of a case (`cases/*.json`), or a value of this type as
    /// JSON.
    ///
    /// # Errors
    /// The file is none, or nothing was seen of that case.
    pub fn read(path: &Path) -> Result<Self, RecordedError> {
        let path = path.to_owned();
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(source) => return Err(RecordedError::Read { path, source }),
        };
        match serde_json::from_slice(&text) {
            Ok(Details {
                case,
                observation: Some(observation),
                ..
            }) => Ok(Recorded { case, observation }),
            Ok(_) => Err(RecordedError::Unobserved { path }),
            Err(source) => Err(RecordedError::Parse { path, source }),
        }
    }

    /// What today's judge says of it.
    pub fn judge(&self) -> Verdict {
        halfway_oracle::judge(&self.case, &self.observation)
    }
}

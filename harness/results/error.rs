//! What can go wrong with a run record.

use miette::Diagnostic;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A run record could not be written or read.
#[derive(Debug, Error, Diagnostic)]
pub enum RecordError {
    /// The record's directory could not be made.
    #[error("failed to create the run record {}", path.display())]
    #[diagnostic(help("name a directory that can be written with --results DIR"))]
    Create {
        /// What could not be made.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No room is left, or the quota is used up. What was written before stays
    /// readable.
    #[error("no space left for the run record: {}", path.display())]
    #[diagnostic(help(
        "what was recorded before is kept; make room and go on with --resume, \
         or record elsewhere with --results DIR"
    ))]
    Full {
        /// What was being written.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// Something in the record could not be written for another reason.
    #[error("failed to write {}", path.display())]
    #[diagnostic(help(
        "what was recorded before is kept; go on with --resume once it can be written, \
         or record elsewhere with --results DIR"
    ))]
    Write {
        /// What was being written.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something in the record could not be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// What was being read.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no record of that name.
    #[error("no run record {run:?}: neither {} nor {}", here.display(), there.display())]
    #[diagnostic(help(
        "name a record by its path, by its name in the results directory, or as `latest`; \
         records elsewhere are found with --results DIR"
    ))]
    NoSuchRun {
        /// What was asked for.
        run: String,
        /// Where it would be as a path.
        here: PathBuf,
        /// Where it would be as a name.
        there: PathBuf,
    },
    /// The manifest is not one.
    #[error("{} is not the manifest of a run record", path.display())]
    #[diagnostic(help("the run ended before it began, or the file was changed since"))]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The record has a format that this program does not know.
    #[error(
        "{} has format {found}, but this halfway reads only format {known}",
        path.display()
    )]
    #[diagnostic(help("use the halfway that made it: version {version}"))]
    Format {
        /// The manifest.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// [`super::manifest::FORMAT`].
        known: u32,
        /// Version of the program that made it, as far as known.
        version: String,
    },
    /// A line of the event stream cannot be read as an event.
    #[error("line {line} of {} is not an event", path.display())]
    Event {
        /// The event stream.
        path: PathBuf,
        /// Line number, from 1.
        line: u64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Another process is writing the record.
    #[error("the run record {} is being written by another halfway", path.display())]
    #[diagnostic(help("wait for that run to end, or stop it"))]
    InUse {
        /// The record.
        path: PathBuf,
    },
    /// A case id that cannot be a file name: a fault of the harness.
    #[error("the case id {id:?} cannot be a file name")]
    CaseId {
        /// The id.
        id: String,
    },
    /// A value could not be written as JSON: a fault of the harness.
    #[error("failed to write {what} as JSON")]
    Encode {
        /// What.
        what: &'static str,
        /// Why.
        source: serde_json::Error,
    },
}

impl RecordError {
    /// For a failed write: tells a lack of room from other reasons.
    pub(super) fn write(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                RecordError::Full { path, source }
            }
            _ => RecordError::Write { path, source },
        }
    }

    /// As [`RecordError::write`], before there is a record to keep.
    pub(super) fn create(path: &Path, source: io::Error) -> Self {
        match RecordError::write(path, source) {
            RecordError::Write { path, source } => RecordError::Create { path, source },
            full => full,
        }
    }

    pub(super) fn read(path: &Path, source: io::Error) -> Self {
        RecordError::Read {
            path: path.to_owned(),
            source,
        }
    }
}

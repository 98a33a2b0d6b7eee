//! Errors of the run record.

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
        /// The path that could not be made.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The disk is full, or the quota is used up. What was written before stays readable.
    #[error("no space left for the run record: {}", path.display())]
    #[diagnostic(help(
        "what was recorded before is kept; make room and go on with --resume, \
         or record elsewhere with --results DIR"
    ))]
    Full {
        /// The file that was being written.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// A file of the record could not be written for another reason.
    #[error("failed to write {}", path.display())]
    #[diagnostic(help(
        "what was recorded before is kept; go on with --resume once it can be written, \
         or record elsewhere with --results DIR"
    ))]
    Write {
        /// The file that was being written.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// A file of the record could not be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// The file that was being read.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// There is no record of that name.
    #[error("no run record {run:?}: neither {} nor {}", here.display(), there.display())]
    #[diagnostic(help(
        "name a record by its path, by its name in the results directory, or as `latest`; \
         records elsewhere are found with --results DIR"
    ))]
    NoSuchRun {
        /// The path or name that the user gave.
        run: String,
        /// Where the record would be if that was a path.
        here: PathBuf,
        /// Where the record would be if that was a name in the results directory.
        there: PathBuf,
    },
    /// The manifest cannot be parsed.
    #[error("{} is not the manifest of a run record", path.display())]
    #[diagnostic(help("the run ended before it began, or the file was changed since"))]
    Manifest {
        /// The path of the manifest.
        path: PathBuf,
        /// The parser's error.
        source: serde_json::Error,
    },
    /// The record has a format version that this program does not know.
    #[error(
        "{} has format {found}, but this halfway reads only format {known}",
        path.display()
    )]
    #[diagnostic(help("use the halfway that made it: version {version}"))]
    Format {
        /// The path of the manifest.
        path: PathBuf,
        /// The format version of the record.
        found: u64,
        /// The format version of this program: [`super::manifest::FORMAT`].
        known: u32,
        /// The version of the program that wrote the record, as far as known.
        version: String,
    },
    /// A line of the event stream cannot be parsed.
    #[error("line {line} of {} is not an event", path.display())]
    Event {
        /// The path of the event stream.
        path: PathBuf,
        /// The number of the line, from 1.
        line: u64,
        /// The parser's error.
        source: serde_json::Error,
    },
    /// Another process is writing the record.
    #[error("the run record {} is being written by another halfway", path.display())]
    #[diagnostic(help("wait for that run to end, or stop it"))]
    InUse {
        /// The directory of the record.
        path: PathBuf,
    },
    /// A case id cannot be a file name: a bug of the harness.
    #[error("the case id {id:?} cannot be a file name")]
    CaseId {
        /// The id of the case.
        id: String,
    },
    /// A value could not be written as JSON: a bug of the harness.
    #[error("failed to write {what} as JSON")]
    Encode {
        /// What kind of value it was.
        what: &'static str,
        /// The serializer's error.
        source: serde_json::Error,
    },
}

impl RecordError {
    /// Makes the error of a failed write, and tells a full disk from other reasons.
    pub(super) fn write(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                RecordError::Full { path, source }
            }
            _ => RecordError::Write { path, source },
        }
    }

    /// Like [`RecordError::write`], but before there is a record to keep.
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

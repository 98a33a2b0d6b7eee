//! The run record: everything that is kept of a run on disk.
//!
//! A record is a directory (`results/README.md` describes it). It holds the event stream
//! itself, so that anything a run has shown can be shown again from its record.
//!
//! * [`manifest`]: what was run, and on what.
//! * [`recorder`]: writes a record during the run; [`Recorder`].
//! * [`record`]: reads a record, finished or not; [`Record`].
//! * [`ran`]: the last verdict of each case; [`Ran`].
//! * [`summary`]: the sum of the events; [`Summary`].
//! * [`shape`]: a digest of a case's I/O.
//! * [`story`]: a case that did not pass, as a text for people.
//! * [`whole`]: writes a file whole or not at all.
//! * [`text`]: quotes command lines for a shell, and escapes foreign text for a terminal.
//! * [`error`]: the errors; [`RecordError`].

pub mod error;
pub mod manifest;
pub mod ran;
pub mod record;
pub mod recorded;
pub mod recorder;
pub mod shape;
pub mod story;
pub mod summary;
pub mod text;
pub(crate) mod whole;

#[cfg(test)]
pub(crate) mod canned;
#[cfg(test)]
mod tests;

pub use error::RecordError;
pub use ran::{Ended, Ran};
pub use record::Record;
pub use recorded::{Recorded, RecordedError};
pub use recorder::{Keep, Recorder};
#[cfg(test)]
pub use shape::Shape;
pub use summary::{Summary, Tally};

/// The name of the event stream in a record.
pub const EVENTS: &str = "events.jsonl";
/// The name of the manifest in a record.
pub const MANIFEST: &str = "manifest.json";
/// The name of the directory of cases in a record.
pub const CASES: &str = "cases";
/// The name of the link to the newest record, in the results directory.
pub const LATEST: &str = "latest";

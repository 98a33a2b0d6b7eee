//! The run record: everything that is kept of a run, on disk.
//!
//! A record is a directory (`results/README.md` describes it). It holds the
//! event stream itself, so whatever is shown of a run can be made from its
//! record long afterwards.
//!
//! * [`manifest`]: what was run, on what.
//! * [`recorder`]: writes a record while the run goes on; [`Recorder`].
//! * [`record`]: reads one, finished or not; [`Record`].
//! * [`summary`]: events added up; [`Summary`].
//! * [`story`]: a case that did not pass, as a text for people.
//! * [`recorded`]: a case of a record, to be judged again.
//! * [`text`]: command lines for a shell, foreign text for a terminal.
//! * [`error`]: what can go wrong; [`RecordError`].

pub mod error;
pub mod manifest;
pub mod record;
pub mod recorded;
pub mod recorder;
pub mod story;
pub mod summary;
pub mod text;

#[cfg(test)]
pub(crate) mod canned;
#[cfg(test)]
mod tests;

pub use error::RecordError;
pub use record::Record;
pub use recorded::{Recorded, RecordedError};
pub use recorder::{Keep, Recorder};
pub use summary::{Summary, Tally};

/// Name of the event stream in a record.
pub const EVENTS: &str = "events.jsonl";
/// Name of the manifest in a record.
pub const MANIFEST: &str = "manifest.json";
/// Name of the directory of cases in a record.
pub const CASES: &str = "cases";
/// Name of the link to the newest record, beside the records.
pub const LATEST: &str = "latest";

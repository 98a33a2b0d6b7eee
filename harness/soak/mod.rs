//! A soak: a random mix of I/O and failures on one stack, all of it made from a
//! seed.
//!
//! * [`plan`]: what is done, a pure function of case and seed. A shorter soak is
//!   the beginning of a longer one, so that a failure is repeated without what
//!   would have come after it.
//! * [`content`]: what must lie where after each step.
//! * [`programs`]: what works on a file system.
//!
//! The runner performs the plan, and stops where the content is wrong; the judge
//! makes the same plan again and judges what was seen.

pub mod content;
pub mod plan;
pub mod programs;
#[cfg(test)]
pub(crate) mod tests;

pub use content::Content;
pub use plan::{Deed, Plan, Step};

use halfway_protocol::io::IoState;
use serde::{Deserialize, Serialize};

/// What was seen of a soak.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The steps that were performed, in order.
    pub steps: Vec<Done>,
    /// Whether the last of them is the plan's last: all faults gone, everything
    /// mended and read again.
    pub ended: bool,
    /// Over a file system: the programs, in order, and all that was done to the
    /// stack meanwhile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<Ran>,
    /// See `programs`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deeds: Vec<String>,
}

/// A program of the guest, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ran {
    /// What it was for.
    pub purpose: String,
    /// Program and arguments.
    pub line: String,
    /// Its exit status, or the signal that ended it as a negative number; `None`
    /// if it never ended.
    pub status: Option<i32>,
    /// The end of what it wrote.
    pub output: String,
}

/// What was seen of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// What an operator did, beyond the plan, for an I/O that the target held.
    pub deeds: Vec<String>,
    /// The I/O, after that.
    pub io: IoState,
}

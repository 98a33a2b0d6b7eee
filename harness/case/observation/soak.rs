//! What was seen of a soak.

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
    #[serde(default, alias = "actions", skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<String>,
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
    #[serde(alias = "actions")]
    pub actions: Vec<String>,
    /// The I/O, after that.
    pub io: IoState,
}

//! What was seen of a soak.

use halfway_protocol::io::IoState;
use serde::{Deserialize, Serialize};

/// What was seen of a soak.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The steps that were performed, in order.
    pub steps: Vec<Done>,
    /// Whether the last of them is the plan's last step: all faults gone,
    /// everything repaired and read again.
    pub ended: bool,
    /// Over a file system: the programs that ran, in order. What was done to
    /// the stack meanwhile is in `actions`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<Ran>,
    /// Over a file system: everything that was done to the stack while the
    /// programs ran, in order and in words.
    #[serde(default, alias = "deeds", skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<String>,
}

/// A program that ran in the guest, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ran {
    /// What it was for, in words.
    pub purpose: String,
    /// The program and its arguments.
    pub line: String,
    /// Its exit status, or the signal that ended it as a negative number; `None`
    /// if it never ended.
    pub status: Option<i32>,
    /// The end of its output.
    pub output: String,
}

/// What was seen of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// What an operator did for an I/O that the target held, beyond the plan,
    /// in words.
    #[serde(alias = "deeds")]
    pub actions: Vec<String>,
    /// State of the I/O after that.
    pub io: IoState,
}

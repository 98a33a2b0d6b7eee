//! The audit that was too much work in 2009: what each driver leaves in a bio
//! that it failed.
//!
//! * [`subject`]: the drivers, and how a device of each is made.
//! * [`examine`]: one I/O that fails in its middle, on each of them.
//! * [`answers`]: from what was seen to the answers, with their evidence; pure.
//! * [`table`]: the answers as Markdown and HTML; pure.

pub mod answers;
pub mod examine;
pub mod subject;
pub mod table;

use answers::Answers;
use halfway_protocol::io::Op;
use serde::{Deserialize, Serialize};

/// The whole audit of one kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// `uname -r` of the guest.
    pub release: String,
    /// What QEMU says of its version.
    pub qemu: String,
    /// One for each driver and operation.
    pub rows: Vec<Row>,
}

/// One driver under one operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Name of the driver, as of its controller or its target.
    pub subject: String,
    /// What failed beneath it.
    pub beneath: String,
    /// The operation.
    pub op: Op,
    /// What it did, or why that is not known.
    pub result: Result<Answers, String>,
}

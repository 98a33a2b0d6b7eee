//! What each driver leaves in a bio that it failed. In 2009 this audit was too much work.
//!
//! * [`subject`]: the drivers, and how a device of each is made.
//! * [`examine`]: one I/O that fails in its middle, on each driver.
//! * [`answers`]: turns what was seen into answers with their evidence; pure.
//! * [`table`]: the answers as Markdown and HTML; pure.

pub mod answers;
pub mod examine;
pub mod subject;
pub mod table;

use answers::Answers;
use halfway_protocol::io::Op;
use serde::{Deserialize, Serialize};

/// The audit of one kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// The release of the guest's kernel, as `uname -r` prints it.
    pub release: String,
    /// The version that QEMU reports.
    pub qemu: String,
    /// One row for each driver and operation.
    pub rows: Vec<Row>,
}

/// One driver and one operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The name of the driver, as its controller or its target is called.
    pub subject: String,
    /// What failed beneath it.
    pub beneath: String,
    /// The operation of the I/O.
    pub op: Op,
    /// What the driver did, or why that is not known.
    pub result: Result<Answers, String>,
}

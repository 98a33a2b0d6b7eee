//! The answer to a SCSI command.

use crate::sense::Sense;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The answer to a SCSI command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// A SCSI status; CHECK CONDITION comes with sense data.
    Status(Status, Option<Sense>),
    /// A virtio-scsi response other than `VIRTIO_SCSI_S_OK`.
    Response(Response),
    /// The command is not answered.
    Nothing,
    /// The descriptors were too broken to write an answer into.
    Malformed,
}

impl Reply {
    /// Status CHECK CONDITION with these sense data.
    pub const fn check(sense: Sense) -> Self {
        Reply::Status(Status::CheckCondition, Some(sense))
    }
}

/// SCSI status codes (SAM-5, clause 5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the standard's names")]
#[repr(u8)]
pub enum Status {
    Good = 0,
    CheckCondition = 2,
    Busy = 8,
    TaskSetFull = 0x28,
}

/// virtio-scsi responses (Virtual I/O Device 1.1, clause 5.6.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the standard's names")]
#[repr(u8)]
pub enum Response {
    Overrun = 1,
    Aborted = 2,
    BadTarget = 3,
    Reset = 4,
    TransportFailure = 6,
    Failure = 9,
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reply::Status(status, None) => write!(f, "{status:?}"),
            Reply::Status(status, Some(sense)) => write!(f, "{status:?} {sense}"),
            Reply::Response(response) => write!(f, "{response:?}"),
            Reply::Nothing => f.write_str("nothing"),
            Reply::Malformed => f.write_str("malformed"),
        }
    }
}

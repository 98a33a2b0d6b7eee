//! Why a case ended before its end.

use crate::guest::CallError;
use crate::storage::StorageError;
use halfway_protocol::message::Refusal;

/// Why a case ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum Interruption {
    /// The guest did not answer, or is gone, or refused something: an observation.
    #[error(transparent)]
    Guest(#[from] CallError),
    /// The guest refused something before the case's I/O was started.
    #[error(transparent)]
    Unstarted(Refusal),
    /// The disks failed us: no fault of the kernel's.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Interruption {
    /// What stopped a case before its I/O was started.
    pub fn unstarted(self) -> Self {
        match self {
            Interruption::Guest(CallError::Refused(refusal)) => Interruption::Unstarted(refusal),
            other => other,
        }
    }
}

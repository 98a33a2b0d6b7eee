//! Why a case was not run.

use crate::provision::ProvisionError;
use crate::runner::images::Lack;
use crate::runner::{Facility, RunError, StationError, needs};
use crate::storage::StorageError;
use halfway_oracle::Unfit;
use std::io;

/// Why a lab did not run a case. What the kernel does wrong is a verdict instead.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The thread has an event loop already.
    #[error("a lab blocks, and is no call for an async function: give it a thread of its own")]
    WithinRuntime,
    /// The lab's own event loop cannot be had.
    #[error("failed to start the event loop")]
    EventLoop(#[source] io::Error),
    /// There is nothing to run cases on.
    #[error(transparent)]
    Provision(#[from] ProvisionError),
    /// What a correct kernel does is not known, or nothing would be shown.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// QEMU, the kernel or the host lacks what the case needs.
    #[error(transparent)]
    Lack(#[from] Lack),
    /// The guest's kernel was built without something.
    #[error("{}", needs::lacks(*.0))]
    BuiltWithout(Facility),
    /// No machine came up.
    #[error("no machine could be had")]
    Machine(#[from] StationError),
    /// The disks failed, which is no fault of the kernel's.
    #[error("the disks failed")]
    Disks(#[from] StorageError),
    /// No machine could be had in a run of many cases.
    #[error(transparent)]
    Run(#[from] RunError),
}

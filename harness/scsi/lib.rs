//! What a SCSI disk can report of a failure, and what Linux makes of it.
//!
//! * [`failure`]: the ways to report one, a row each: what the disk answers, and how
//!   Linux handles that. A way more is a row more.
//! * [`report`]: a failure, with or without a part of the command done before it, and
//!   which errno of the storage stands for which.
//! * [`fault`]: the same as scenarios name it, with what no single answer is: a disk that
//!   is taken offline, an HBA that is gone.
//! * [`reply`], [`sense`]: answers as they travel.
//! * [`linux`]: what the kernel does about an answer.

pub mod failure;
pub mod fault;
pub mod linux;
pub mod reply;
pub mod report;
pub mod sense;

pub use failure::Failure;
pub use fault::FaultReport;
pub use reply::{Reply, Response, Status};
pub use report::{Part, Report, Reports};

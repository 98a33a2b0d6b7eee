//! What a SCSI disk can report of a failure, and how Linux handles that.
//!
//! - [`failure`]: the ways to report a failure, one in each row: what the disk
//!   answers, and how Linux handles the answer. Another way is another row.
//! - [`report`]: a failure, with or without a part of the command done before
//!   it, and which errno of the storage stands for which report.
//! - [`fault`]: a report as scenarios name it. It also covers what is no single
//!   answer: a disk that is taken offline, an HBA that is gone.
//! - [`reply`], [`sense`]: answers as they are transferred.
//! - [`handling`]: how Linux handles a failure, as facts of it.
//! - [`linux`]: what the kernel does about an answer.

pub mod failure;
pub mod fault;
pub mod handling;
pub mod linux;
pub mod reply;
pub mod report;
pub mod sense;

pub use failure::Failure;
pub use fault::FaultReport;
pub use handling::{ATTEMPTS, Handling};
pub use reply::{Reply, Response, Status};
pub use report::{Part, Report, Reports};

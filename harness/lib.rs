//! Halfway fails a block request halfway, inside a real Linux guest kernel, and
//! checks that device-mapper resubmits it whole.
//!
//! From Rust, [`Lab`] boots, runs and judges cases of a [`Scenario`](scenario::Scenario);
//! [`Recorded`] is a case with what was seen of it, to be judged again. Beneath the lab
//! are what machines are made of ([`provision`]), the machines ([`machine`]), their disks
//! ([`storage`]) and their agent ([`guest`]). Whatever none of these users needs is private.
//!
//! Data flow in one direction, a folder each:
//!
//! ```text
//! scenario -> runner -> (machine, storage, guest) -> observation
//!                 \-> oracle: model + judge ----------> verdict
//!                 \-> events -> report (terminal), results (record)
//! ```

mod audit;
pub mod cli;
pub mod contract;
mod controls;
pub mod guest;
pub mod lab;
pub mod machine;
pub mod observation;
pub mod oracle;
pub mod provision;
mod report;
mod results;
mod runner;
pub mod scenario;
mod shell;
pub mod soak;
pub mod storage;

pub use halfway_crash as crash;
pub use lab::{Lab, LabError, Options};
pub use oracle::{Outcome, Verdict, judge};
pub use results::{Recorded, RecordedError};

//! Halfway fails a block request halfway, inside a real Linux guest kernel, and
//! checks that device-mapper resubmits it whole.
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

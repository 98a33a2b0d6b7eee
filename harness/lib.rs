//! Halfway fails a block request halfway, inside a real Linux guest kernel, and
//! checks that device-mapper resubmits it whole.
//!
//! From Rust, [`Lab`] boots, runs and judges cases of a [`Scenario`](scenario::Scenario);
//! [`Recorded`] is a case with what was seen of it, to be judged again. Beneath the lab
//! are what machines are made of ([`provision`]), the machines ([`machine`]), their disks
//! ([`storage`]) and their agent ([`guest`]). Whatever none of these users needs is private.
//!
//! Data flow in one direction, a folder each; those with a star are crates of their
//! own, which know neither tokio nor QEMU:
//!
//! ```text
//! scenario* -> case* -> runner -> (machine, storage, guest) -> observation (case*)
//!                  \--> oracle*: model + judge -------------> verdict (case*)
//!                            events -> report (terminal), results (record)
//! ```

mod audit;
mod bisect;
#[cfg(test)]
mod catalogue;
pub mod cli;
mod compare;
mod controls;
mod export;
mod gate;
pub mod guest;
mod known;
pub mod lab;
pub mod machine;
mod minimised;
pub mod provision;
mod recipe;
mod report;
mod reproduce;
mod results;
mod runner;
mod shell;
pub mod storage;

pub use case::{Outcome, Verdict};
pub use halfway_case as case;
pub use halfway_crash as crash;
pub use halfway_oracle as oracle;
pub use halfway_scenario as scenario;
pub use halfway_soak as soak;
pub use lab::{Lab, LabError, Options};
pub use oracle::judge;
pub use results::{Recorded, RecordedError};

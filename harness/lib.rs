//! Halfway fails a block request halfway, inside a real Linux guest kernel, and
//! checks that device-mapper resubmits it whole.
//!
//! Data flow in one direction, a folder each; those with a star are crates of their
//! own, which know neither tokio nor QEMU:
//!
//! ```text
//! scenario* -> case* -> runner -> (machine, storage, guest) -> observation (case*)
//!                  \--> oracle*: model + judge -------------> verdict (case*)
//!                            events -> report (terminal), results (record)
//! ```

pub mod audit;
pub mod cli;
pub mod controls;
pub mod guest;
pub mod machine;
pub mod report;
pub mod results;
pub mod runner;
pub mod shell;
pub mod storage;

pub use halfway_case as case;
pub use halfway_crash as crash;
pub use halfway_oracle as oracle;
pub use halfway_scenario as scenario;
pub use halfway_soak as soak;

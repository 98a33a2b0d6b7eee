//! The oracle: what a correct kernel does with a case, and whether this kernel
//! did that.
//!
//! Everything here is a pure function of its data, so a recorded observation
//! can be judged again years later.
//!
//! - [`model`]: the case and what is known of the kernel -> the expectation.
//! - [`judge`]: the expectation against the observation -> the verdict.
//! - [`contract`]: whether a bio and its vector stay as they were submitted.
//! - [`controller`]: what lies between device-mapper and the medium.
//! - [`explain`]: the expectation in words, before anything is run.
//! - [`units`]: the pieces in which device-mapper handles an I/O.
//!
//! `corpus` keeps observations of real kernels and judges them again as a test.

pub mod contract;
pub mod controller;
#[cfg(test)]
mod corpus;
pub mod explain;
mod judge;
pub mod model;
pub mod units;

pub use explain::explain;
pub use judge::{blamed, entry_words, judge};
pub use model::{Expectation, Unfit, expect, fit, knows};

//! The oracle: what a correct kernel does, and whether this one did.
//!
//! Pure functions of data: a recorded observation can be judged again years
//! later.
//!
//! * [`model`]: the case and what is known of the kernel -> the expectation.
//! * [`judge`]: the expectation against the observation -> the verdict.
//! * [`controller`]: what lies between device-mapper and the medium.
//! * [`sense`]: what the SCSI layers make of what a target reports.
//! * [`explain`]: the expectation in words, before anything is run.
//! * [`units`]: the pieces in which device-mapper handles an I/O.
//! * [`status`]: the mirror's status line.
//! * [`verdict`]: what comes out of it.
//!
//! `corpus` has what real kernels did, to be judged again.

pub mod controller;
#[cfg(test)]
mod corpus;
pub mod explain;
mod judge;
pub mod model;
pub mod sense;
pub mod status;
pub mod units;
pub mod verdict;

pub use explain::explain;
pub use judge::{blamed, judge, words};
pub use model::{Expectation, Unfit, expect, fit, knows};
pub use verdict::{Outcome, Verdict};

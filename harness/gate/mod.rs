//! Whether a kernel got worse: recorded runs against the failures that are known.
//!
//! * [`check`]: sorts the cases of runs; [`Gated`].
//! * [`unusable`]: records that nothing can be said of.
//! * [`words`]: what a person is told.
//! * [`update`]: changes a baseline so that it fits what was seen.

pub mod check;
pub mod unusable;
pub mod update;
pub mod words;

#[cfg(test)]
mod tests;

pub use check::{Gated, Input, check};
pub use unusable::Unusable;

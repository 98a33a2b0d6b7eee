//! What differs between two recorded runs, case by case.
//!
//! Everything here is pure: from what two runs came to ([`Ran`](crate::results::Ran)) to
//! text. Only digests of a case's I/O are kept; the evidence itself is read again for the
//! few cases whose I/O is shown.
//!
//! * [`pairs`]: which cases differ, and in what; [`Comparison`].
//! * [`times`]: whether a scenario takes longer, by a test on pairs.
//! * [`text`], [`markdown`], [`json`]: the formats.

pub mod json;
pub mod markdown;
pub mod pairs;
pub mod text;
pub mod times;

#[cfg(test)]
mod tests;

pub use pairs::{Evidences, compare};

//! Failures that are known: files that say which cases fail how, on which kernels, and why.
//!
//! One format serves the findings of this repository (`results/findings/known.toml`, for
//! `halfway explore`) and the baselines of `halfway gate`. `ci/README.md` describes it.
//!
//! * [`entry`]: an entry, and whether a verdict is what it knows.
//! * [`file`]: reads a file; all its mistakes are reported, with their places.
//! * [`kernels`]: ranges of versions.
//! * [`pattern`]: ids of cases with `*` in them.

pub mod entry;
pub mod file;
pub mod kernels;
pub mod pattern;

#[cfg(test)]
mod tests;

pub use entry::{Failure, Known, Seen};
pub use file::{KnownError, parse, read};

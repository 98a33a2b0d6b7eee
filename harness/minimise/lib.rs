//! From a failing case to the smallest one that fails in the same way.
//!
//! "In the same way" is what [`halfway_case::Signature`] says. Everything here is pure: whoever has machines runs the cases.
//!
//! - [`Measure`]: which of two cases is the simpler one.
//! - [`candidates`]: the simpler cases that are worth a try, in order.
//! - [`search`]: which of them are run, and how often.
//! - [`Rate`]: how often a case fails, with its interval.
//! - [`file()`]: the file that a person reads.

mod candidates;
pub mod file;
mod measure;
mod rate;
pub mod search;
mod shrink;

pub use candidates::{Candidate, candidates};
pub use file::file;
pub use measure::Measure;
pub use rate::Rate;
pub use search::{Found, Step, search};

//! A soak: a random mix of I/O and failures on one stack, all of it made from a
//! seed.
//!
//! - [`plan`]: what is done, a pure function of case and seed. A shorter soak
//!   is the beginning of a longer one, so a failure can be reproduced without
//!   the steps that would have followed it.
//! - [`content`]: what must lie where after each step.
//! - [`programs`]: the programs that work on a file system.
//!
//! The runner performs the plan, and stops when the content is wrong. The judge
//! makes the same plan again and judges what was seen.

pub mod content;
pub mod plan;
pub mod programs;
pub mod samples;
#[cfg(test)]
mod tests;

pub use content::Content;
pub use plan::{Action, SoakPlan, Step};

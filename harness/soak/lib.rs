//! A soak: a random mix of I/O and failures on one stack, all of it made from a
//! seed.
//!
//! * [`plan`]: what is done, a pure function of case and seed. A shorter soak is
//!   the beginning of a longer one, so that a failure is repeated without what
//!   would have come after it.
//! * [`content`]: what must lie where after each step.
//! * [`programs`]: what works on a file system.
//!
//! The runner performs the plan, and stops where the content is wrong; the judge
//! makes the same plan again and judges what was seen.

pub mod content;
pub mod plan;
pub mod programs;
pub mod samples;
#[cfg(test)]
mod tests;

pub use content::Content;
pub use plan::{Action, Plan, Step};

//! Finds where the verdict of a scenario changes, between kernels in order.
//!
//! * `search`: which kernel to try next, and what is known at the end.
//! * `evidence`: what the runs of one kernel say of it.
//! * `sought`: which failure counts.
//! * `words`: the result, for people.
//! * `log`: what git noted of its search.
//! * `range`: the kernels between two names.
//! * `recipe`: the script for `git bisect run` in a source tree.

pub mod evidence;
pub mod log;
pub mod range;
pub mod recipe;
pub mod search;
pub mod sought;
pub mod words;

//! What the model refuses, and what it knows just beside it: the second case of
//! each row leaves out the one thing that the first is refused for.

mod held;
mod multipath;
mod nested;
mod operations;
mod raid1;
mod reports;
mod soak;

use super::{Case, knows, one};

/// The model refuses the first case with that reason, and knows the second.
fn beside(refused: &str, known: &str, why: &str) {
    refuses(&one(refused), why);
    let known = one(known);
    assert_eq!(knows(&known), Ok(()), "{known:#?}");
}

fn refuses(case: &Case, why: &str) {
    let reason = knows(case).map_err(|unknown| unknown.0);
    let refused = matches!(reason, Err(reason) if reason.contains(why));
    assert!(refused, "{reason:?} instead of one with {why:?}");
}

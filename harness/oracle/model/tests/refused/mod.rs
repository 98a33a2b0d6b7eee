//! What the model refuses, and what is known just beside it: each row takes away
//! one thing that the refusal is made of.

mod held;
mod multipath;
mod nested;
mod operations;
mod raid1;
mod reports;
mod soak;

use super::{Case, knows, one};

/// The model refuses the first with that reason, and knows the second.
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

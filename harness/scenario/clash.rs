//! Two values that exclude each other.

use super::error::Report;
use super::sweep::Given;
use super::value::Value;

/// Reports two values that exclude each other.
pub(super) fn clash<A, B>(
    report: &mut Report,
    one: Option<&Given<A>>,
    other: Option<&Given<B>>,
    message: &str,
    help: &str,
) where
    A: Value,
    B: Value,
{
    if let (Some(one), Some(other)) = (one, other) {
        let (a, b) = (one.value.word(), other.value.word());
        report
            .problem(message)
            .value(one, format!("`{a}` here"))
            .value(other, format!("`{b}` here"))
            .help(help);
    }
}

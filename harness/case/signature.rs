//! The signature of a failure: what stays the same when the same failure comes again, in
//! another run, at another sector or on another leg.

use crate::verdict::{Difference, LEFT_BEHIND, Outcome, Verdict, Witness};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What two verdicts have in common if they show the same failure.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Signature {
    /// The kind of the verdict.
    pub outcome: Outcome,
    /// The witness that saw it, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness: Option<Witness>,
    /// The kind of difference: the title of a kernel's complaint, or the first line of
    /// the most telling difference with every number replaced by `N`.
    pub kind: String,
}

impl Signature {
    /// The signature of a verdict; `None` if nothing went wrong, or the case was not run.
    pub fn of(verdict: &Verdict) -> Option<Self> {
        Self::by(verdict, verdict.differences.first())
    }

    /// Whether a verdict shows this failure, be it beside others: another case may have more
    /// differences, and in another order. A crash in the same function is the same: what
    /// lies where a bug reads or writes decides what kind of fault it ends with.
    pub fn is_shown_by(&self, verdict: &Verdict) -> bool {
        let alike = |other: Signature| {
            let crashes = [self.outcome, other.outcome] == [Outcome::Crash; 2];
            let functions = function(&self.kind).zip(function(&other.kind));
            other == *self || crashes && functions.is_some_and(|(one, other)| one == other)
        };
        let mut each = verdict.differences.iter();
        Self::of(verdict).is_some_and(alike)
            || verdict.outcome == Outcome::Fail
                && each.any(|one| Self::by(verdict, Some(one)).is_some_and(alike))
    }

    /// The signature of a verdict whose most telling difference is `first`.
    fn by(verdict: &Verdict, first: Option<&Difference>) -> Option<Self> {
        let (witness, text) = match verdict.outcome {
            Outcome::Pass | Outcome::Skipped => return None,
            Outcome::Crash => (Some(Witness::KernelLog), verdict.reason.as_str()),
            Outcome::Hang => (Some(Witness::Liveness), verdict.reason.as_str()),
            Outcome::Fail => match first {
                Some(first) => (Some(first.witness), first.text.as_str()),
                None => (None, verdict.reason.as_str()),
            },
            Outcome::Inconclusive | Outcome::Infrastructure | Outcome::Finding => {
                (first.map(|first| first.witness), verdict.reason.as_str())
            }
        };
        let text = text.lines().next().unwrap_or_default();
        let text = after_step(text);
        let of_log = format!("{}: ", Witness::KernelLog);
        let text = text.strip_prefix(&of_log).unwrap_or(text);
        let text = text.strip_prefix(LEFT_BEHIND).unwrap_or(text);
        // The title of a complaint has no number that varies.
        let kind = match witness {
            Some(Witness::KernelLog) => text.to_owned(),
            _ => without_numbers(text),
        };
        Some(Signature {
            outcome: verdict.outcome,
            witness,
            kind,
        })
    }

    /// The title of the kernel's complaint, if the failure is one.
    pub fn title(&self) -> Option<&str> {
        (self.witness == Some(Witness::KernelLog)).then_some(&*self.kind)
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.outcome)?;
        match self.witness {
            Some(witness) => write!(f, "{witness}: {}", self.kind),
            None => f.write_str(&self.kind),
        }
    }
}

/// The function that the title of a kernel's complaint names: the word behind its last "in".
pub fn function(title: &str) -> Option<&str> {
    let (_, function) = title.rsplit_once(" in ")?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_.".contains(c);
    (!function.is_empty() && function.chars().all(is_name)).then_some(function)
}

/// The text without the number of a soak's step in front of it.
fn after_step(text: &str) -> &str {
    let rest = text.strip_prefix("step ").and_then(|rest| {
        let (number, rest) = rest.split_once(": ")?;
        number
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then_some(rest)
    });
    rest.unwrap_or(text)
}

/// The text with `N` for every number: a word of hexadecimal digits in lower case, at least
/// one of which is a decimal digit, with or without `0x`.
pub fn without_numbers(text: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let of_word = is_word(first);
        let end = rest.find(|c| is_word(c) != of_word).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        kept.push_str(if of_word && is_number(run) { "N" } else { run });
        rest = after;
    }
    kept
}

fn is_number(word: &str) -> bool {
    let digits = word.strip_prefix("0x").unwrap_or(word);
    digits
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && digits.bytes().any(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn verdict(outcome: Outcome, reason: &str, first: Option<(Witness, &str)>) -> Verdict {
        let mut verdict = Verdict::bare(outcome, reason);
        verdict.differences = first
            .into_iter()
            .map(|(witness, text)| Difference {
                witness,
                text: text.to_owned(),
            })
            .collect();
        verdict
    }

    #[rstest]
    #[case::crash(Outcome::Crash, "general protection fault in bio_advance", Some((Witness::KernelLog, "[ 1.2] Oops")),
        "crash: kernel log: general protection fault in bio_advance")]
    #[case::blamed(
        Outcome::Crash,
        "kernel log: BUG in f2fs_1",
        None,
        "crash: kernel log: BUG in f2fs_1"
    )]
    #[case::left(
        Outcome::Crash,
        "kernel log: when the case before had ended, and before this one began: BUG in f",
        None,
        "crash: kernel log: BUG in f"
    )]
    #[case::warning(Outcome::Fail, "kernel log: WARNING in f\nmore", Some((Witness::KernelLog, "WARNING in f\nmore")),
        "fail: kernel log: WARNING in f")]
    #[case::fail(Outcome::Fail, "status: leg 1 is A, correct is D", Some((Witness::Status, "leg 1 is A, correct is D")),
        "fail: status: leg N is A, correct is D")]
    #[case::soak(Outcome::Fail, "step 7: sector 9 is wrong", Some((Witness::Content, "sector 9 is wrong")),
        "fail: content: sector N is wrong")]
    #[case::soak_hangs(
        Outcome::Hang,
        "step 7: 2 read request(s) never came back",
        None,
        "hang: liveness: N read request(s) never came back"
    )]
    #[case::idle(
        Outcome::Inconclusive,
        "no fault on leg 1",
        None,
        "inconclusive: no fault on leg N"
    )]
    fn what_stays_the_same(
        #[case] outcome: Outcome,
        #[case] reason: &str,
        #[case] first: Option<(Witness, &str)>,
        #[case] expected: &str,
    ) {
        let signature = Signature::of(&verdict(outcome, reason, first)).unwrap();
        assert_eq!(signature.to_string(), expected);
    }

    #[test]
    fn another_order_of_differences_is_the_same_failure_and_another_witness_is_not() {
        let of = |differences: &[(Witness, &str)]| {
            let mut all = verdict(Outcome::Fail, "", None);
            for one in differences {
                let more = verdict(Outcome::Fail, "", Some(*one)).differences;
                all.differences.extend(more);
            }
            all
        };
        let wrong = |sector: &'static str| (Witness::Content, sector);
        let signature = Signature::of(&of(&[wrong("sector 9 is wrong")])).unwrap();
        assert!(signature.is_shown_by(&of(&[wrong("sector 8 is wrong")])));
        let behind = [(Witness::Trace, "new"), wrong("sector 0 is wrong")];
        assert!(signature.is_shown_by(&of(&behind)));
        assert!(!signature.is_shown_by(&of(&[(Witness::Medium, "sector 9 is wrong")])));
        assert!(!signature.is_shown_by(&of(&[])));
        for outcome in Outcome::ALL {
            let other = verdict(outcome, "sector 9 is wrong", None);
            assert!(!signature.is_shown_by(&other), "{outcome}");
        }
    }

    #[rstest]
    #[case::same("BUG at block/bio.c:104!", "BUG at block/bio.c:104!", true)]
    #[case::another_fault(
        "BUG: a NULL dereference in bio_add_page",
        "Oops in bio_add_page",
        true
    )]
    #[case::another_function("Oops in bio_add_page", "Oops in bio_advance", false)]
    #[case::no_function("BUG at block/bio.c:104!", "BUG at block/bio.c:105!", false)]
    #[case::a_sentence("Oops in a guest", "panic in a guest", false)]
    fn crashes_in_one_function_are_one_failure(
        #[case] one: &str,
        #[case] other: &str,
        #[case] same: bool,
    ) {
        let crash = |title| verdict(Outcome::Crash, title, None);
        let signature = Signature::of(&crash(one)).unwrap();
        assert_eq!(signature.is_shown_by(&crash(other)), same);
        let warned = verdict(Outcome::Fail, "", Some((Witness::KernelLog, other)));
        assert!(!signature.is_shown_by(&warned));
    }

    #[rstest]
    #[case(Outcome::Pass)]
    #[case(Outcome::Skipped)]
    fn nothing_went_wrong(#[case] outcome: Outcome) {
        assert_eq!(Signature::of(&Verdict::bare(outcome, "x")), None);
    }

    #[rstest]
    #[case("leg 1 read 2048+8 twice", "leg N read N+N twice")]
    #[case("BUG at ffff8880055b7500", "BUG at N")]
    #[case("0x1f, 12ms and dm-0", "N, 12ms and dm-N")]
    #[case("a bad read failed", "a bad read failed")]
    #[case("ä1 2", "ä1 N")]
    fn numbers_make_no_kind(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(without_numbers(text), expected);
    }

    proptest! {
        #[test]
        fn sectors_and_legs_do_not_matter(leg in 0u8..9, sector: u64, other: u64) {
            let of = |sector: u64| {
                let text = format!("leg {leg}: {sector}+8 was asked for 0 times");
                Signature::of(&verdict(Outcome::Fail, "", Some((Witness::Journal, &text))))
            };
            prop_assert_eq!(of(sector), of(other));
        }

        #[test]
        fn any_text_has_a_kind(text: String) {
            let kind = without_numbers(&text);
            prop_assert_eq!(without_numbers(&kind), kind);
        }
    }
}

//! What a person complains of, if no kernel does.

use halfway_case::verdict::Witness;
use halfway_case::{Outcome, Signature};
use std::fmt;

/// A kind of failure that no kernel reports by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Complaint {
    /// An I/O never came back.
    Hang,
    /// Data were wrong.
    WrongData,
    /// A leg or path was taken for bad, or for good.
    Misjudged,
    /// An I/O was answered with an error, or without one, wrongly.
    WrongAnswer,
}

impl Complaint {
    /// The complaints in a person's words, the one first that excludes the most.
    pub fn all_of(text: &str) -> Vec<Self> {
        let text = text.to_lowercase();
        let words: Vec<&str> = text
            .split(|c: char| !c.is_alphanumeric() && c != '_' && c != '/')
            .filter(|word| !word.is_empty())
            .collect();
        let text = format!(" {} ", words.join(" "));
        let told = |phrases: &[&str]| phrases.iter().any(|one| text.contains(&format!(" {one} ")));
        [
            (Self::Hang, HANG),
            (Self::WrongData, WRONG_DATA),
            (Self::Misjudged, MISJUDGED),
            (Self::WrongAnswer, WRONG_ANSWER),
        ]
        .into_iter()
        .filter(|(_, phrases)| told(phrases))
        .map(|(complaint, _)| complaint)
        .collect()
    }

    /// Whether a failure is of this kind.
    pub fn is_met_by(self, signature: &Signature) -> bool {
        let witness = signature.witness;
        let seen_by = |all: &[Witness]| witness.is_some_and(|one| all.contains(&one));
        match self {
            Self::Hang => signature.outcome == Outcome::Hang,
            Self::WrongData => {
                seen_by(&[Witness::Content, Witness::Guards, Witness::Medium])
                    && signature.outcome == Outcome::Fail
            }
            Self::Misjudged => seen_by(&[Witness::Status]) && signature.outcome == Outcome::Fail,
            Self::WrongAnswer => {
                seen_by(&[Witness::Application]) && signature.outcome == Outcome::Fail
            }
        }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hang => "an I/O never came back",
            Self::WrongData => "data were wrong",
            Self::Misjudged => "a leg or path was judged wrongly",
            Self::WrongAnswer => "an I/O got the wrong answer",
        })
    }
}

const HANG: &[&str] = &[
    "hang",
    "hangs",
    "hung",
    "stuck",
    "deadlock",
    "blocked for more than",
    "never came back",
    "never comes back",
    "never returns",
    "never returned",
    "never completes",
    "never completed",
    "does not return",
    "does not come back",
    "waits forever",
    "waits for ever",
];
const WRONG_DATA: &[&str] = &[
    "wrong data",
    "corrupt",
    "corrupts",
    "corrupted",
    "corruption",
    "stale data",
    "old data",
    "data mismatch",
    "miscompare",
    "data differ",
    "wrong content",
    "wrong contents",
];
const MISJUDGED: &[&str] = &[
    "failing path",
    "fails the path",
    "failed the path",
    "path failed",
    "path was failed",
    "paths failed",
    "path is failed",
    "marked failed",
    "marked as failed",
    "fails good paths",
    "mirror leg failed",
    "leg failed",
    "mirror device failed",
    "path is not failed",
];
const WRONG_ANSWER: &[&str] = &[
    "eio",
    "einval",
    "i/o error",
    "i/o errors",
    "input/output error",
    "invalid argument",
    "returns an error",
    "returned an error",
    "unexpected error",
    "short read",
    "short write",
];

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::hang("with queue_if_no_path the I/O never came\nback", &[Complaint::Hang])]
    #[case::data("Reads give stale data after the failover.", &[Complaint::WrongData])]
    #[case::error("dd gets an Input/output error", &[Complaint::WrongAnswer])]
    #[case::path("multipathd: path failed without a reason", &[Complaint::Misjudged])]
    #[case::two("it hangs, then EIO", &[Complaint::Hang, Complaint::WrongAnswer])]
    #[case::within_a_word("changes to the hangar", &[])]
    #[case::nothing("", &[])]
    fn complaints(#[case] text: &str, #[case] expected: &[Complaint]) {
        assert_eq!(Complaint::all_of(text), expected);
    }

    #[rstest]
    #[case(Outcome::Hang, None, Complaint::Hang, true)]
    #[case(Outcome::Fail, Some(Witness::Content), Complaint::WrongData, true)]
    #[case(Outcome::Fail, Some(Witness::Content), Complaint::WrongAnswer, false)]
    #[case(
        Outcome::Inconclusive,
        Some(Witness::Status),
        Complaint::Misjudged,
        false
    )]
    fn failures_meet_complaints(
        #[case] outcome: Outcome,
        #[case] witness: Option<Witness>,
        #[case] complaint: Complaint,
        #[case] expected: bool,
    ) {
        let kind = String::new();
        let signature = Signature {
            outcome,
            witness,
            kind,
        };
        assert_eq!(complaint.is_met_by(&signature), expected);
    }
}

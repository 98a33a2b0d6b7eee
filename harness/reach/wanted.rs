//! The failure that a text is about, and whether another one is the same.

use crate::asked::Asked;
use crate::complaint::Complaint;
use crate::likeness::{Likeness, likeness};
use halfway_case::{Outcome, Signature};
use halfway_crash::{Kind, Report};

/// The failure that is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The kernel's report of it.
    Report(Box<Report>),
    /// What a person complains of, the one first that excludes the most.
    Complaints(Vec<Complaint>),
    /// The text does not say what went wrong.
    Unsaid,
}

/// How a failure compares with the wanted one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// It is the same; with the frames, if both have any.
    Same(Option<Likeness>),
    /// It is another one.
    Other,
}

impl Wanted {
    /// What a text is about.
    pub fn of(reports: &[Report], asked: &Asked) -> Self {
        if let Some(report) = reports.first() {
            return Wanted::Report(Box::new(report.clone()));
        }
        match Complaint::all_of(&asked.prose) {
            complaints if complaints.is_empty() => Wanted::Unsaid,
            complaints => Wanted::Complaints(complaints),
        }
    }

    /// Compares a case's failure with it. `seen` are the kernel's reports during the case.
    pub fn compare(&self, signature: &Signature, seen: &[Report]) -> Match {
        match self {
            Wanted::Report(report) => {
                let likenesses = seen.iter().map(|one| likeness(report, one));
                if let Some(same) = likenesses.into_iter().find(|like| like.same) {
                    return Match::Same(Some(same));
                }
                if signature.title() == Some(&*report.title) {
                    return Match::Same(None);
                }
                match is_hang(report.kind) && signature.outcome == Outcome::Hang {
                    true => Match::Same(None),
                    false => Match::Other,
                }
            }
            Wanted::Complaints(complaints) => {
                let met = complaints.iter().any(|one| one.is_met_by(signature));
                if met { Match::Same(None) } else { Match::Other }
            }
            Wanted::Unsaid => Match::Other,
        }
    }
}

/// Whether a report of this kind comes of something that waits. The kernel's own watchdogs
/// take minutes: a case is over before.
fn is_hang(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::HungTask
            | Kind::SoftLockup
            | Kind::HardLockup
            | Kind::RcuStall
            | Kind::WorkqueueLockup
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Table;
    use halfway_case::verdict::Witness;
    use rstest::rstest;

    const OOPS: &str = "BUG: kernel NULL pointer dereference, address: 0000000000000008\n\
                        RIP: 0010:bio_advance+0x10/0x40\nCall Trace:\n do_mirror+0x1/0x2\n";
    const HUNG: &str = "INFO: task dd:77 blocked for more than 120 seconds.\n";
    const LOG: &str = "[    1.234567] device-mapper: raid1: Mirror read failed\n";

    fn wanted(text: &str) -> Wanted {
        let reports = halfway_crash::decode(text);
        Wanted::of(&reports, &Asked::of(text, &reports, &Table::default()))
    }

    fn signature(outcome: Outcome, witness: Witness) -> Signature {
        Signature {
            outcome,
            witness: Some(witness),
            kind: "x".to_owned(),
        }
    }

    #[rstest]
    #[case::the_same_oops(OOPS, Outcome::Crash, Witness::KernelLog, OOPS, true)]
    #[case::another_oops(
        OOPS,
        Outcome::Crash,
        Witness::KernelLog,
        "kernel BUG at block/bio.c:7!\n",
        false
    )]
    #[case::no_oops(OOPS, Outcome::Fail, Witness::Content, "", false)]
    #[case::a_hang(HUNG, Outcome::Hang, Witness::Liveness, "", true)]
    #[case::no_hang(HUNG, Outcome::Fail, Witness::Content, "", false)]
    #[case::words(
        "The mirror gives stale data.",
        Outcome::Fail,
        Witness::Content,
        "",
        true
    )]
    #[case::other_words("The mirror hangs.", Outcome::Fail, Witness::Content, "", false)]
    #[case::nothing_said(LOG, Outcome::Fail, Witness::Content, "", false)]
    fn failures(
        #[case] text: &str,
        #[case] outcome: Outcome,
        #[case] witness: Witness,
        #[case] seen: &str,
        #[case] same: bool,
    ) {
        let seen = halfway_crash::decode(seen);
        let compared = wanted(text).compare(&signature(outcome, witness), &seen);
        assert_eq!(matches!(compared, Match::Same(_)), same, "{compared:?}");
    }

    #[test]
    fn a_log_without_a_complaint_says_nothing() {
        assert_eq!(wanted(LOG), Wanted::Unsaid);
    }
}

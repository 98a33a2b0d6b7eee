//! The class of a verdict: which kind of witness noticed the broken kernel.

use halfway_builder::controls::Symptom;
use halfway_case::verdict::Witness;
use halfway_case::{Outcome, Verdict};
use std::collections::BTreeSet;

/// All symptoms that a verdict shows. Empty if the verdict does not blame the kernel.
pub fn symptoms(verdict: &Verdict) -> BTreeSet<Symptom> {
    match verdict.outcome {
        Outcome::Crash => BTreeSet::from([Symptom::Crash]),
        Outcome::Hang => BTreeSet::from([Symptom::Hang]),
        Outcome::Fail => verdict
            .differences
            .iter()
            .map(|difference| symptom(difference.witness))
            .collect(),
        Outcome::Pass
        | Outcome::Inconclusive
        | Outcome::Infrastructure
        | Outcome::Finding
        | Outcome::Skipped => BTreeSet::new(),
    }
}

fn symptom(witness: Witness) -> Symptom {
    match witness {
        Witness::Application => Symptom::WrongAnswer,
        Witness::Content | Witness::Guards | Witness::Medium => Symptom::WrongData,
        // QEMU complains of requests that no correct driver makes.
        Witness::Journal | Witness::Trace | Witness::Qemu | Witness::Contract => Symptom::WrongIo,
        Witness::Status => Symptom::Misjudged,
        Witness::KernelLog => Symptom::Crash,
        Witness::Liveness => Symptom::Hang,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfway_case::verdict::Difference;
    use rstest::rstest;

    #[rstest]
    #[case(Outcome::Pass, &[], &[])]
    #[case(Outcome::Inconclusive, &[Witness::Status], &[])]
    #[case(Outcome::Crash, &[Witness::KernelLog], &[Symptom::Crash])]
    #[case(Outcome::Hang, &[Witness::Status], &[Symptom::Hang])]
    #[case(
        Outcome::Fail,
        &[Witness::Application, Witness::Content, Witness::Medium],
        &[Symptom::WrongData, Symptom::WrongAnswer]
    )]
    fn classes(
        #[case] outcome: Outcome,
        #[case] witnesses: &[Witness],
        #[case] expected: &[Symptom],
    ) {
        let mut verdict = Verdict::bare(outcome, "");
        verdict.differences = witnesses
            .iter()
            .map(|witness| Difference {
                witness: *witness,
                text: String::new(),
            })
            .collect();
        assert_eq!(symptoms(&verdict), expected.iter().copied().collect());
    }
}

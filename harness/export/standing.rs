//! What a verdict is in a format that knows fewer kinds.

use halfway_case::Outcome;

/// What most formats can say of a test. Only a pass is [`Standing::Passed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It passed.
    Passed,
    /// The kernel got it wrong.
    Failed,
    /// Nobody knows whether the kernel got it right.
    Errored,
    /// It does not apply: it was not run, or it speaks of QEMU and not of the kernel.
    Skipped,
}

impl Standing {
    /// The standing of a verdict of that kind.
    pub fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Pass => Standing::Passed,
            Outcome::Fail | Outcome::Crash | Outcome::Hang => Standing::Failed,
            Outcome::Inconclusive | Outcome::Infrastructure => Standing::Errored,
            Outcome::Finding | Outcome::Skipped => Standing::Skipped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_pass_passes_and_all_that_blames_the_kernel_fails() {
        for outcome in Outcome::ALL {
            let standing = Standing::of(outcome);
            assert_eq!(standing == Standing::Passed, outcome == Outcome::Pass);
            assert_eq!(standing == Standing::Failed, outcome.blames_kernel());
        }
    }
}

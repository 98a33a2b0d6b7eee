//! The exit codes, for scripts, CI systems and `git bisect run`.

use crate::gate::Gated;
use crate::results::Tally;
use halfway_case::Outcome;
use std::process::ExitCode;

/// The table of exit codes in the help text.
pub const EXIT_CODES: &str = "\
Exit codes:
    0  every case that was run passed, and at least one did; skipped cases and
       findings about QEMU's device models count for nothing
    1  the kernel failed: a case ended as fail, crash or hang
    2  usage: a bad option or a bad scenario
    3  infrastructure: QEMU, the host or halfway failed, or the run was
       interrupted before anything failed
  125  nothing was shown: an inconclusive case, or no case at all that passed
       (`git bisect run` takes it as a skip)
Where several apply: 1, then 3, then 125.
`gate` and `run --gate`: 0 nothing got worse; 1 a failure that is not known; 2 also, with
--strict, an entry that does not fit; 125 a case that is no longer judged or run.
`compare`: 0 the same cases, verdicts and signatures; 1 not; 3 a record does not tell
its whole run; 125 no case is in both.
`shell` exits as the guest's shell does; `reproduce --help` has its own table.";

/// The table of exit codes of `halfway reproduce`.
pub const REPRODUCE_EXIT_CODES: &str = "\
Exit codes:
    0  reproduced: a case fails as the report says (with --dry-run: there are cases to
       run)
    1  not reproduced, but the kernel failed a case in another way
    2  usage: a bad option, or a report that cannot be read
    3  infrastructure: QEMU, the host or halfway failed, or it was interrupted
  125  nothing was shown: no case failed, or the report is about nothing that
       can be played";

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Every case that was run passed.
    Pass,
    /// The kernel failed a case.
    Kernel,
    /// The user asked for something impossible.
    Usage,
    /// The host or the harness failed, or the run was interrupted.
    Infrastructure,
    /// Nothing was shown: a case was inconclusive, or none passed.
    Unjudged,
    /// Interrupted, where `git bisect run` must stop and not take it for a verdict.
    Stop,
    /// The exit status of the guest's shell.
    Shell(u8),
}

impl Exit {
    /// The numeric exit status.
    pub fn code(self) -> u8 {
        match self {
            Exit::Pass => 0,
            Exit::Kernel => 1,
            Exit::Usage => 2,
            Exit::Infrastructure => 3,
            Exit::Unjudged => 125,
            Exit::Stop => 255,
            Exit::Shell(status) => status,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

/// The exit code of a run with these outcomes.
pub fn exit_code(tally: &Tally, interrupted: bool) -> Exit {
    if tally.kernel_failures() > 0 {
        Exit::Kernel
    } else if tally[Outcome::Infrastructure] > 0 || interrupted {
        Exit::Infrastructure
    } else if tally[Outcome::Inconclusive] > 0 || tally[Outcome::Pass] == 0 {
        Exit::Unjudged
    } else {
        Exit::Pass
    }
}

/// The exit code of the gate, in the same order: kernel, host, nothing shown. An entry
/// that does not fit comes last.
pub fn of_gate(gated: &Gated<'_>, strict: bool) -> Exit {
    if gated.blames_kernel() {
        Exit::Kernel
    } else if gated.blames_host() {
        Exit::Infrastructure
    } else if !gated.is_green() {
        Exit::Unjudged
    } else if strict && !gated.stale.is_empty() {
        Exit::Usage
    } else {
        Exit::Pass
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::*;
    use rstest::rstest;

    #[rstest]
    #[case::nothing(&[], false, Exit::Unjudged)]
    #[case::passes(&[Pass, Pass], false, Exit::Pass)]
    #[case::some_skipped(&[Pass, Skipped], false, Exit::Pass)]
    #[case::all_skipped(&[Skipped], false, Exit::Unjudged)]
    #[case::a_finding(&[Pass, Finding], false, Exit::Pass)]
    #[case::all_findings(&[Finding, Skipped], false, Exit::Unjudged)]
    #[case::fail(&[Pass, Fail], false, Exit::Kernel)]
    #[case::crash(&[Crash], false, Exit::Kernel)]
    #[case::hang(&[Hang, Skipped], false, Exit::Kernel)]
    #[case::inconclusive(&[Pass, Inconclusive], false, Exit::Unjudged)]
    #[case::infrastructure(&[Pass, Infrastructure], false, Exit::Infrastructure)]
    #[case::host_before_doubt(&[Inconclusive, Infrastructure], false, Exit::Infrastructure)]
    #[case::kernel_before_host(&[Infrastructure, Inconclusive, Fail], false, Exit::Kernel)]
    #[case::interrupted(&[Pass], true, Exit::Infrastructure)]
    #[case::interrupted_at_once(&[], true, Exit::Infrastructure)]
    #[case::interrupted_in_doubt(&[Inconclusive], true, Exit::Infrastructure)]
    #[case::interrupted_after_a_failure(&[Pass, Crash], true, Exit::Kernel)]
    fn exit_codes(#[case] outcomes: &[Outcome], #[case] interrupted: bool, #[case] exit: Exit) {
        let tally = outcomes.iter().map(|outcome| (*outcome, 1)).collect();
        assert_eq!(exit_code(&tally, interrupted), exit);
    }
}

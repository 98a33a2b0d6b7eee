//! What the runs of one kernel say of it.

use super::search::Mark;
use super::sought::Sought;
use crate::results::Ended;
use halfway_case::{Outcome, Signature};

/// What was seen of one kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// What it comes to.
    pub mark: Mark,
    /// How many runs showed the failure.
    pub failed: u32,
    /// How many runs passed.
    pub passed: u32,
    /// The reason, in one line: of the first failure, or why nothing is known.
    pub why: String,
    /// The failures that were seen, each once.
    pub failures: Vec<Signature>,
}

/// What one run of the cases came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Run {
    /// Every case that was run passed.
    Passed,
    /// A case failed in the way that is looked for.
    Failed {
        /// How many of them did, and the reason of the first.
        why: String,
        /// The failures, as often as they came.
        failures: Vec<Signature>,
    },
    /// It showed nothing, and why.
    Nothing(String),
}

impl Run {
    /// What a run with these cases came to. `incomplete` says why there should be more of
    /// them. One failure that is looked for is enough. Otherwise one case that failed in
    /// another way, or showed nothing, takes a pass away.
    pub fn of(cases: &[Ended], incomplete: Option<String>, sought: &Sought) -> Self {
        let blamed = |case: &&Ended| case.outcome.blames_kernel();
        let is_sought = |case: &&Ended| case.signature.as_ref().is_some_and(|it| sought.is(it));
        let told = |chosen: &dyn Fn(&&Ended) -> bool| {
            let first = cases.iter().find(chosen)?;
            let number = cases.iter().filter(chosen).count();
            let told = match &first.signature {
                Some(signature) => signature.to_string(),
                None => format!("{}: {}", first.outcome, first.reason),
            };
            let (of, id) = (cases.len(), &first.id);
            Some(format!("{told} ({number} of {of} cases, such as {id})"))
        };
        let has = |outcomes: &'static [Outcome]| {
            told(&move |case: &&Ended| outcomes.contains(&case.outcome))
        };
        if let Some(why) = told(&|case| blamed(case) && is_sought(case)) {
            let failed = cases.iter().filter(blamed).filter(is_sought);
            let failures = failed.filter_map(|case| case.signature.clone()).collect();
            Run::Failed { why, failures }
        } else if let Some(why) = told(&blamed) {
            Run::Nothing(format!("it fails in another way: {why}"))
        } else if let Some(why) = incomplete {
            Run::Nothing(why)
        } else if let Some(why) = has(&[Outcome::Inconclusive, Outcome::Infrastructure]) {
            Run::Nothing(why)
        } else if has(&[Outcome::Pass]).is_some() {
            Run::Passed
        } else {
            let why = has(&[Outcome::Finding, Outcome::Skipped]);
            Run::Nothing(why.unwrap_or_else(|| "no case was run".to_owned()))
        }
    }
}

impl Evidence {
    /// What these runs of one kernel come to together. One failure is enough: a kernel
    /// that fails sometimes has the bug. One run that showed nothing takes a pass away.
    pub fn of(runs: &[Run]) -> Self {
        let mut evidence = Evidence {
            mark: Mark::Unjudged,
            failed: 0,
            passed: 0,
            why: String::new(),
            failures: Vec::new(),
        };
        let mut nothing = None;
        for run in runs {
            match run {
                Run::Passed => evidence.passed += 1,
                Run::Nothing(why) => nothing = nothing.or(Some(why)),
                Run::Failed { why, failures } => {
                    evidence.failed += 1;
                    if evidence.why.is_empty() {
                        evidence.why.clone_from(why);
                    }
                    for failure in failures {
                        if !evidence.failures.contains(failure) {
                            evidence.failures.push(failure.clone());
                        }
                    }
                }
            }
        }
        if evidence.failed > 0 {
            evidence.mark = Mark::Bad;
        } else if let Some(why) = nothing {
            evidence.why.clone_from(why);
        } else if evidence.passed > 0 {
            evidence.mark = Mark::Good;
        } else {
            evidence.why = "it was not run".to_owned();
        }
        evidence
    }

    /// A kernel of which nothing is known.
    pub fn nothing(why: impl Into<String>) -> Self {
        Evidence::of(&[Run::Nothing(why.into())])
    }

    /// Whether some runs showed the failure and others passed.
    pub fn is_flaky(&self) -> bool {
        self.failed > 0 && self.passed > 0
    }
}

#[cfg(test)]
#[path = "evidence_tests.rs"]
mod tests;

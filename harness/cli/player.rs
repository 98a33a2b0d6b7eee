//! Runs the cases of a search for a smaller one, on a lab. Its calls block, so it has a
//! thread of its own.

use crate::lab::{self, Lab, LabError};
use crate::report::{Verbosity, lines};
use crate::results::text;
use halfway_case::{Case, Outcome, Verdict};
use halfway_minimise::{Found, Rate, Step, search};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How much may be spent on a search.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// How long.
    pub time: Option<Duration>,
    /// How many runs.
    pub runs: Option<u64>,
}

/// Why no more cases are run.
#[derive(Debug, thiserror::Error)]
pub enum Halt {
    /// Somebody asked for it.
    #[error("interrupted")]
    Asked,
    /// What may be spent is spent.
    #[error("the budget was spent before the case had been run as often as --repeat says")]
    Spent,
    /// There is nothing to run cases on.
    #[error("no case can be run")]
    Lab(#[source] Box<LabError>),
}

/// Failures of the lab in a row after which the next one is not worth a try.
const ENOUGH: u32 = 3;

/// Runs cases, as long as it may.
pub struct Player {
    lab: Lab,
    stop: watch::Receiver<bool>,
    limits: Limits,
    began: Instant,
    runs: u64,
    failures: u32,
}

impl Player {
    /// Opens a lab.
    ///
    /// # Errors
    /// There can be none.
    pub fn open(
        options: lab::Options,
        stop: watch::Receiver<bool>,
        limits: Limits,
    ) -> Result<Self, Halt> {
        Ok(Player {
            lab: Lab::open(options).map_err(|error| Halt::Lab(Box::new(error)))?,
            stop,
            limits,
            began: Instant::now(),
            runs: 0,
            failures: 0,
        })
    }

    /// The release of the kernel that runs `case`, as `uname -r` prints it.
    ///
    /// # Errors
    /// No machine comes up.
    pub fn release(&mut self, case: &Case) -> Result<String, Halt> {
        let up = self.lab.boot(case);
        up.map(|guest| guest.release)
            .map_err(|error| Halt::Lab(Box::new(error)))
    }

    /// How many cases were run, and how long that took.
    pub fn spent(&self) -> (u64, Duration) {
        (self.runs, self.began.elapsed())
    }

    /// Whether somebody wants it to end.
    pub fn is_asked_to_stop(&self) -> bool {
        *self.stop.borrow()
    }

    /// Runs a case once. `None` if it cannot be run here.
    fn play(&mut self, case: &Case) -> Result<Option<Verdict>, Halt> {
        loop {
            if self.is_asked_to_stop() {
                return Err(Halt::Asked);
            }
            let over = |most: Duration| self.began.elapsed() >= most;
            if self.limits.time.is_some_and(over)
                || self.limits.runs.is_some_and(|most| self.runs >= most)
            {
                return Err(Halt::Spent);
            }
            self.runs += 1;
            let failed = match self.lab.run(case) {
                Ok((_, verdict)) if verdict.outcome != Outcome::Infrastructure => {
                    self.failures = 0;
                    return Ok(Some(verdict));
                }
                Ok(_) => None,
                Err(LabError::Unfit(_) | LabError::Lack(_) | LabError::BuiltWithout(_)) => {
                    return Ok(None);
                }
                Err(error) => Some(error),
            };
            self.failures += 1;
            match failed {
                Some(error) if self.failures >= ENOUGH => {
                    return Err(Halt::Lab(Box::new(error)));
                }
                None if self.failures >= ENOUGH => return Ok(None),
                // The host was busy, perhaps.
                _ => {}
            }
        }
    }

    /// Searches for the smallest case; `None` if the kernel does not fail `case`. `keep`
    /// gets what is found, as soon as it is.
    ///
    /// # Errors
    /// Nothing was measured.
    pub fn search(
        &mut self,
        case: &Case,
        repeat: u32,
        verbosity: Verbosity,
        mut keep: impl FnMut(&Case),
    ) -> Result<Option<Found>, Halt> {
        search(
            case,
            repeat,
            |case| self.play(case),
            |step| {
                if let Step::Simpler(_, case) = &step {
                    keep(case);
                }
                tell(&step, verbosity);
            },
        )
    }

    /// Runs a case so often, whatever was spent: how often it failed as `found` says.
    ///
    /// # Errors
    /// Somebody asked for an end, or there is nothing to run it on.
    pub fn check(&mut self, case: &Case, repeat: u32, found: &Found) -> Result<Rate, Halt> {
        self.limits = Limits::default();
        let mut rate = Rate::default();
        // What comes now and then is waited for.
        let most = repeat.max(found.rate.patience());
        while rate.runs < repeat || rate.shown == 0 && rate.runs < most {
            let seen = self.play(case)?;
            rate.count(seen.is_some_and(|seen| found.signature.is_shown_by(&seen)));
        }
        Ok(rate)
    }
}

fn tell(step: &Step<'_>, verbosity: Verbosity) {
    if verbosity == Verbosity::Quiet {
        return;
    }
    let verbose = verbosity != Verbosity::Normal;
    let line = match step {
        Step::Measured(rate, signature) => lines::info(
            "fails",
            &format!("{rate}: {}", text::line(&signature.to_string())),
        ),
        Step::Simpler(what, _) => lines::info("simpler", what),
        Step::Other(what, verdict) if verbose => {
            let instead = match verdict {
                None => "cannot be run here".to_owned(),
                Some(verdict) => format!("{}: {}", verdict.outcome, verdict.reason),
            };
            lines::info("needed", &format!("not {what}: {}", text::line(&instead)))
        }
        Step::Other(..) => return,
    };
    super::output::say(line);
}

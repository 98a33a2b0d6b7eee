//! A case as a text for people: what went wrong, the evidence, and how to repeat it. The
//! console comes last, because it is long.

use super::text;
use crate::runner::event::Details;
use halfway_case::Verdict;
use std::fmt;

/// What a story is made of.
#[derive(Clone, Copy, Debug)]
pub struct Story<'a> {
    /// The id of the case.
    pub id: &'a str,
    /// The number of the machine; 0 if there was none.
    pub machine: u32,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The verdict on the case.
    pub verdict: &'a Verdict,
    /// How long the case took, in milliseconds.
    pub millis: u64,
    /// The observation and the other details, if they are known.
    pub details: Option<&'a Details>,
    /// The command that runs the case again.
    pub repeat: &'a str,
    /// The command that judges the case again.
    pub judge: &'a str,
}

impl fmt::Display for Story<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = self.verdict;
        writeln!(f, "{}: {}", verdict.outcome, self.id)?;
        writeln!(f, "{}", text::line(&verdict.reason))?;

        section(f, "differences")?;
        list(
            f,
            verdict.differences.iter().map(|difference| {
                format!("{}: {}", difference.witness, text::line(&difference.text))
            }),
        )?;
        section(f, "evidence: journal of the legs, by the host's account")?;
        list(f, &verdict.evidence.journal)?;
        section(f, "evidence: the guest's tracepoints")?;
        list(f, &verdict.evidence.trace)?;
        section(f, "evidence: dmsetup status")?;
        list(
            f,
            Some(&verdict.evidence.status).filter(|status| !status.is_empty()),
        )?;
        let contract = &verdict.evidence.contract;
        if !contract.is_empty() {
            section(f, "evidence: the contract watcher")?;
            list(f, Some(contract))?;
        }

        section(f, "where")?;
        match self.machine {
            0 => writeln!(f, "  no machine, attempt {}", self.attempt)?,
            number => writeln!(
                f,
                "  machine {number}, attempt {}, {} ms",
                self.attempt, self.millis
            )?,
        }
        let Some(details) = self.details else {
            return Ok(());
        };
        writeln!(f, "  question: {}", text::line(&details.case.question))?;
        if let Some(observation) = &details.observation {
            writeln!(f, "  guest kernel: {}", text::line(&observation.release))?;
            writeln!(f, "  seed: {}", observation.seed)?;
        }

        section(f, "again")?;
        writeln!(f, "  run it again:    {}", self.repeat)?;
        if details.observation.is_some() {
            writeln!(f, "  judge it again:  {}", self.judge)?;
        }

        if let Some(observation) = &details.observation
            && !observation.qemu_stderr.trim().is_empty()
        {
            section(f, "QEMU's stderr")?;
            writeln!(f, "{}", text::lines(observation.qemu_stderr.trim_end()))?;
        }
        section(f, "console")?;
        match details.console.trim_end() {
            "" => writeln!(f, "  nothing"),
            console => writeln!(f, "{}", text::lines(console)),
        }
    }
}

fn section(f: &mut fmt::Formatter<'_>, title: &str) -> fmt::Result {
    write!(f, "\n-- {title} --\n")
}

fn list<I, S>(f: &mut fmt::Formatter<'_>, items: I) -> fmt::Result
where
    I: IntoIterator<Item = S>,
    S: AsRef<str>,
{
    let mut empty = true;
    for item in items {
        writeln!(f, "  {}", text::line(item.as_ref()))?;
        empty = false;
    }
    match empty {
        true => writeln!(f, "  none"),
        false => Ok(()),
    }
}

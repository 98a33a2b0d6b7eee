//! Shows events to a person: with a live line on a terminal, else as plain lines.
//!
//! Plain output depends only on the events and the times in them, never on the clock. So
//! a record can later be shown exactly as the run was.

use super::{lines, table};
use crate::results::{Summary, text};
use crate::runner::Event;
use crate::runner::event::Stamped;
use halfway_case::{Outcome, Verdict};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use owo_colors::Style;
use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How much is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Only cases that did not pass, and the last lines.
    Quiet,
    /// Also machines, notes, progress and the table.
    #[default]
    Normal,
    /// Also every case, with what its verdict rests on.
    Cases,
    /// Also QEMU's command lines, kernel versions, and the start of each case.
    All,
}

/// The settings of a [`Terminal`].
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How much is printed.
    pub verbosity: Verbosity,
    /// Draw a live line on stderr.
    pub live: bool,
    /// The directory of the run's record. Failures then name a file in it.
    pub record: Option<PathBuf>,
    /// The seed, which is printed when the run starts.
    pub seed: Option<u64>,
}

/// Plain progress is printed when this many milliseconds have passed since the last time,
/// ...
const PROGRESS_MS: u64 = 10_000;
/// ... or when one part in this many of the cases was done since then, whichever comes
/// first, but at most once a second.
const PROGRESS_PARTS: u64 = 10;
const PROGRESS_PAUSE_MS: u64 = 1_000;

/// Shows events. Errors in writing to `out` are ignored: the record is the account of a
/// run, and a closed pipe must not end it.
#[derive(Debug)]
pub struct Terminal<W: Write> {
    out: W,
    options: Options,
    summary: Summary,
    bar: Option<ProgressBar>,
    /// When this part of the run started: the number of cases done, and the time in
    /// milliseconds.
    part: (u64, u64),
    /// At the last progress line: the number of cases done, and the time in milliseconds.
    told: (u64, u64),
    /// The reasons for cases not tried that were printed already. One line for each
    /// reason is enough.
    untried: HashSet<String>,
    recording: bool,
    closed: bool,
    replayed: bool,
}

impl<W: Write> Terminal<W> {
    /// Starts to show a run. `before` is what earlier parts of the run did, if it is
    /// resumed.
    pub fn new(out: W, options: Options, before: Summary) -> Self {
        let live = options.live && options.verbosity > Verbosity::Quiet;
        Terminal {
            out,
            options,
            summary: before,
            bar: live.then(new_bar),
            part: (0, 0),
            told: (0, 0),
            untried: HashSet::new(),
            recording: true,
            closed: false,
            replayed: false,
        }
    }

    /// The sum of all events so far.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Shows an event.
    pub fn event(&mut self, stamped: &Stamped) {
        self.summary.add(stamped);
        match &stamped.event {
            Event::RunStarted { cases, .. } => self.start(*cases),
            Event::Note { text } => {
                self.say(Verbosity::Normal, || lines::info("note", &text::line(text)));
            }
            Event::MachineStarting { machine, command } => {
                self.doing(&format!("machine {machine} boots"));
                self.say(Verbosity::All, || {
                    let command = text::shell(command);
                    lines::info("starting", &format!("machine {machine}: {command}"))
                });
            }
            Event::MachineReady {
                machine,
                release,
                version,
                boot_ms,
            } => {
                self.doing(&format!("machine {machine}"));
                self.say(Verbosity::Normal, || {
                    let release = text::line(release);
                    let boot = lines::duration(*boot_ms);
                    let text = format!("{machine} up after {boot}: Linux {release}");
                    lines::info("machine", &text)
                });
                self.say(Verbosity::All, || {
                    lines::more("version", &text::line(version))
                });
            }
            Event::MachineEnded {
                machine,
                reason,
                expected,
            } => {
                let level = match expected {
                    true => Verbosity::All,
                    false => Verbosity::Normal,
                };
                self.say(level, || {
                    let text = format!("{machine} ended: {}", text::line(reason));
                    lines::info("machine", &text)
                });
            }
            Event::CaseStarted {
                id,
                machine,
                attempt,
            } => self.say(Verbosity::All, || {
                let text = format!("{id}, machine {machine}, attempt {attempt}");
                lines::info("case", &text)
            }),
            Event::CaseFinished {
                id,
                verdict,
                retried: true,
                attempt,
                ..
            } => self.retry(id, verdict, *attempt),
            Event::CaseFinished {
                id,
                verdict,
                machine,
                ..
            } => self.case(id, verdict, *machine > 0),
            // In a record, the run may go on after this event, because it was resumed.
            Event::RunFinished { .. } if self.replayed => {}
            Event::RunFinished { .. } => self.close(),
        }
        self.progress();
    }

    /// For showing a record after the run: prints no progress.
    pub fn of_record(mut self) -> Self {
        self.replayed = true;
        self
    }

    /// Notes that lines of a record could not be read.
    pub fn unreadable(&mut self, lines: u64) {
        self.summary.add_unreadable(lines);
    }

    /// Notes that the record can no longer be written. From now on no line may name a
    /// file that would have been written to it.
    pub fn record_failed(&mut self, error: &impl std::fmt::Display) {
        self.recording = false;
        self.remark(&format!("{error}: the run is stopped"));
    }

    /// Prints something that is not an event, such as that a key was pressed.
    pub fn remark(&mut self, text: &str) {
        self.say(Verbosity::Quiet, || lines::warning("note", text));
    }

    /// Prints the result of the run. The last event does this by itself; call this for a
    /// run that ends without it.
    pub fn close(&mut self) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let record = self.options.record.take();
        if self.options.verbosity > Verbosity::Quiet {
            let rows = table::rows(&self.summary);
            if !rows.is_empty() {
                self.write("");
                rows.iter().for_each(|row| self.write(row));
                self.write("");
            }
            if let Some(record) = &record {
                self.write(&lines::info("record", &path_words(record)));
            }
        }
        self.write(&lines::info("result", &table::totals(&self.summary)));
        let resume = record.as_deref().map(path_words);
        for remark in table::remarks(&self.summary, resume.as_deref()) {
            self.write(&lines::warning("note", &remark));
        }
    }

    fn start(&mut self, cases: u64) {
        self.part = (self.summary.done(), self.summary.millis());
        self.told = self.part;
        if let Some(bar) = &self.bar {
            bar.set_length(self.summary.cases().max(cases));
            bar.set_position(self.summary.cases().saturating_sub(cases));
            bar.reset_eta();
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        let mut text = lines::count(cases, "case");
        let (all, whole) = (self.summary.cases(), self.summary.whole());
        if cases < all {
            text.push_str(&format!(" left of {all}"));
        } else if cases < whole {
            text.push_str(&format!(", a sample of {whole}"));
        }
        if let Some(seed) = self.options.seed {
            text.push_str(&format!(", seed {seed}"));
        }
        if let Some(record) = &self.options.record {
            text.push_str(&format!(", record {}", path_words(record)));
        }
        self.say(Verbosity::Normal, || lines::info("run", &text));
    }

    fn retry(&mut self, id: &str, verdict: &Verdict, attempt: u32) {
        let story = self.story(&format!("{id}.attempt-{attempt}"));
        self.say(Verbosity::Normal, || {
            let text = lines::case(id, verdict, story.as_deref());
            lines::labelled("retried", Style::new().yellow(), &text)
        });
    }

    fn case(&mut self, id: &str, verdict: &Verdict, tried: bool) {
        let untried = verdict.outcome == Outcome::Skipped
            || verdict.outcome == Outcome::Inconclusive && !tried;
        let level = match verdict.outcome {
            Outcome::Pass => Verbosity::Cases,
            _ if untried && !self.untried.insert(verdict.reason.clone()) => Verbosity::Cases,
            Outcome::Skipped | Outcome::Finding => Verbosity::Normal,
            _ => Verbosity::Quiet,
        };
        let story = match verdict.outcome {
            Outcome::Pass | Outcome::Skipped => None,
            _ => self.story(id),
        };
        self.say(level, || {
            let text = lines::case(id, verdict, story.as_deref());
            let outcome = verdict.outcome;
            lines::labelled(&outcome.to_string(), lines::style(outcome), &text)
        });
        if self.options.verbosity >= Verbosity::Cases {
            // The first difference is the verdict's reason, which was printed above.
            for difference in verdict.differences.iter().skip(1) {
                let witness = difference.witness.to_string();
                self.write(&lines::more(&witness, &text::line(&difference.text)));
            }
            for line in lines::evidence(&verdict.evidence) {
                self.write(&line);
            }
        }
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    fn story(&self, stem: &str) -> Option<String> {
        let record = self.options.record.as_ref().filter(|_| self.recording)?;
        let path = record
            .join(crate::results::CASES)
            .join(format!("{stem}.txt"));
        Some(path.to_string_lossy().into_owned())
    }

    fn doing(&mut self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_prefix(what.to_owned());
        }
    }

    fn progress(&mut self) {
        if self.closed || self.replayed {
            return;
        }
        let tally = self.summary.tally();
        let troubles = match tally.troubles() {
            0 => "no failures".to_owned(),
            _ => format!("{} did not pass", tally.troubles()),
        };
        if let Some(bar) = &self.bar {
            bar.set_message(troubles);
            return;
        }
        let (done, now, all) = (
            self.summary.done(),
            self.summary.millis(),
            self.summary.cases(),
        );
        let (cases, since) = (done - self.told.0, now - self.told.1);
        let enough = cases * PROGRESS_PARTS >= all && since >= PROGRESS_PAUSE_MS;
        let over = done >= all;
        if cases == 0 || over || !(enough || since >= PROGRESS_MS) {
            return;
        }
        self.told = (done, now);
        let (mine, elapsed) = (done - self.part.0, now - self.part.1);
        let left = (all - done) * elapsed / mine.max(1);
        self.say(Verbosity::Normal, || {
            let text = format!(
                "{done}/{all} cases, {troubles}, {} cases/s, about {} left",
                lines::rate(mine, elapsed),
                lines::duration(left),
            );
            lines::info("progress", &text)
        });
    }

    fn say(&mut self, level: Verbosity, line: impl FnOnce() -> String) {
        if self.options.verbosity >= level {
            let line = line();
            self.write(&line);
        }
    }

    fn write(&mut self, line: &str) {
        let out = &mut self.out;
        let mut write = || {
            let _ = writeln!(out, "{line}").and_then(|()| out.flush());
        };
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

fn path_words(path: &Path) -> String {
    text::shell([path.to_string_lossy()])
}

fn new_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let template = "{spinner} {pos}/{len} [{wide_bar}] {msg}, {rate}, {eta} left, {prefix}";
    // No colours in the template: `indicatif` decides about colours by rules of its own.
    if let Ok(style) = ProgressStyle::with_template(template) {
        let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = write!(out, "{:.1} cases/s", state.per_sec());
        };
        bar.set_style(style.with_key("rate", rate).progress_chars("=> "));
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::canned;
    use anstream::StripStream;
    use rstest::rstest;

    fn shown(events: &[Stamped], verbosity: Verbosity, before: Summary) -> String {
        let options = Options {
            verbosity,
            live: false,
            record: Some(PathBuf::from("results/runs/2026-11-22T17-04-05Z-3f2a")),
            seed: Some(7),
        };
        let mut out = Vec::new();
        let mut terminal = Terminal::new(StripStream::new(&mut out), options, before);
        events.iter().for_each(|event| terminal.event(event));
        terminal.close();
        drop(terminal);
        String::from_utf8(out).unwrap()
    }

    #[rstest]
    #[case::quiet(Verbosity::Quiet)]
    #[case::normal(Verbosity::Normal)]
    #[case::cases(Verbosity::Cases)]
    #[case::all(Verbosity::All)]
    fn plain_output(#[case] verbosity: Verbosity) {
        let shown = shown(&canned::run(), verbosity, Summary::default());
        insta::assert_snapshot!(format!("plain-{verbosity:?}"), shown);
    }

    #[test]
    fn an_interrupted_run_that_goes_on() {
        let mut events = canned::run();
        let rest = events.split_off(9);
        let first = shown(&events, Verbosity::Normal, Summary::default());
        let mut before = Summary::default();
        events.iter().for_each(|event| before.add(event));
        let mut resumed = vec![canned::at(
            0,
            Event::RunStarted {
                cases: 4,
                whole: 512,
            },
        )];
        resumed.extend(rest);
        let second = shown(&resumed, Verbosity::Normal, before);
        insta::assert_snapshot!("plain-resumed", format!("{first}\n$ --resume\n{second}"));
    }

    #[test]
    fn a_run_of_nothing_says_so() {
        let shown = shown(&[], Verbosity::Normal, Summary::default());
        assert!(shown.contains("0 cases in 0.0 s: none"), "{shown}");
    }
}

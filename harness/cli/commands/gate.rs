//! `halfway gate`: whether the kernel got worse.

use crate::cli::args::GateArgs;
use crate::cli::{CliError, Exit, exit, output};
use crate::gate::{Gated, Input, Unusable, check, unusable, update, words};
use crate::known::{self, Known, KnownError};
use crate::report::lines;
use crate::results::{CASES, Ended, Ran, Record, whole};
use miette::Diagnostic;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;
use time::OffsetDateTime;

/// Why the baseline cannot be changed.
#[derive(Debug, Error, Diagnostic)]
enum UpdateError {
    #[error("failed to write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{} was not changed: the runs do not tell all", path.display())]
    #[diagnostic(help("{}", why.join("\n")))]
    Incomplete { path: PathBuf, why: Vec<String> },
    #[error("{} was not changed: the result could not be read again", path.display())]
    #[diagnostic(help("change it by hand; this is a bug of halfway"))]
    Unreadable {
        path: PathBuf,
        #[related]
        why: Vec<KnownError>,
    },
}

impl From<KnownError> for CliError {
    fn from(error: KnownError) -> Self {
        CliError::usage(error)
    }
}

impl From<Unusable> for CliError {
    fn from(error: Unusable) -> Self {
        CliError::usage(error)
    }
}

/// A baseline.
#[derive(Debug, Default)]
pub(super) struct Baseline {
    path: Option<PathBuf>,
    text: String,
    known: Vec<Known>,
}

impl Baseline {
    /// Reads a baseline. Without one nothing is known.
    ///
    /// # Errors
    /// It cannot be read, or has mistakes.
    pub(super) fn read(path: Option<&Path>) -> Result<Self, CliError> {
        let Some(path) = path else {
            return Ok(Baseline::default());
        };
        let (text, known) = known::read(path)?;
        Ok(Baseline {
            path: Some(path.to_owned()),
            text,
            known,
        })
    }

    fn name(&self) -> String {
        let name = self.path.as_deref().unwrap_or(Path::new("no baseline"));
        name.to_string_lossy().into_owned()
    }

    /// Holds runs against it. Gives what it says, and how the program ends.
    ///
    /// # Errors
    /// Nothing can be said of these runs.
    pub(super) fn hold(
        &self,
        runs: &[Ran],
        against: &[Ran],
        strict: bool,
    ) -> Result<(Vec<String>, Exit), CliError> {
        let gated = self.gated(runs, against)?;
        let said = words::words(&gated, &self.known, &self.name(), strict);
        Ok((said, exit::of_gate(&gated, strict)))
    }

    fn gated<'a>(&'a self, runs: &'a [Ran], against: &'a [Ran]) -> Result<Gated<'a>, CliError> {
        unusable::usable(runs.iter().chain(against))?;
        Ok(check(&Input {
            runs,
            against,
            known: &self.known,
            today: OffsetDateTime::now_utc().date(),
            file: &file,
        }))
    }
}

/// The file of a case that did not pass.
fn file(run: &Ran, case: &Ended) -> String {
    let path = Path::new(&run.path)
        .join(CASES)
        .join(format!("{}.toml", case.id));
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Holds recorded runs against a baseline.
///
/// # Errors
/// There is no such record or baseline, one of them cannot be used, or the baseline cannot
/// be written.
pub fn execute(args: &GateArgs) -> Result<Exit, CliError> {
    let mut baseline = match &args.baseline {
        // `--update` may begin a baseline.
        Some(path) if args.update && !path.exists() => Baseline {
            path: Some(path.clone()),
            ..Baseline::default()
        },
        path => Baseline::read(path.as_deref())?,
    };
    let read = |names: &[String]| -> Result<Vec<Ran>, CliError> {
        let record = |run: &String| Ok(Ran::read(&Record::find(&args.results, run)?)?);
        names.iter().map(record).collect()
    };
    let runs = read(&args.runs)?;
    let against = read(&args.against)?;
    if let Some(path) = args.baseline.as_deref().filter(|_| args.update) {
        let gated = baseline.gated(&runs, &against)?;
        let (text, changes) = changed(path, &baseline, &gated)?;
        let said: Vec<String> = changes
            .iter()
            .map(|line| lines::info("changed", line))
            .collect();
        baseline = Baseline {
            known: reread(path, &text)?,
            text,
            path: Some(path.to_owned()),
        };
        let write = |source| {
            let path = path.to_owned();
            CliError::infrastructure(UpdateError::Write { path, source })
        };
        if !changes.is_empty() {
            whole::write(path, |out| out.write_all(baseline.text.as_bytes())).map_err(write)?;
        }
        print(&said)?;
    }
    let (said, exit) = baseline.hold(&runs, &against, args.strict)?;
    print(&said)?;
    Ok(exit)
}

fn changed(
    path: &Path,
    baseline: &Baseline,
    gated: &Gated<'_>,
) -> Result<(String, Vec<String>), CliError> {
    if !gated.incomplete.is_empty() {
        return Err(CliError::infrastructure(UpdateError::Incomplete {
            path: path.to_owned(),
            why: gated.incomplete.clone(),
        }));
    }
    Ok(update::update(&baseline.text, &baseline.known, gated))
}

fn reread(path: &Path, text: &str) -> Result<Vec<Known>, CliError> {
    known::parse(&path.to_string_lossy(), text).map_err(|error| {
        CliError::infrastructure(UpdateError::Unreadable {
            path: path.to_owned(),
            why: vec![error],
        })
    })
}

fn print(said: &[String]) -> Result<(), CliError> {
    output::write(|out| said.iter().try_for_each(|line| writeln!(out, "{line}")))
}

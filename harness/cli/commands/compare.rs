//! `halfway compare`: what differs between two recorded runs.

use crate::cli::args::{CompareArgs, CompareFormat};
use crate::cli::{CliError, Exit, output};
use crate::compare::{Evidences, compare, json, markdown, text};
use crate::gate::unusable;
use crate::results::{Ran, Record, RecordError};
use crate::runner::Event;
use miette::Diagnostic;
use thiserror::Error;

/// Why two runs cannot be compared.
#[derive(Debug, Error, Diagnostic)]
enum CompareError {
    #[error("the record {path} does not tell its whole run: {why}")]
    #[diagnostic(help("`halfway run --resume {path}` goes on with it"))]
    Incomplete { path: String, why: String },
}

/// Compares two recorded runs. The exit code says whether their cases, verdicts and
/// signatures are the same.
///
/// # Errors
/// There is no such record, it cannot be read or does not tell its whole run, or the two
/// were made from different catalogues.
pub fn execute(args: &CompareArgs) -> Result<Exit, CliError> {
    let records = [
        Record::find(&args.results, &args.a)?,
        Record::find(&args.results, &args.b)?,
    ];
    let (a, b) = (Ran::read(&records[0])?, Ran::read(&records[1])?);
    for run in [&a, &b] {
        if let Some(why) = run.incomplete() {
            let path = run.path.clone();
            return Err(CliError::infrastructure(CompareError::Incomplete {
                path,
                why,
            }));
        }
    }
    unusable::usable([&a, &b])?;
    let comparison = compare(&a, &b);
    let ids = comparison.to_show();
    let evidence = (evidence(&records[0], &ids)?, evidence(&records[1], &ids)?);
    output::write(|out| match args.format {
        CompareFormat::Text => text::write(&comparison, &evidence, out),
        CompareFormat::Markdown => markdown::write(&comparison, &evidence, out),
        CompareFormat::Json => json::write(&comparison, &evidence, out),
    })?;
    Ok(match (comparison.both, comparison.is_same()) {
        (0, _) => Exit::Unjudged,
        (_, true) => Exit::Pass,
        (_, false) => Exit::Kernel,
    })
}

/// The evidence of these cases.
fn evidence(record: &Record, ids: &[&str]) -> Result<Evidences, RecordError> {
    let mut found = Evidences::new();
    if ids.is_empty() {
        return Ok(found);
    }
    record.each_event(|event| {
        if let Event::CaseFinished {
            id,
            verdict,
            retried: false,
            ..
        } = event.event
            && ids.contains(&&*id)
        {
            found.insert(id, verdict.evidence);
        }
    })?;
    Ok(found)
}

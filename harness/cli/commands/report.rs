//! `halfway report`: recorded runs in the formats of other programs.

use crate::cli::args::{ReportArgs, Wanted};
use crate::cli::{CliError, Exit, output};
use crate::export::Format;
use crate::results::{Ran, Record, whole};
use miette::Diagnostic;
use std::collections::HashSet;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a report cannot be written.
#[derive(Debug, Error, Diagnostic)]
enum ReportError {
    #[error("failed to write the report {}", path.display())]
    #[diagnostic(help(
        "the record is kept: `halfway report` writes it again, to a file that can be written"
    ))]
    Write { path: PathBuf, source: io::Error },
    #[error("nothing was started: there is no directory {} for a report", path.display())]
    #[diagnostic(help("make it, or name a file in a directory that exists"))]
    Directory { path: PathBuf },
    #[error("nothing was started: two reports would go to {where_to}")]
    #[diagnostic(help("name a file for each"))]
    Twice { where_to: String },
}

/// Writes recorded runs in a format. The exit code says whether that worked, not how the
/// runs ended.
///
/// # Errors
/// There is no such record, it cannot be read, or the report cannot be written.
pub fn execute(args: &ReportArgs) -> Result<Exit, CliError> {
    let mut runs = Vec::new();
    for run in &args.runs {
        runs.push(Ran::read(&Record::find(&args.results, run)?)?);
    }
    write(args.format, args.output.as_deref(), &runs)?;
    Ok(Exit::Pass)
}

/// Checks, before a run starts, what would later keep its reports from being written.
pub(super) fn ready(reports: &[Wanted]) -> Result<(), CliError> {
    let mut places = HashSet::new();
    for wanted in reports {
        let place = wanted.file.as_deref();
        if !places.insert(place) {
            let where_to = place.map_or("standard output".into(), Path::to_string_lossy);
            let where_to = where_to.into_owned();
            return Err(CliError::usage(ReportError::Twice { where_to }));
        }
        if let Some(path) = place.map(whole::directory).filter(|path| !path.is_dir()) {
            let path = path.to_owned();
            return Err(CliError::usage(ReportError::Directory { path }));
        }
    }
    Ok(())
}

/// Writes `runs` to `file`, or to standard output.
pub(super) fn write(format: Format, file: Option<&Path>, runs: &[Ran]) -> Result<(), CliError> {
    let Some(path) = file else {
        return output::write(|out| format.write(runs, out));
    };
    replace(path, |out| format.write(runs, out)).map_err(|source| {
        let path = path.to_owned();
        CliError::infrastructure(ReportError::Write { path, source })
    })
}

/// Writes a file whole or not at all.
fn replace(path: &Path, body: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    // A device or a pipe, such as /dev/stdout, cannot be replaced.
    if path.exists() && !path.is_file() {
        let mut out = BufWriter::new(std::fs::OpenOptions::new().append(true).open(path)?);
        body(&mut out)?;
        return out.flush();
    }
    whole::write(path, body)
}

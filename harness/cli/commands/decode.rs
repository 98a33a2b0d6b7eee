//! `halfway decode`: prints what a kernel's text reports.

use crate::cli::args::DecodeArgs;
use crate::cli::{CliError, Exit, output};
use crate::results::text;
use halfway_crash::Report;
use miette::Diagnostic;
use serde::Serialize;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// How many stack frames are printed of each report.
const FRAMES: usize = 12;

/// A text that could not be read.
#[derive(Debug, Error, Diagnostic)]
#[error("failed to read the text {}", path.display())]
#[diagnostic(help("`-` reads standard input; a directory stands for the files in it"))]
struct DecodeError {
    path: PathBuf,
    source: io::Error,
}

/// The reports that were found in one text.
#[derive(Serialize)]
struct Decoded<'a> {
    source: &'a str,
    reports: &'a [Report],
}

/// Decodes each text and prints its reports. Exits with 125 if no text has a report.
///
/// # Errors
/// A text could not be read.
pub fn execute(args: &DecodeArgs) -> Result<Exit, CliError> {
    let mut any = false;
    for path in &args.files {
        for path in members(path).map_err(CliError::usage)? {
            let text = read(&path).map_err(CliError::usage)?;
            let reports = halfway_crash::decode(&text);
            any |= !reports.is_empty();
            let source = path.to_string_lossy();
            let source = if source == "-" {
                "standard input"
            } else {
                &source
            };
            output::write(|out| match args.json {
                true => {
                    let reports = &reports;
                    let line = serde_json::to_string(&Decoded { source, reports })?;
                    writeln!(out, "{line}")
                }
                false => show(out, source, &reports),
            })?;
        }
    }
    Ok(if any { Exit::Pass } else { Exit::Unjudged })
}

/// The files that a path stands for, sorted by name.
fn members(path: &Path) -> Result<Vec<PathBuf>, DecodeError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let failed = |source| DecodeError {
        path: path.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in path.read_dir().map_err(failed)? {
        let entry = entry.map_err(failed)?.path();
        if entry.is_file() {
            files.push(entry);
        }
    }
    files.sort();
    Ok(files)
}

/// Reads a text, up to the size limit of the decoder.
fn read(path: &Path) -> Result<String, DecodeError> {
    let most = halfway_crash::clean::TEXT as u64;
    let mut bytes = Vec::new();
    let done = match path.as_os_str() == "-" {
        true => io::stdin().take(most).read_to_end(&mut bytes),
        false => std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes)),
    };
    done.map_err(|source| DecodeError {
        path: path.to_owned(),
        source,
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn show(out: &mut dyn Write, source: &str, reports: &[Report]) -> io::Result<()> {
    writeln!(out, "{}:", text::line(source))?;
    if reports.is_empty() {
        writeln!(out, "  no report of a kernel's was found")?;
    }
    for (index, report) in reports.iter().enumerate() {
        writeln!(out, "  {}", text::line(&report.title))?;
        let mut say = |name: &str, value: &str| -> io::Result<()> {
            writeln!(out, "    {name:>9}  {}", text::line(value))
        };
        if let Some(cause) = report.echo_of.and_then(|cause| reports.get(cause)) {
            say("echo of", &cause.title)?;
        }
        say("line", &report.line.to_string())?;
        let facts = &report.facts;
        let words = [
            ("file", report.file.clone()),
            ("kernel", facts.release.clone()),
            ("build", facts.build.clone()),
            (
                "taint",
                facts.taint.clone().filter(|taint| !taint.is_empty()),
            ),
            ("task", facts.task.clone()),
            ("sector", facts.sector.map(|sector| sector.to_string())),
            ("size", facts.size.map(|size| format!("{size} bytes"))),
            ("operation", facts.operation.clone()),
            (
                "devices",
                Some(facts.devices.join(", ")).filter(|all| !all.is_empty()),
            ),
            ("code", facts.code.clone()),
        ];
        for (name, value) in words {
            if let Some(value) = value {
                say(name, &value)?;
            }
        }
        for frame in report.frames.iter().take(FRAMES) {
            let mut words = frame.function.clone();
            for more in [&frame.file, &frame.module].into_iter().flatten() {
                words += &format!(" ({more})");
            }
            say("frame", &words)?;
        }
        if index + 1 < reports.len() {
            writeln!(out)?;
        }
    }
    Ok(())
}

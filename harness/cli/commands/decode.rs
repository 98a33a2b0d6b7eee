//! `halfway decode`: prints what a kernel's text reports.

use crate::cli::args::DecodeArgs;
use crate::cli::{CliError, Exit, output};
use crate::results::text;
use halfway_crash::{Frame, Report};
use halfway_symbols::{OpenError, Symbols};
use miette::Diagnostic;
use serde::Serialize;
use std::collections::BTreeSet;
use std::error::Error as _;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// How many stack frames are printed of each report.
const FRAMES: usize = 12;

/// A text that cannot be decoded.
#[derive(Debug, Error, Diagnostic)]
pub(super) enum DecodeError {
    /// The system does not let it be read.
    #[error("failed to read the text {}", path.display())]
    #[diagnostic(help("`-` reads standard input; a directory stands for the files in it"))]
    Read { path: PathBuf, source: io::Error },
    /// It is compressed.
    #[error("{} is compressed ({format}), and no text", path.display())]
    #[diagnostic(help("unpack it: `{program} FILE | halfway {command} -`"))]
    Compressed {
        path: PathBuf,
        format: &'static str,
        program: &'static str,
        command: &'static str,
    },
}

/// The first bytes of compressed files, the format, and what unpacks it.
const COMPRESSED: [(&[u8], &str, &str); 4] = [
    (b"\x1f\x8b", "gzip", "zcat"),
    (b"\xfd7zXZ\0", "xz", "xzcat"),
    (b"\x28\xb5\x2f\xfd", "zstd", "zstdcat"),
    (b"BZh", "bzip2", "bzcat"),
];

/// Symbols that cannot be had.
#[derive(Debug, Error, Diagnostic)]
#[error("--symbols is of no use")]
#[diagnostic(help(
    "give a vmlinux or a module with debug information, or a directory of them, such as a build tree"
))]
struct SymbolsError(#[source] OpenError);

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
    let symbols = args.symbols.as_deref().map(Symbols::open).transpose();
    let mut symbols = symbols.map_err(|error| CliError::usage(SymbolsError(error)))?;
    let mut any = false;
    for given in &args.files {
        for path in members(given).map_err(CliError::usage)? {
            let text = match read(&path, "decode") {
                Ok(text) => text,
                // Among the files of a directory it is passed over.
                Err(error @ DecodeError::Compressed { .. }) if path != *given => {
                    note(&error.to_string());
                    continue;
                }
                Err(error) => return Err(CliError::usage(error)),
            };
            let mut reports = halfway_crash::decode(&text);
            if let Some(symbols) = &mut symbols {
                locate(&mut reports, symbols);
            }
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

/// Gives the frames their source lines. Says on standard error why others have
/// none, once for each reason.
fn locate(reports: &mut [Report], symbols: &mut Symbols) {
    let mut said = BTreeSet::new();
    for report in reports {
        let mut frames = Vec::new();
        for mut frame in std::mem::take(&mut report.frames) {
            let Some(symbol) = frame.symbol.as_ref() else {
                frames.push(frame);
                continue;
            };
            let module = frame.module.as_deref();
            let (name, offset, size) = (&symbol.name, symbol.offset, symbol.size);
            match symbols.places(module, name, offset, size, symbol.after_call) {
                Ok(places) => {
                    for place in places.iter().filter(|place| place.inlined) {
                        frames.push(Frame {
                            function: place.function.clone(),
                            file: place.file.clone(),
                            module: frame.module.clone(),
                            inlined: true,
                            symbol: None,
                        });
                    }
                    if let Some(place) = places.iter().find(|place| !place.inlined) {
                        frame.file = place.file.clone().or(frame.file);
                    }
                    if report.file.is_none() && report.function.as_ref() == Some(&frame.function) {
                        report.file.clone_from(&frame.file);
                    }
                }
                Err(Some(miss)) => {
                    said.insert(format!("{name}+{offset:#x}/{size:#x}: {miss}"));
                }
                Err(None) => {
                    let of = module.unwrap_or("the kernel itself (vmlinux)");
                    said.insert(format!("no file with symbols of {of}"));
                }
            }
            frames.push(frame);
        }
        report.frames = frames;
    }
    for error in symbols.useless() {
        let mut words = error.to_string();
        let mut why = error.source();
        while let Some(source) = why {
            words += &format!(": {source}");
            why = source.source();
        }
        said.insert(words);
    }
    for line in said {
        note(&line);
    }
}

/// Says something on standard error. That it cannot be said is no reason to
/// stop.
fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "halfway: {}", text::line(line));
}

/// The files that a path stands for, sorted by name.
fn members(path: &Path) -> Result<Vec<PathBuf>, DecodeError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let failed = |source| DecodeError::Read {
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

/// Reads a text, up to the size limit of the decoder. `command` is what reads it, for the
/// hints.
pub(super) fn read(path: &Path, command: &'static str) -> Result<String, DecodeError> {
    // One byte more tells whether there is more.
    let most = halfway_crash::clean::TEXT as u64 + 1;
    let mut bytes = Vec::new();
    let done = match path.as_os_str() == "-" {
        true => io::stdin().take(most).read_to_end(&mut bytes),
        false => std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes)),
    };
    done.map_err(|source| DecodeError::Read {
        path: path.to_owned(),
        source,
    })?;
    if let Some((_, format, program)) =
        (COMPRESSED.iter()).find(|(magic, ..)| bytes.starts_with(magic))
    {
        return Err(DecodeError::Compressed {
            path: path.to_owned(),
            format,
            program,
            command,
        });
    }
    if bytes.len() as u64 == most {
        let name = path.display();
        note(&format!(
            "{name}: only the first {} MiB are read; `tail -c 4M FILE | halfway {command} -` reads its end",
            halfway_crash::clean::TEXT >> 20
        ));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Prints the reports of a text.
pub(super) fn show(out: &mut dyn Write, source: &str, reports: &[Report]) -> io::Result<()> {
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
            if frame.inlined {
                words += " (inlined)";
            }
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

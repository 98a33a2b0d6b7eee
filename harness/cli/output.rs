//! Standard output, for what a command prints, and standard error, for what it says while
//! it works.

use super::CliError;
use miette::Diagnostic;
use std::fmt::Display;
use std::io::{self, BufWriter, ErrorKind, Write};
use thiserror::Error;

/// Standard output could not be written.
#[derive(Debug, Error, Diagnostic)]
#[error("failed to write to standard output")]
struct OutputError(#[source] io::Error);

/// Lets `body` write to standard output, in colours where they are wanted. It is no error
/// if the reader has gone away (`halfway list | head`).
///
/// # Errors
/// The output was not written for another reason, such as a full disk.
pub fn write(body: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), CliError> {
    let mut out = BufWriter::new(anstream::stdout());
    match body(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(CliError::infrastructure(OutputError(error)))
        }
        _ => Ok(()),
    }
}

/// Prints a line on standard error. It is no error if nobody reads it (`halfway list 2>&1
/// | head`): the exit code has the result.
pub fn say(line: impl Display) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

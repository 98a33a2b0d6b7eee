//! Standard output: what a command prints, as opposed to what it says while it
//! works, which goes to standard error.

use super::CliError;
use miette::Diagnostic;
use std::io::{self, BufWriter, ErrorKind, Write};
use thiserror::Error;

/// Standard output could not be written.
#[derive(Debug, Error, Diagnostic)]
#[error("failed to write to standard output")]
struct OutputError(#[source] io::Error);

/// Lets `body` write to standard output, in colours where they are wanted. That
/// the reader went away (`halfway list | head`) is not an error.
///
/// # Errors
/// What was written did not arrive for another reason, such as a full disk.
pub fn write(body: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), CliError> {
    let mut out = BufWriter::new(anstream::stdout());
    match body(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(CliError::infrastructure(OutputError(error)))
        }
        _ => Ok(()),
    }
}

//! `halfway schema`: the JSON Schema of scenario files, for editors.

use crate::cli::args::SchemaArgs;
use crate::cli::{CliError, Exit, output};

/// Prints the schema.
///
/// # Errors
/// Standard output could not be written.
pub fn execute(_args: &SchemaArgs) -> Result<Exit, CliError> {
    output::write(|out| writeln!(out, "{}", halfway_scenario::schema().trim_end()))?;
    Ok(Exit::Pass)
}

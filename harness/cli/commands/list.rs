//! `halfway list`: the cases, by id and in words.

use crate::cli::args::ListArgs;
use crate::cli::select::Choice;
use crate::cli::{CliError, Exit, output};
use crate::report::table;
use owo_colors::OwoColorize;

/// Prints the cases.
///
/// # Errors
/// A scenario is invalid, or no case is selected.
pub fn execute(args: &ListArgs) -> Result<Exit, CliError> {
    let choice = Choice::new(&args.select)?;
    output::write(|out| {
        for case in choice.cases() {
            if args.json {
                serde_json::to_writer(&mut *out, &case)?;
                writeln!(out)?;
            } else {
                writeln!(out, "{}  {}", case.id, case.dimmed())?;
            }
        }
        Ok(())
    })?;
    if let Some(sampled) = table::sampled(choice.cases, choice.whole) {
        output::say(sampled);
    }
    Ok(Exit::Pass)
}

//! `halfway explain`: what each case injects, and what a correct kernel must do.

use crate::cli::args::ExplainArgs;
use crate::cli::select::Choice;
use crate::cli::{CliError, Exit, output};
use crate::report::table;
use owo_colors::OwoColorize;

/// Prints an explanation of each case.
///
/// # Errors
/// A scenario is invalid, or no case is selected.
pub fn execute(args: &ExplainArgs) -> Result<Exit, CliError> {
    let choice = Choice::new(&args.select)?;
    output::write(|out| {
        for case in choice.cases() {
            let text = halfway_oracle::explain(&case);
            let (id, rest) = text.split_once('\n').unwrap_or((&text, ""));
            writeln!(out, "{}\n{rest}", id.bold())?;
        }
        Ok(())
    })?;
    if let Some(sampled) = table::sampled(choice.cases, choice.whole) {
        output::say(sampled);
    }
    Ok(Exit::Pass)
}

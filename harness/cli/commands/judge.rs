//! `halfway judge`: judges recorded observations again, with the judge of this version.

use crate::cli::args::JudgeArgs;
use crate::cli::{CliError, Context, Exit, exit, output};
use crate::report::{Verbosity, lines};
use crate::results::{Recorded, Tally, text};

/// Judges recorded cases. Exits as a run of these cases would.
///
/// # Errors
/// A file is not a readable recorded case.
pub fn execute(args: &JudgeArgs, ctx: &Context) -> Result<Exit, CliError> {
    let mut tally = Tally::default();
    for path in &args.files {
        let recorded = Recorded::read(path).map_err(CliError::usage)?;
        let verdict = recorded.judge();
        tally[verdict.outcome] += 1;
        output::write(|out| {
            let label = verdict.outcome.to_string();
            let text = lines::case(&recorded.case.id, &verdict, None);
            writeln!(
                out,
                "{}",
                lines::labelled(&label, lines::style(verdict.outcome), &text)
            )?;
            if ctx.verbosity == Verbosity::Quiet {
                return Ok(());
            }
            for difference in verdict.differences.iter().skip(1) {
                let witness = difference.witness.to_string();
                writeln!(
                    out,
                    "{}",
                    lines::more(&witness, &text::line(&difference.text))
                )?;
            }
            for line in lines::evidence(&verdict.evidence) {
                writeln!(out, "{line}")?;
            }
            Ok(())
        })?;
    }
    Ok(exit::exit_code(&tally, false))
}

//! `halfway judge`: judges recorded observations again, with the judge of this version.

use crate::cli::args::JudgeArgs;
use crate::cli::{CliError, Context, Exit, exit, output};
use crate::report::{Verbosity, lines};
use crate::results::{Tally, text};
use crate::runner::event::Details;
use halfway_case::Case;
use halfway_case::observation::Observation;
use miette::Diagnostic;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a recorded case cannot be judged.
#[derive(Debug, Error, Diagnostic)]
enum JudgeError {
    #[error("failed to read the recorded case {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is not a recorded case", path.display())]
    #[diagnostic(help("recorded cases are the files cases/*.json of a run record"))]
    Parse {
        path: PathBuf,
        source: serde_json::Error,
    },
    #[error("{} holds no observation: that case never reached a machine", path.display())]
    Unobserved { path: PathBuf },
}

/// Judges recorded cases. Exits as a run of these cases would.
///
/// # Errors
/// A file is not a readable recorded case.
pub fn execute(args: &JudgeArgs, ctx: &Context) -> Result<Exit, CliError> {
    let mut tally = Tally::default();
    for path in &args.files {
        let (case, observation) = read(path).map_err(CliError::usage)?;
        let verdict = halfway_oracle::judge(&case, &observation);
        tally[verdict.outcome] += 1;
        output::write(|out| {
            let label = verdict.outcome.to_string();
            let text = lines::case(&case.id, &verdict, None);
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

fn read(path: &Path) -> Result<(Case, Observation), JudgeError> {
    let path = path.to_owned();
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(source) => return Err(JudgeError::Read { path, source }),
    };
    match serde_json::from_slice(&text) {
        Ok(Details {
            case,
            observation: Some(observation),
            ..
        }) => Ok((case, observation)),
        Ok(_) => Err(JudgeError::Unobserved { path }),
        Err(source) => Err(JudgeError::Parse { path, source }),
    }
}

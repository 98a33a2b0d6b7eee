//! `halfway show`: prints a recorded run as it was shown when it ended.

use crate::cli::args::ShowArgs;
use crate::cli::{CliError, Context, Exit, exit, output};
use crate::report::{Options, Terminal};
use crate::results::{Record, RecordError, Summary};

/// Prints a run from its record alone. Exits as the run did.
///
/// # Errors
/// There is no such record, or it cannot be read.
pub fn execute(args: &ShowArgs, ctx: &Context) -> Result<Exit, CliError> {
    let record = Record::find(&args.results, &args.run)?;
    let options = Options {
        verbosity: ctx.verbosity,
        live: false,
        record: Some(record.path().to_owned()),
        seed: Some(record.manifest().seed),
    };
    let mut failed = None;
    let mut exit = Exit::Unjudged;
    output::write(|out| {
        let mut terminal = Terminal::new(out, options, Summary::default()).of_record();
        match replay(&record, &mut terminal) {
            Ok(()) => {
                let summary = terminal.summary();
                exit = exit::exit_code(&summary.tally(), summary.interrupted());
                terminal.close();
            }
            Err(error) => failed = Some(error),
        }
        Ok(())
    })?;
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(exit),
    }
}

fn replay<W: std::io::Write>(
    record: &Record,
    terminal: &mut Terminal<W>,
) -> Result<(), RecordError> {
    let unreadable = record.each_event(|event| terminal.event(&event))?;
    terminal.unreadable(unreadable);
    Ok(())
}

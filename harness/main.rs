//! The command line.

use clap::Parser;
use halfway::cli::{Cli, CliError, Context, Exit, commands, output};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let context = Context::new(&cli, std::env::args_os().skip(1));
    // One thread: the parent-death signal of a machine (PR_SET_PDEATHSIG) comes
    // when the thread that forked it ends.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(commands::execute(&cli.command, &context)),
        Err(error) => Err(CliError {
            exit: Exit::Infrastructure,
            report: miette::miette!("failed to start the event loop: {error}"),
        }),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(CliError { exit, report }) => {
            output::say(format_args!("{report:?}"));
            exit.into()
        }
    }
}

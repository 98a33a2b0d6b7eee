//! The command line: the options, the commands, and what the program prints.
//!
//! * [`args`]: the options, for `clap`.
//! * [`exit`]: the exit codes.
//! * [`error`]: an error with its exit code; [`CliError`].
//! * [`select`]: turns paths and options into cases.
//! * [`follow`]: passes a run's events to the record and to the terminal.
//! * [`guest`]: turns options into what the cases run on.
//! * [`player`]: runs the cases of a search for a smaller one, on a lab.
//! * [`ids`]: cases that are named by id.
//! * [`interrupt`]: what Ctrl-C does to a run.
//! * [`output`]: standard output.
//! * [`commands`]: the commands, a file each.

mod args;
mod commands;
mod error;
pub(crate) mod exit;
mod follow;
mod guest;
mod ids;
mod interrupt;
mod output;
mod player;
mod select;

use args::Cli;
use error::CliError;
use exit::Exit;

use crate::report::Verbosity;
use clap::Parser;
use std::ffi::OsString;
use std::process::ExitCode;

/// The program: does what its command line asks for. Gives how it exits.
pub fn main() -> ExitCode {
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

/// What every command gets.
#[derive(Clone, Debug)]
struct Context {
    /// How much is said.
    pub verbosity: Verbosity,
    /// The command line's arguments, without the program's name.
    pub arguments: Vec<String>,
}

impl Context {
    /// Made from the parsed command line and its raw arguments. Also decides, for the
    /// whole process, whether colours are used.
    pub fn new(cli: &Cli, arguments: impl IntoIterator<Item = OsString>) -> Self {
        if cli.global.no_color {
            anstream::ColorChoice::Never.write_global();
        }
        let color =
            anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
        // Long lines are not wrapped, so that a path or a command can be copied whole.
        // Setting the hook fails only if it is set already, and then it is this one.
        let _ = miette::set_hook(Box::new(move |_| {
            Box::new(
                miette::MietteHandlerOpts::new()
                    .color(color)
                    .wrap_lines(false)
                    .build(),
            )
        }));
        Context {
            verbosity: match (cli.global.quiet, cli.global.verbose) {
                (true, _) => Verbosity::Quiet,
                (_, 0) => Verbosity::Normal,
                (_, 1) => Verbosity::Cases,
                _ => Verbosity::All,
            },
            arguments: arguments
                .into_iter()
                .map(|argument| argument.to_string_lossy().into_owned())
                .collect(),
        }
    }
}

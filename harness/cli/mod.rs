//! The command line: the options, the commands, and what the program prints.
//!
//! * [`args`]: the options, for `clap`.
//! * [`exit`]: the exit codes.
//! * [`error`]: an error with its exit code; [`CliError`].
//! * [`select`]: turns paths and options into cases.
//! * [`follow`]: passes a run's events to the record and to the terminal.
//! * [`guest`]: turns options into what the cases run on.
//! * [`interrupt`]: what Ctrl-C does to a run.
//! * [`output`]: standard output.
//! * [`commands`]: the commands, a file each.

pub mod args;
pub mod commands;
pub mod error;
pub mod exit;
pub mod follow;
pub mod guest;
pub mod interrupt;
pub mod output;
pub mod select;

pub use args::Cli;
pub use error::CliError;
pub use exit::Exit;

use crate::report::Verbosity;
use std::ffi::OsString;

/// What every command gets.
#[derive(Clone, Debug)]
pub struct Context {
    /// How much is printed.
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

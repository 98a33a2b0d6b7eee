//! The command line: what can be asked for, and what the program answers with.
//!
//! * [`args`]: the options, for `clap`.
//! * [`exit`]: the exit codes.
//! * [`error`]: an error with its exit code; [`CliError`].
//! * [`select`]: from paths and options to cases.
//! * [`follow`]: takes a run's events to the record and to the terminal.
//! * [`guest`]: from options to what the cases run on.
//! * [`interrupt`]: what Ctrl-C does to a run.
//! * [`output`]: standard output.
//! * [`commands`]: what each command does, a file each.

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

/// What holds for every command.
#[derive(Clone, Debug)]
pub struct Context {
    /// How much is said.
    pub verbosity: Verbosity,
    /// The command line's arguments, without the program's name.
    pub arguments: Vec<String>,
}

impl Context {
    /// From the command line and its raw arguments. Settles for the whole
    /// process whether colours are used.
    pub fn new(cli: &Cli, arguments: impl IntoIterator<Item = OsString>) -> Self {
        if cli.global.no_color {
            anstream::ColorChoice::Never.write_global();
        }
        let color =
            anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
        // Unwrapped, so that a path or a command can be copied whole.
        // Fails only if it was done before, and then it is right already.
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

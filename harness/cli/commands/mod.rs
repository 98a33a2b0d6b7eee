//! The commands, a file each.

pub mod audit;
mod benchmark;
pub mod bisect;
pub mod compare;
pub mod controls;
pub mod decode;
pub mod doctor;
pub mod explain;
pub mod explore;
pub mod gate;
pub mod janitor;
pub mod judge;
pub mod kernels;
pub mod list;
pub mod minimise;
mod options;
pub mod reach;
pub mod report;
pub mod reproduce;
pub mod run;
pub mod schema;
pub mod shell;
pub mod show;

use super::args::Command;
use super::{CliError, Context, Exit};

/// Executes the command that the command line names.
///
/// # Errors
/// Each command documents its own. The error carries the exit code.
pub async fn execute(command: &Command, ctx: &Context) -> Result<Exit, CliError> {
    match command {
        Command::Run(args) => run::execute(args, ctx).await,
        Command::Explore(args) => explore::execute(args, ctx).await,
        Command::Bisect(args) => bisect::execute(args, ctx).await,
        Command::List(args) => list::execute(args),
        Command::Explain(args) => explain::execute(args),
        Command::Doctor(args) => doctor::execute(args, ctx).await,
        Command::Shell(args) => shell::execute(args, ctx).await,
        Command::Minimise(args) => minimise::execute(args, ctx).await,
        Command::Show(args) => show::execute(args, ctx),
        Command::Compare(args) => compare::execute(args),
        Command::Gate(args) => gate::execute(args),
        Command::Report(args) => report::execute(args),
        Command::Judge(args) => judge::execute(args, ctx),
        Command::Decode(args) => decode::execute(args),
        Command::Reproduce(args) => reproduce::execute(args, ctx).await,
        Command::Reach(args) => reach::execute(args, ctx).await,
        Command::Kernels(args) => kernels::execute(args, ctx).await,
        Command::Audit(args) => audit::execute(args, ctx).await,
        Command::Controls(args) => controls::execute(args, ctx).await,
        Command::Schema(args) => schema::execute(args),
        Command::Janitor { directory } => janitor::execute(directory),
    }
}

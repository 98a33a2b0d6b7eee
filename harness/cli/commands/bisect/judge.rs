//! Judges one kernel: runs the cases on it and reads the record.

use crate::bisect::evidence::{Evidence, Run};
use crate::bisect::search::Mark;
use crate::bisect::sought::Sought;
use crate::bisect::words;
use crate::cli::args::{BisectArgs, GuestArgs, RunArgs};
use crate::cli::commands::run;
use crate::cli::interrupt::Interrupt;
use crate::cli::select::Choice;
use crate::cli::{CliError, Context, Exit, output};
use crate::results::{Ran, Record, text};
use std::path::PathBuf;

/// What the user looks for. `None` if the bad end is to show it.
pub(super) fn wanted(args: &BisectArgs) -> Option<Sought> {
    match (args.any_failure, args.failure.is_empty()) {
        (true, _) => Some(Sought::Any),
        (false, false) => Some(Sought::These(args.failure.clone())),
        (false, true) => None,
    }
}

/// Judges the kernel of `--judge` alone. Without `--failure` every failure makes it bad.
///
/// # Errors
/// Signals cannot be listened for, or standard output cannot be written.
pub(super) async fn alone(
    kernel: &str,
    args: &BisectArgs,
    ctx: &Context,
) -> Result<Exit, CliError> {
    let interrupt = super::listen()?;
    let sought = wanted(args).unwrap_or(Sought::Any);
    let evidence = judge(kernel, args, &sought, &interrupt, ctx).await;
    if *interrupt.stop.borrow() {
        return Ok(Exit::Stop);
    }
    output::write(|out| writeln!(out, "{}", words::line(kernel, &evidence)))?;
    Ok(match evidence.mark {
        Mark::Good => Exit::Pass,
        Mark::Bad => Exit::Kernel,
        Mark::Unjudged => Exit::Unjudged,
    })
}

/// Runs the cases on a kernel, as often as was asked for. Whatever goes wrong is a reason
/// why the kernel is not judged.
pub(super) async fn judge(
    kernel: &str,
    args: &BisectArgs,
    sought: &Sought,
    interrupt: &Interrupt,
    ctx: &Context,
) -> Evidence {
    let mut runs = Vec::new();
    for _ in 0..args.repeat.get() {
        if *interrupt.stop.borrow() {
            break;
        }
        let run = match once(kernel, args, ctx).await {
            Ok(ran) => Run::of(&ran.cases, ran.incomplete(), sought),
            Err(error) => Run::Nothing(reason(&error)),
        };
        let over = matches!(run, Run::Nothing(_));
        runs.push(run);
        if over {
            break;
        }
    }
    Evidence::of(&runs)
}

/// Runs the cases once.
async fn once(kernel: &str, args: &BisectArgs, ctx: &Context) -> Result<Ran, CliError> {
    let guest = GuestArgs {
        kernel: Some(kernel.to_owned()),
        modules: None,
        control: None,
        accel: args.accel,
    };
    let results = args.results.clone();
    let run = RunArgs {
        select: args.select.clone(),
        ..RunArgs::of_chosen(guest, args.jobs, args.seed, results, args.timeout)
    };
    let choice = Choice::new(&args.select)?;
    let (_, path): (_, PathBuf) = run::perform(&run, Some(choice), ctx).await?;
    Ok(Ran::read(&Record::open(&path)?)?)
}

/// An error in one line, with what caused it.
fn reason(error: &CliError) -> String {
    let causes: Vec<String> = error
        .report
        .chain()
        .map(|cause| cause.to_string())
        .collect();
    text::line(&causes.join(": ")).into_owned()
}

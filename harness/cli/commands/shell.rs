//! `halfway shell`: opens a shell in a guest with the stack built and the fault armed.

use crate::cli::args::ShellArgs;
use crate::cli::guest;
use crate::cli::select::Choice;
use crate::cli::{CliError, Context, Exit};
use crate::guest::channel::Channel;
use crate::machine::Wreck;
use crate::machine::command::SHELL_PORT;
use crate::provision::Provisions;
use crate::runner::images::Lack;
use crate::runner::stack;
use crate::runner::{Needs, Station, StationError, case_seed, plan, station::Blueprint};
use crate::shell::bench::Bench;
use crate::shell::session::{self, End};
use crate::shell::terminal;
use halfway_case::Case;
use halfway_case::Fitting;
use halfway_case::OnError;
use miette::Diagnostic;
use std::io;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

/// Why there is no shell.
#[derive(Debug, Error, Diagnostic)]
enum ShellError {
    #[error("no machine could be had")]
    Station(#[source] StationError),
    #[error("the case cannot be set up here: {0}")]
    Skipped(Lack),
    #[error("failed to make a private directory")]
    Directory(#[source] io::Error),
    #[error("the guest has no port for a shell")]
    Port,
    #[error("failed to set the case up: {0}")]
    SetUp(String),
    #[error("the guest gave no shell: {0}")]
    Refused(String),
    #[error("failed to join this terminal to the guest's shell")]
    Terminal(#[source] io::Error),
    #[error("QEMU ended ({status}): {stderr}")]
    Qemu { status: String, stderr: String },
}

/// Opens a shell for the first case that the arguments select. Exits with the status of
/// the shell.
///
/// # Errors
/// The scenario is invalid, or the guest does not come up.
pub async fn execute(args: &ShellArgs, ctx: &Context) -> Result<Exit, CliError> {
    let choice = Choice::of_file(&args.file, args.filter.clone())?;
    let Some(mut case) = choice.cases().next() else {
        return Ok(Exit::Unjudged);
    };
    // With `stop`, QEMU would stop the machine on an error, and nobody would continue it.
    case.legs.on_error = OnError::Report;
    let guest = guest::prepare(&args.guest, ctx, &Needs::of([&case]), true).await?;
    LocalSet::new()
        .run_until(open(&case, &guest, args))
        .await
        .map_err(CliError::infrastructure)
}

async fn open(case: &Case, guest: &Provisions, args: &ShellArgs) -> Result<Exit, ShellError> {
    for note in &guest.notes {
        eprintln!("{note}");
    }
    let members = plan::members([case]);
    let boot = guest
        .images
        .boot(&guest.boot, case)
        .map_err(ShellError::Skipped)?;
    let blueprint = Blueprint {
        boot: &boot,
        fitting: Fitting::of(case),
        members: &members,
        patience: Duration::from_secs(30),
        spare: stack::spare([case]),
        shell: true,
    };
    let directory = guest.workshop.directory().map_err(ShellError::Directory)?;
    let mut station = Station::start(&blueprint, directory, |_| {})
        .await
        .map_err(ShellError::Station)?;
    let stream = station.shell.take().ok_or(ShellError::Port)?;
    let timeout = Duration::from_secs(args.timeout.get().into());
    let seed = case_seed(args.seed, &case.id);
    let bench = Bench::build(&mut station, case.clone(), seed, timeout);
    let mut bench = bench.await.map_err(ShellError::SetUp)?;
    eprint!("{}", halfway_oracle::explain(case));
    if terminal::of_user().is_some() {
        eprint!("{}", bench.help());
    }
    bench.open(SHELL_PORT).await.map_err(ShellError::Refused)?;

    let (ask, questions) = mpsc::unbounded_channel();
    let (answer, answers) = mpsc::unbounded_channel();
    let joined = session::join(Channel::new(stream), ask, answers);
    let end = tokio::select! {
        end = joined => end.map_err(ShellError::Terminal)?,
        () = bench.serve(questions, answer) => End::Gone,
    };
    // A kernel that panics may still be printing its reason.
    if end == End::Gone {
        station.machine.ended_within(LAST_WORDS).await;
    }
    exit(end, &station.machine.end().await)
}

/// How long QEMU may take to end after its guest has gone.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Maps the end of a session to the exit code, and prints what there is to say.
fn exit(end: End, wreck: &Wreck) -> Result<Exit, ShellError> {
    let crash = halfway_crash::find(&wreck.console);
    if let Some(crash) = &crash {
        // Print the long part first: the user looks at the last lines.
        eprintln!(
            "{}\nThe guest's kernel said: {}",
            crash.excerpt, crash.title
        );
    }
    match end {
        End::Exited(status) => Ok(Exit::Shell(status)),
        End::Left => Ok(Exit::Pass),
        End::Signalled => Ok(Exit::Infrastructure),
        End::Failed(why) => Err(ShellError::Refused(why)),
        End::Gone if crash.is_some() => Ok(Exit::Kernel),
        End::Gone => match wreck.status.as_deref() {
            // QEMU ends by itself with status 0 after `reboot -f` in the guest.
            Some("exit status 0") => {
                eprintln!("The guest has ended.");
                Ok(Exit::Pass)
            }
            status => Err(ShellError::Qemu {
                status: status.unwrap_or("it still runs").to_owned(),
                stderr: wreck.stderr.trim().to_owned(),
            }),
        },
    }
}

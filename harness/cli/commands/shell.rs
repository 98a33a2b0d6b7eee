//! `halfway shell`: a guest with the stack built and the fault armed, by hand.

use crate::cli::args::{SelectArgs, ShellArgs};
use crate::cli::guest::{self, Guest};
use crate::cli::select::Choice;
use crate::cli::{CliError, Context, Exit};
use crate::machine::command::SHELL_PORT;
use crate::oracle;
use crate::runner::stack;
use crate::runner::{Needs, Station, StationError, case_seed, plan, set_up, station::Blueprint};
use crate::scenario::Case;
use crate::scenario::Fitting;
use crate::scenario::case::OnError;
use halfway_protocol::message::Request;
use miette::Diagnostic;
use rustix::termios::{self, OptionalActions, Termios};
use std::io;
use std::time::Duration;
use thiserror::Error;
use tokio::net::UnixStream;
use tokio::task::LocalSet;

/// A shell that cannot be had.
#[derive(Debug, Error, Diagnostic)]
enum ShellError {
    #[error("no machine could be had")]
    Station(#[source] StationError),
    #[error("the case cannot be set up here: {0}")]
    Skipped(String),
    #[error("failed to make a private directory")]
    Directory(#[source] io::Error),
    #[error("the guest has no port for a shell")]
    Port,
    #[error("failed to set the case up: {0}")]
    SetUp(String),
    #[error("failed to use this terminal")]
    Terminal(#[source] io::Error),
}

/// Opens a shell for the first case that the arguments select.
///
/// # Errors
/// The scenario is bad, or the guest cannot be brought up.
pub async fn execute(args: &ShellArgs, ctx: &Context) -> Result<Exit, CliError> {
    let choice = Choice::new(&SelectArgs {
        paths: vec![args.file.clone()],
        full: true,
        filter: args.filter.clone(),
        ..SelectArgs::default()
    })?;
    let Some(case) = choice.cases().next() else {
        return Ok(Exit::Unjudged);
    };
    let guest = guest::prepare(&args.guest, ctx, &Needs::of([&case]), true).await?;
    LocalSet::new()
        .run_until(open(&case, &guest, args.seed))
        .await
        .map_err(CliError::infrastructure)?;
    Ok(Exit::Pass)
}

async fn open(case: &Case, guest: &Guest, seed: u64) -> Result<(), ShellError> {
    for note in &guest.notes {
        eprintln!("{note}");
    }
    let members = plan::members([case]);
    let boot = plan::boot(&guest.boot, &guest.images, case).map_err(ShellError::Skipped)?;
    let blueprint = Blueprint {
        boot: &boot,
        fitting: Fitting {
            // Nobody would let it go on.
            on_error: OnError::Report,
            ..Fitting::of(case)
        },
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
    set_up(&mut station, case, case_seed(seed, &case.id))
        .await
        .map_err(ShellError::SetUp)?;

    eprint!("{}", oracle::explain(case));
    let device = stack::top(case);
    eprintln!("The dm device is /dev/mapper/{device}; `exit`, or Ctrl-], ends the guest.");
    let request = Request::Shell {
        port: SHELL_PORT.to_owned(),
    };
    let ended = station.guest.call_within(request, Duration::MAX);
    let joined = join(stream);
    tokio::select! {
        _ = ended => {}
        result = joined => result.map_err(ShellError::Terminal)?,
    }
    station.machine.end().await;
    Ok(())
}

/// Ctrl-].
const ESCAPE: u8 = 0x1d;

/// Joins this terminal, byte for byte, to the guest's, until either ends.
async fn join(stream: UnixStream) -> io::Result<()> {
    let _raw = Raw::enter();
    let (mut from_guest, mut to_guest) = stream.into_split();
    let typed = async {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut input = tokio::io::stdin();
        let mut buffer = [0; 1024];
        loop {
            let count = input.read(&mut buffer).await?;
            let bytes = &buffer[..count];
            match bytes.iter().position(|byte| *byte == ESCAPE) {
                Some(_) => return Ok(()),
                // The end of a script that was piped in is not the end of what
                // it still has to say: its shell ends by itself.
                None if count == 0 => {
                    to_guest.write_all(b"exit\n").await?;
                    return std::future::pending().await;
                }
                None => to_guest.write_all(bytes).await?,
            }
        }
    };
    let shown = async {
        tokio::io::copy(&mut from_guest, &mut tokio::io::stdout())
            .await
            .map(drop)
    };
    tokio::select! {
        result = typed => result,
        result = shown => result,
    }
}

/// The terminal in raw mode, until dropped; nothing where there is none.
struct Raw(Option<Termios>);

impl Raw {
    fn enter() -> Self {
        let stdin = rustix::stdio::stdin();
        let Ok(before) = termios::tcgetattr(stdin) else {
            return Raw(None);
        };
        let mut raw = before.clone();
        raw.make_raw();
        match termios::tcsetattr(stdin, OptionalActions::Now, &raw) {
            Ok(()) => Raw(Some(before)),
            Err(_) => Raw(None),
        }
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = termios::tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, before);
        }
    }
}

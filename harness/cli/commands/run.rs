//! `halfway run`: selects the cases, prepares the guest, runs the cases and keeps the
//! record.

use crate::cli::args::{Cli, Command, GuestArgs, RecordCases, RunArgs, WatchBios};
use crate::cli::commands::report;
use crate::cli::guest;
use crate::cli::interrupt::Interrupt;
use crate::cli::select::{ALL, Choice, Expansion, selection};
use crate::cli::{CliError, Context, Exit, exit, follow};
use crate::provision::Provisions;
use crate::report::{Options, Terminal};
use crate::results::manifest::{FORMAT, Host, Manifest, Selection};
use crate::results::{Keep, Ran, Record, Recorder, Summary};
use crate::runner;
use clap::Parser;
use miette::Diagnostic;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;
use time::OffsetDateTime;
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::LocalSet;

/// Why a run cannot start.
#[derive(Debug, Error, Diagnostic)]
enum RunError {
    #[error("failed to listen for signals")]
    Signals(#[source] io::Error),
    #[error("the run was given up")]
    #[diagnostic(help("what was judged until then is in the record; --resume goes on with it"))]
    Runner(#[source] runner::RunError),
    #[error("interrupted before the run began")]
    Interrupted,
    #[error("the record's command line is not one of `halfway run`")]
    Arguments,
    #[error("the run was recorded with kernel {recorded}, but {found} is there now")]
    #[diagnostic(help("one record is about one kernel: start a new run"))]
    Kernel { recorded: String, found: String },
}

/// How long a machine waits for its guest. No boot and no call takes that long.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Runs cases.
///
/// # Errors
/// The run could not start, its record could not be written, or the runner itself failed.
/// What was done until then is in the record.
pub async fn execute(args: &RunArgs, ctx: &Context) -> Result<Exit, CliError> {
    report::ready(&args.reports)?;
    let (summary, path) = perform(args, None, ctx).await?;
    if !args.reports.is_empty() {
        let runs = [Ran::read(&Record::open(&path)?)?];
        for wanted in &args.reports {
            report::write(wanted.format, wanted.file.as_deref(), &runs)?;
        }
    }
    Ok(exit::exit_code(&summary.tally(), summary.interrupted()))
}

/// Like [`execute`], but runs the cases of `chosen` instead of those that the options
/// select. Returns the summary and the directory of the record.
pub(super) async fn perform(
    args: &RunArgs,
    chosen: Option<Choice>,
    ctx: &Context,
) -> Result<(Summary, PathBuf), CliError> {
    let signals = |error| CliError::infrastructure(RunError::Signals(error));
    let mut interrupt = Interrupt::listen().map_err(signals)?;
    let plan = tokio::select! {
        plan = Plan::new(args, chosen, ctx) => plan?,
        () = interrupt.asked() => return Err(CliError::infrastructure(RunError::Interrupted)),
    };
    let Plan {
        choice,
        expansion,
        guest,
        seed,
        watch,
        mut recorder,
        before,
    } = plan;

    let mut cases = expansion.0;
    cases.retain(|planned| !before.is_settled(&planned.case.id));
    let work = runner::Plan {
        cases,
        whole: choice.whole,
        seed,
        jobs: args.jobs.get() as usize,
        boot: guest.boot.clone(),
        images: guest.images.clone(),
        workshop: guest.workshop.clone(),
        deadline: Duration::from_secs(u64::from(args.timeout.get())),
        patience: PATIENCE,
        watch: watch.into(),
        record_all: args.record == RecordCases::All,
        notes: guest.notes.clone(),
    };
    let options = Options {
        verbosity: ctx.verbosity,
        live: io::stderr().is_terminal(),
        record: Some(recorder.path().to_owned()),
        seed: Some(seed),
    };
    let mut terminal = Terminal::new(anstream::stderr(), options, before.clone());

    let (sender, receiver) = unbounded_channel();
    let stop = interrupt.stop.clone();
    let ended = {
        let following = follow::follow(
            receiver,
            &mut recorder,
            &mut terminal,
            &stop,
            args.max_failures.map(Into::into),
        );
        let tasks = LocalSet::new();
        let driving = tasks.run_until(runner::run(work, sender, stop.subscribe()));
        tokio::select! {
            ended = async { tokio::join!(driving, following) } => Some(ended),
            () = interrupt.now() => None,
        }
    };
    terminal.close();
    if let Some((driven, followed)) = ended {
        // If the record could not be written, that error is the one to report: it is why
        // the runner was stopped.
        followed?;
        driven.map_err(|error| CliError::infrastructure(RunError::Runner(error)))?;
    }
    Ok((terminal.summary().clone(), recorder.path().to_owned()))
}

/// Everything that must be prepared before the first machine boots.
struct Plan {
    choice: Choice,
    expansion: Expansion,
    guest: Provisions,
    seed: u64,
    watch: WatchBios,
    recorder: Recorder,
    /// What earlier parts of the run did, if it is resumed.
    before: Summary,
}

impl Plan {
    async fn new(args: &RunArgs, chosen: Option<Choice>, ctx: &Context) -> Result<Self, CliError> {
        match (chosen, &args.resume) {
            (Some(choice), _) => Self::fresh(args, choice, ALL, ctx).await,
            (None, Some(run)) => Self::resumed(args, run, ctx).await,
            (None, None) => {
                let choice = Choice::new(&args.select)?;
                Self::fresh(args, choice, selection(&args.select), ctx).await
            }
        }
    }

    async fn fresh(
        args: &RunArgs,
        choice: Choice,
        selection: Selection,
        ctx: &Context,
    ) -> Result<Self, CliError> {
        let expansion = choice.expand();
        if !args.skip_unknown {
            expansion.known()?;
        }
        let guest = guest::prepare(&args.guest, ctx, &expansion.needs(), false).await?;
        // Short enough to be typed, and exact in any JSON reader.
        let seed = args.seed.unwrap_or_else(|| fastrand::u32(..).into());
        let on = [args.guest.to_arguments(), args.watch.to_arguments()].concat();
        let manifest = manifest(&choice, selection, &guest, on, seed, ctx);
        let recorder = Recorder::create(&args.results, &manifest, keep(args))?;
        Ok(Plan {
            choice,
            expansion,
            guest,
            seed,
            watch: args.watch,
            recorder,
            before: Summary::default(),
        })
    }

    async fn resumed(args: &RunArgs, run: &str, ctx: &Context) -> Result<Self, CliError> {
        let record = Record::find(&args.results, run)?;
        let manifest = record.manifest();
        let choice = Choice::recorded(manifest)?;
        let (args_before, watch) = recorded_arguments(manifest)?;
        let expansion = choice.expand();
        let guest = guest::prepare(&args_before, ctx, &expansion.needs(), false).await?;
        if guest.kernel.sha256 != manifest.kernel.sha256 {
            return Err(CliError::usage(RunError::Kernel {
                recorded: manifest.kernel.release.clone(),
                found: guest.kernel.release.clone(),
            }));
        }
        let recorder = Recorder::resume(&record, keep(args))?;
        Ok(Plan {
            choice,
            expansion,
            guest,
            seed: manifest.seed,
            watch,
            recorder,
            before: record.summary()?,
        })
    }
}

/// The manifest, which is written before the run starts. `on` holds the options that
/// select the kernel, the acceleration and the watch.
pub(super) fn manifest(
    choice: &Choice,
    selection: Selection,
    guest: &Provisions,
    on: Vec<String>,
    seed: u64,
    ctx: &Context,
) -> Manifest {
    let mut repeat = vec!["--seed".to_owned(), seed.to_string()];
    repeat.extend(on);
    Manifest {
        format: FORMAT,
        halfway: env!("CARGO_PKG_VERSION").to_owned(),
        created: OffsetDateTime::now_utc(),
        arguments: ctx.arguments.clone(),
        repeat,
        seed,
        selection,
        kernel: guest.kernel.clone(),
        qemu: guest.qemu.clone(),
        acceleration: guest.acceleration.clone(),
        host: Host::this(),
        cases: choice.cases,
        whole: choice.whole,
        scenarios: choice.files(),
    }
}

/// The kernel, acceleration and watch options of a recorded run.
fn recorded_arguments(manifest: &Manifest) -> Result<(GuestArgs, WatchBios), CliError> {
    let words = ["halfway", "run"].into_iter().map(str::to_owned);
    let line = words.chain(manifest.repeat.iter().cloned());
    match Cli::try_parse_from(line).map(|cli| cli.command) {
        Ok(Command::Run(args)) => Ok((args.guest, args.watch)),
        _ => Err(CliError::usage(RunError::Arguments)),
    }
}

fn keep(args: &RunArgs) -> Keep {
    match args.record {
        RecordCases::Failed => Keep::Failed,
        RecordCases::All => Keep::All,
    }
}

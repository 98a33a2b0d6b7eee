//! `halfway run`: selects the cases, prepares the guest, runs the cases and keeps the
//! record.

use crate::cli::args::{Cli, Command, RecordCases, RunArgs, TIMEOUT, WatchBios};
use crate::cli::commands::gate::Baseline;
use crate::cli::commands::report;
use crate::cli::guest;
use crate::cli::interrupt::Interrupt;
use crate::cli::select::{Choice, Expansion};
use crate::cli::{CliError, Context, Exit, exit, follow, output};
use crate::provision::Provisions;
use crate::report::{Options, Terminal};
use crate::results::manifest::{FORMAT, Host, Manifest};
use crate::results::{Keep, Ran, Record, Recorder, Summary};
use crate::runner;
use clap::Parser;
use miette::Diagnostic;
use std::io::{self, IsTerminal};
use std::num::NonZeroU32;
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
    let baseline = Baseline::read(args.gate.as_deref())?;
    let (summary, path) = perform(args, None, ctx).await?;
    if !args.reports.is_empty() || args.gate.is_some() {
        let runs = [Ran::read(&Record::open(&path)?)?];
        for wanted in &args.reports {
            report::write(wanted.format, wanted.file.as_deref(), &runs)?;
        }
        if args.gate.is_some() {
            let (said, exit) = baseline.hold(&runs, &[], false)?;
            said.iter().for_each(output::say);
            return Ok(exit);
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
        timeout,
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
        deadline: Duration::from_secs(u64::from(timeout.get())),
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
    timeout: NonZeroU32,
    recorder: Recorder,
    /// What earlier parts of the run did, if it is resumed.
    before: Summary,
}

impl Plan {
    async fn new(args: &RunArgs, chosen: Option<Choice>, ctx: &Context) -> Result<Self, CliError> {
        match (chosen, &args.resume) {
            (Some(choice), _) => Self::fresh(args, choice, None, ctx).await,
            (None, Some(run)) => Self::resumed(args, run, ctx).await,
            (None, None) => match &args.failed {
                Some(run) => Self::again(args, run, ctx).await,
                None => Self::fresh(args, Choice::new(&args.select)?, None, ctx).await,
            },
        }
    }

    /// A new run, on the kernel of an older one if that is given.
    async fn fresh(
        args: &RunArgs,
        choice: Choice,
        older: Option<&Manifest>,
        ctx: &Context,
    ) -> Result<Self, CliError> {
        let expansion = choice.expand();
        if !args.skip_unknown {
            expansion.known()?;
        }
        let guest = guest::prepare(&args.guest, ctx, &expansion.needs(), false).await?;
        older.map_or(Ok(()), |older| same_kernel(&guest, older))?;
        // Short enough to be typed, and exact in any JSON reader.
        let seed = args.seed.unwrap_or_else(|| fastrand::u32(..).into());
        let mut on = [args.guest.to_arguments(), args.watch.to_arguments()].concat();
        if args.timeout != TIMEOUT {
            on.extend(["--timeout".to_owned(), args.timeout.to_string()]);
        }
        let manifest = manifest(&choice, &guest, on, seed, ctx);
        let recorder = Recorder::create(&args.results, &manifest, keep(args))?;
        Ok(Plan {
            choice,
            expansion,
            guest,
            seed,
            watch: args.watch,
            timeout: args.timeout,
            recorder,
            before: Summary::default(),
        })
    }

    /// The cases of a recorded run that did not end well, on the same kernel.
    async fn again(args: &RunArgs, run: &str, ctx: &Context) -> Result<Self, CliError> {
        let ran = Ran::read(&Record::find(&args.results, run)?)?;
        let choice = Choice::failed(&ran)?;
        let before = recorded_arguments(&ran.manifest)?;
        let args = RunArgs {
            results: args.results.clone(),
            seed: Some(ran.manifest.seed),
            record: args.record,
            ..before
        };
        Self::fresh(&args, choice, Some(&ran.manifest), ctx).await
    }

    async fn resumed(args: &RunArgs, run: &str, ctx: &Context) -> Result<Self, CliError> {
        let record = Record::find(&args.results, run)?;
        let manifest = record.manifest();
        let choice = Choice::recorded(manifest)?;
        let then = recorded_arguments(manifest)?;
        let expansion = choice.expand();
        let guest = guest::prepare(&then.guest, ctx, &expansion.needs(), false).await?;
        same_kernel(&guest, manifest)?;
        let recorder = Recorder::resume(&record, keep(args))?;
        Ok(Plan {
            choice,
            expansion,
            guest,
            seed: manifest.seed,
            watch: then.watch,
            timeout: args.timeout,
            recorder,
            before: record.summary()?,
        })
    }
}

/// The manifest, which is written before the run starts. `on` holds the options that
/// select the kernel, the acceleration and the watch.
pub(super) fn manifest(
    choice: &Choice,
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
        selection: choice.selection.clone(),
        kernel: guest.kernel.clone(),
        qemu: guest.qemu.clone(),
        acceleration: guest.acceleration.clone(),
        host: Host::this(),
        cases: choice.cases,
        whole: choice.whole,
        scenarios: choice.files(),
    }
}

/// Refuses another kernel than that of a recorded run.
fn same_kernel(guest: &Provisions, manifest: &Manifest) -> Result<(), CliError> {
    if guest.kernel.sha256 == manifest.kernel.sha256 {
        return Ok(());
    }
    Err(CliError::usage(RunError::Kernel {
        recorded: manifest.kernel.release.clone(),
        found: guest.kernel.release.clone(),
    }))
}

/// The options of a recorded run with which its cases are repeated: kernel, acceleration,
/// watch and timeout.
fn recorded_arguments(manifest: &Manifest) -> Result<RunArgs, CliError> {
    let words = ["halfway", "run"].into_iter().map(str::to_owned);
    let line = words.chain(manifest.repeat.iter().cloned());
    match Cli::try_parse_from(line).map(|cli| cli.command) {
        Ok(Command::Run(args)) => Ok(*args),
        _ => Err(CliError::usage(RunError::Arguments)),
    }
}

fn keep(args: &RunArgs) -> Keep {
    match args.record {
        RecordCases::Failed => Keep::Failed,
        RecordCases::All => Keep::All,
    }
}

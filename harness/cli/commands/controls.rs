//! `halfway controls`: runs the catalogue on kernels that are broken on purpose, to see
//! whether it notices.

use super::benchmark;
use super::run::{self, PATIENCE};
use crate::cli::args::{
    ControlsAction, ControlsArgs, ControlsBuildArgs, ControlsRunArgs, GuestArgs, SelectArgs,
};
use crate::cli::guest::{self, GuestError};
use crate::cli::interrupt::Interrupt;
use crate::cli::select::Choice;
use crate::cli::{CliError, Context, Exit, output};
use crate::controls::score::{self, Score};
use crate::controls::sheet::{Sheet, SheetError};
use crate::controls::{Fate, Row, Trial};
use crate::provision::{ProvisionError, Provisions};
use crate::report::Verbosity;
use crate::results::{Keep, RecordError, Recorder};
use crate::runner::{self, Needs, PlannedCase};
use halfway_builder::Cache;
use halfway_builder::controls::{CONTROLS, Control};
use halfway_case::Case;
use miette::Diagnostic;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::watch;
use tokio::task::LocalSet;

/// Why controls cannot be run.
#[derive(Debug, Error, Diagnostic)]
enum ControlsError {
    #[error("failed to listen for signals")]
    Signals(#[source] io::Error),
    #[error(transparent)]
    #[diagnostic(help("--score names another directory"))]
    Score(#[from] SheetError),
}

/// Lists, builds or runs controls.
///
/// # Errors
/// A name is not known, a module cannot be built (`build`), or no guest could be
/// prepared. For `run`, a control that cannot be built is a row of the table, not an
/// error.
pub async fn execute(args: &ControlsArgs, ctx: &Context) -> Result<Exit, CliError> {
    match args.action.as_ref().unwrap_or(&ControlsAction::List) {
        ControlsAction::List => list(),
        ControlsAction::Build(args) => build(args, ctx).await,
        ControlsAction::Run(args) => run(args, ctx).await,
        ControlsAction::Reproduce(args) => benchmark::execute(args, ctx).await,
    }
}

fn list() -> Result<Exit, CliError> {
    let controls = chosen(&[])?;
    let width = controls.iter().map(|one| one.name.len()).max().unwrap_or(0);
    output::write(|out| {
        for control in &controls {
            let equivalent = match control.equivalent {
                Some(_) => " (equivalent)",
                None => "",
            };
            writeln!(
                out,
                "{:<width$}  {:<13} {}{equivalent}",
                control.name, control.module, control.class
            )?;
        }
        Ok(())
    })?;
    Ok(Exit::Pass)
}

async fn build(args: &ControlsBuildArgs, ctx: &Context) -> Result<Exit, CliError> {
    let controls = chosen(&args.names)?;
    let cache = Cache::open().map_err(GuestError::from)?;
    let kernel = guest::kernel(&guest_args(args.kernel.clone()), &cache, ctx).await?;
    for control in &controls {
        let module = guest::broken_module(control, &kernel, &cache, ctx).await?;
        output::write(|out| writeln!(out, "{}: {}", control.name, module.display()))?;
    }
    Ok(Exit::Pass)
}

/// The named controls, or all of them. After them come the modules that they are mutants
/// of, rebuilt without a change.
fn chosen(names: &[String]) -> Result<Vec<Control>, CliError> {
    let directory = Path::new(CONTROLS);
    let mut controls = match names.is_empty() {
        true => Control::all(directory).map_err(GuestError::from)?,
        false => names
            .iter()
            .map(|name| Control::find(name, directory))
            .collect::<Result<_, _>>()
            .map_err(GuestError::from)?,
    };
    let unmutated = Control::unmutated(&controls);
    controls.retain(|control| !control.is_unmutated());
    controls.extend(unmutated);
    Ok(controls)
}

fn guest_args(kernel: Option<String>) -> GuestArgs {
    GuestArgs {
        kernel,
        ..GuestArgs::default()
    }
}

async fn run(args: &ControlsRunArgs, ctx: &Context) -> Result<Exit, CliError> {
    let signals = |error| CliError::infrastructure(ControlsError::Signals(error));
    let mut interrupt = Interrupt::listen().map_err(signals)?;
    let select = SelectArgs {
        paths: args.scenarios.clone(),
        full: args.full,
        sample: args.sample,
        ..SelectArgs::default()
    };
    let choice = Choice::new(&select)?;
    let controls = chosen(&args.build.names)?;
    let mut kept = Kept::open(args, ctx).await?;
    let mut rows = Vec::new();
    for (index, control) in controls.iter().enumerate() {
        let of_before = kept.iter().flat_map(|kept| &kept.sheet.rows);
        let work = Work {
            args,
            ctx,
            choice: &choice,
            control,
            killers: match control.is_unmutated() && !args.all {
                true => killers(control, rows.iter().chain(of_before)),
                false => BTreeSet::new(),
            },
        };
        let row = work.row(&mut interrupt).await?;
        if ctx.verbosity != Verbosity::Quiet {
            let (number, of, verdict) = (index + 1, controls.len(), row.verdict());
            output::say(format_args!("{number}/{of} {}: {verdict}", control.name));
        }
        if let Fate::Failed(why) = &row.fate {
            output::say(why);
        }
        let broken_off = *interrupt.stop.borrow() && matches!(row.fate, Fate::Failed(_));
        if let Some(kept) = kept.as_mut().filter(|_| !broken_off) {
            kept.renew(&row)?;
        }
        rows.push(row);
        if *interrupt.stop.borrow() {
            break;
        }
    }
    rows.sort_by_key(Row::order);
    output::write(|out| writeln!(out, "{}", score::table(&rows)))?;
    let interrupted = rows.len() < controls.len();
    Ok(match score::score(&rows) {
        Score::Short => Exit::Kernel,
        Score::Broken => Exit::Infrastructure,
        _ if interrupted => Exit::Infrastructure,
        Score::Open => Exit::Unjudged,
        Score::Whole => Exit::Pass,
    })
}

/// The score file. It is written anew after every row, because a whole run takes long.
struct Kept<'a> {
    directory: &'a Path,
    sheet: Sheet,
}

impl<'a> Kept<'a> {
    async fn open(args: &'a ControlsRunArgs, ctx: &Context) -> Result<Option<Self>, CliError> {
        let Some(directory) = args.score.as_deref() else {
            return Ok(None);
        };
        let cache = Cache::open().map_err(GuestError::from)?;
        let kernel = guest::kernel(&guest_args(args.build.kernel.clone()), &cache, ctx).await?;
        let unusable = |error| CliError::usage(ControlsError::Score(error));
        let mut sheet = Sheet::open(directory, &kernel.origin).map_err(unusable)?;
        let known: Vec<String> = chosen(&[])?.into_iter().map(|one| one.name).collect();
        sheet.keep_only(&known);
        Ok(Some(Kept { directory, sheet }))
    }

    fn renew(&mut self, row: &Row) -> Result<(), CliError> {
        self.sheet.renew(row);
        let written = self.sheet.write(self.directory);
        written.map_err(|error| CliError::infrastructure(ControlsError::Score(error)))
    }
}

/// The cases that caught mutants of a module. The same module, rebuilt without a change,
/// must pass all of them.
fn killers<'a>(control: &Control, rows: impl Iterator<Item = &'a Row>) -> BTreeSet<String> {
    let of_module = rows.filter(|row| row.module == control.module && !row.is_unmutated());
    let cases = of_module.map(|row| row.case().to_owned());
    cases.filter(|case| !case.is_empty()).collect()
}

/// One control, and what it is run with.
struct Work<'a> {
    args: &'a ControlsRunArgs,
    ctx: &'a Context,
    choice: &'a Choice,
    control: &'a Control,
    /// For a rebuilt module without a change: the cases that it must pass. If empty, it
    /// must pass all cases.
    killers: BTreeSet<String>,
}

/// The guest that a control runs on, and its cases. Cases of the scenario that the
/// control names first come first, so that it is caught soon.
struct Ready {
    guest: Provisions,
    guest_args: GuestArgs,
    cases: Vec<Case>,
}

impl Work<'_> {
    /// Tries the control. Returns an error only for what would stop every other control
    /// too.
    async fn row(&self, interrupt: &mut Interrupt) -> Result<Row, CliError> {
        let started = Instant::now();
        let mut trial = Trial::new(self.control);
        let (fate, cases) = match self.prepare().await? {
            Err(fate) => (fate, 0),
            Ok(ready) => {
                let trouble = self.drive(&mut trial, interrupt, ready).await?;
                let cases = trial.judged();
                (trial.fate(trouble), cases)
            }
        };
        Ok(Row {
            control: self.control.name.clone(),
            module: self.control.module.clone(),
            fate,
            cases,
            millis: started.elapsed().as_millis() as u64,
        })
    }

    /// Prepares the guest with the control's module, and picks the cases that may catch
    /// it. If there is nothing to run, returns why as a fate.
    async fn prepare(&self) -> Result<Result<Ready, Fate>, GuestError> {
        let guest_args = GuestArgs {
            control: Some(self.control.name.clone()),
            accel: self.args.accel,
            ..guest_args(self.args.build.kernel.clone())
        };
        let mut cases: Vec<(usize, Case)> = self
            .choice
            .cases()
            .filter_map(|case| Some((self.control.rank(&case.scenario)?, case)))
            .collect();
        cases.sort_by_key(|(rank, _)| *rank);
        if cases
            .iter()
            .any(|(_, case)| self.killers.contains(&case.id))
        {
            cases.retain(|(_, case)| self.killers.contains(&case.id));
        }
        let cases: Vec<Case> = cases.into_iter().map(|(_, case)| case).collect();
        // Build the module even where no case can be run, so that one that does not build
        // is noticed.
        let needs = Needs::of(&cases);
        match guest::prepare(&guest_args, self.ctx, &needs, false).await {
            Err(GuestError::Provision(error @ ProvisionError::Build(_))) => {
                Ok(Err(Fate::Failed(error.to_string())))
            }
            Ok(_) | Err(GuestError::Provision(ProvisionError::NotLoaded { .. }))
                if cases.is_empty() =>
            {
                let scenarios = self.control.scenarios.join(", ");
                let why = format!("no case of {scenarios} is chosen");
                Ok(Err(Fate::NotReached(why)))
            }
            Ok(guest) => Ok(Ok(Ready {
                guest,
                guest_args,
                cases,
            })),
            Err(GuestError::Provision(ProvisionError::NotLoaded { module, .. })) => {
                let why = format!("no guest loads {module}");
                Ok(Err(Fate::NotReached(why)))
            }
            Err(error) => Err(error),
        }
    }

    /// Runs the cases. Returns why they did not all run, if so.
    async fn drive(
        &self,
        trial: &mut Trial,
        interrupt: &mut Interrupt,
        ready: Ready,
    ) -> Result<Option<String>, RecordError> {
        let Ready {
            guest,
            guest_args,
            cases,
        } = ready;
        let seed = self.args.seed;
        let mut manifest = run::manifest(
            self.choice,
            &guest,
            [guest_args.to_arguments(), self.args.watch.to_arguments()].concat(),
            seed,
            self.ctx,
        );
        manifest.cases = cases.len() as u64;
        let results = self.args.results.join(&self.control.name);
        let mut recorder = Recorder::create(&results, &manifest, Keep::Failed)?;
        let plan = runner::Plan {
            cases: cases.into_iter().map(PlannedCase::new).collect(),
            whole: self.choice.whole,
            seed,
            jobs: 1,
            boot: guest.boot,
            images: guest.images,
            workshop: guest.workshop,
            deadline: Duration::from_secs(u64::from(self.args.timeout.get())),
            patience: PATIENCE,
            watch: self.args.watch.into(),
            record_all: false,
            notes: guest.notes,
        };
        let (sender, mut events) = unbounded_channel();
        let (stop, stopped) = watch::channel(false);
        let mut asked = interrupt.stop.subscribe();
        let following = async {
            let mut stopping = false;
            loop {
                tokio::select! {
                    event = events.recv() => {
                        let Some(event) = event else { break Ok(()) };
                        if let Err(error) = recorder.event(&event) {
                            stop.send_replace(true);
                            break Err(error);
                        }
                        if trial.hear(&event) && !self.args.all {
                            stop.send_replace(true);
                        }
                    }
                    Ok(_) = asked.wait_for(|stop| *stop), if !stopping => {
                        stopping = true;
                        stop.send_replace(true);
                    }
                }
            }
        };
        let tasks = LocalSet::new();
        let driving = tasks.run_until(runner::run(plan, sender, stopped));
        let (driven, followed) = tokio::select! {
            ended = async { tokio::join!(driving, following) } => ended,
            () = interrupt.now() => return Ok(Some("interrupted".to_owned())),
        };
        followed?;
        Ok(match driven {
            Err(error) => Some(error.to_string()),
            Ok(_) if *interrupt.stop.borrow() => Some("interrupted".to_owned()),
            Ok(_) => None,
        })
    }
}

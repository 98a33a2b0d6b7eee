//! `halfway controls reproduce`: how soon the ranking of `halfway reproduce` finds each
//! control from its console log alone.

use super::run::PATIENCE;
use crate::cli::args::{ControlsReproduceArgs, GuestArgs, SelectArgs};
use crate::cli::guest::{self, GuestError};
use crate::cli::interrupt::Interrupt;
use crate::cli::{CliError, Context, Exit, output};
use crate::controls::Fate;
use crate::controls::reproduced::{Benchmark, BenchmarkError, Cases, Row};
use crate::controls::sheet::{Sheet, SheetError};
use crate::lab::{Options, room::Room};
use crate::provision::ProvisionError;
use crate::reproduce::lead::{self, Lead, TABLE};
use crate::reproduce::{self, Ended, Tried};
use crate::runner::Needs;
use halfway_builder::Cache;
use halfway_case::{Case, Signature};
use halfway_reach::Match;
use halfway_scenario::Scenario;
use miette::Diagnostic;
use std::io;
use std::time::Duration;
use thiserror::Error;
use tokio::task::LocalSet;

/// Why nothing was measured.
#[derive(Debug, Error, Diagnostic)]
enum MeasureError {
    #[error("failed to listen for signals")]
    Signals(#[source] io::Error),
    #[error(transparent)]
    #[diagnostic(help("`halfway controls run --score DIR` says which case catches which control"))]
    Score(#[from] SheetError),
    #[error(transparent)]
    Kept(#[from] BenchmarkError),
    #[error("controls.json has no control that a case catches, of those that were asked for")]
    #[diagnostic(help("`halfway controls run --score DIR` says which case catches which control"))]
    Nothing,
}

/// The most cases that are run in one order.
const MOST: usize = 600;

/// Measures, and writes the table after each control.
///
/// # Errors
/// The score cannot be read, no guest could be prepared, or the table could not be
/// written.
pub async fn execute(args: &ControlsReproduceArgs, ctx: &Context) -> Result<Exit, CliError> {
    let signals = |error| CliError::infrastructure(MeasureError::Signals(error));
    let interrupt = Interrupt::listen().map_err(signals)?;
    let scenarios = halfway_scenario::load(&SelectArgs::default_paths())?;
    let cache = Cache::open().map_err(GuestError::from)?;
    let kernel = guest::kernel(&GuestArgs::default(), &cache, ctx).await?;
    let unusable = |error| CliError::usage(MeasureError::Score(error));
    let sheet = Sheet::open(&args.score, &kernel.origin).map_err(unusable)?;
    let caught: Vec<(&str, &str)> = (sheet.rows.iter())
        .filter_map(|row| match &row.fate {
            Fate::Killed { by, .. } => Some((&*row.control, &*by.case)),
            _ => None,
        })
        .collect();
    let kept = |error| CliError::infrastructure(MeasureError::Kept(error));
    let mut benchmark = Benchmark::open(&args.score, &kernel.release).map_err(kept)?;
    let done: Vec<String> = (benchmark.rows.iter().map(|row| &row.control))
        .chain(benchmark.failed.iter().map(|(control, _)| control))
        .cloned()
        .collect();
    let mut measured = 0;
    for (control, case) in &caught {
        let asked = args.names.is_empty() || args.names.iter().any(|name| name == control);
        if !asked || args.resume && done.iter().any(|name| name == control) {
            continue;
        }
        let work = Work {
            args,
            ctx,
            scenarios: &scenarios,
            interrupt: &interrupt,
        };
        let result = tokio::select! {
            result = work.row(control, case) => result,
            () = interrupt.asked() => return Ok(Exit::Infrastructure),
        };
        output::say(match &result {
            Ok(row) => format!(
                "{control}: ranked {:?}, unranked {:?}",
                row.ranked, row.unranked
            ),
            Err(why) => format!("{control}: {why}"),
        });
        measured += usize::from(result.is_ok());
        benchmark.renew(control, result);
        benchmark.write(&args.score, caught.len()).map_err(kept)?;
    }
    if measured == 0 {
        return Err(CliError::usage(MeasureError::Nothing));
    }
    let (ranked, unranked) = benchmark.medians();
    output::write(|out| {
        writeln!(
            out,
            "{} of {} controls; median number of cases: {ranked} ranked, {unranked} unranked",
            benchmark.rows.len(),
            caught.len()
        )
    })?;
    Ok(Exit::Pass)
}

/// The case that has the signature.
struct Found {
    case: String,
    /// Whether `reproduce` recognises it by the console alone.
    told: bool,
}

/// What each control is measured with.
struct Work<'a> {
    args: &'a ControlsReproduceArgs,
    ctx: &'a Context,
    scenarios: &'a [Scenario],
    interrupt: &'a Interrupt,
}

impl Work<'_> {
    /// Measures one control that `id` catches. Gives why not otherwise.
    async fn row(&self, control: &str, id: &str) -> Result<Row, String> {
        let case = self.find(id).ok_or(format!("no case {id} any more"))?;
        let (console, signature) = self.console(control, &case).await?;
        let lead = Lead::of(&console, &TABLE, self.scenarios);
        let cases = lead.cases(self.scenarios);
        if cases.is_empty() {
            return Err("its console is silent, so there is nothing to rank by".to_owned());
        }
        let (ranked, found) = self.until(control, &cases, &signature, &lead).await?;
        let told = found.as_ref().is_some_and(|found| found.told);
        let found = found.map(|found| found.case);
        let cases = lead::unranked(self.scenarios);
        let (unranked, _) = self.until(control, &cases, &signature, &lead).await?;
        Ok(Row {
            control: control.to_owned(),
            console_of: id.to_owned(),
            signature: signature.to_string(),
            told,
            found,
            ranked,
            unranked,
        })
    }

    fn find(&self, id: &str) -> Option<Case> {
        let of = |scenario: &&Scenario| {
            let name = scenario.name.replace('/', ".");
            id.strip_prefix(&name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('@'))
        };
        let mut scenarios = self.scenarios.iter().filter(of);
        scenarios.find_map(|scenario| scenario.expand().find(|case| case.id == id))
    }

    /// What the cases run on; `None` if no machine for them has the broken module.
    async fn room(&self, control: &str, cases: &[Case]) -> Result<Option<Room>, String> {
        let guest_args = GuestArgs {
            control: Some(control.to_owned()),
            accel: self.args.accel,
            ..GuestArgs::default()
        };
        let prepared = guest::prepare(&guest_args, self.ctx, &Needs::of(cases), false).await;
        let guest = match prepared {
            Err(GuestError::Provision(ProvisionError::NotLoaded { .. })) => return Ok(None),
            prepared => prepared.map_err(|error| error.to_string())?,
        };
        let options = Options {
            deadline: Duration::from_secs(self.args.timeout.get().into()),
            patience: PATIENCE,
            ..Options::default()
        };
        Ok(Some(Room::stocked(options, guest, cases)))
    }

    /// What the console shows while the case catches the control, and the signature of
    /// that failure.
    async fn console(&self, control: &str, case: &Case) -> Result<(String, Signature), String> {
        // A kernel that uses what it has freed does not always die of it.
        let cases = [(); 3].map(|()| case.clone());
        let room = self.room(control, &cases).await?;
        let mut room = room.ok_or(format!("no machine for {} has its module", case.id))?;
        let mut seen = None;
        let look = |tried: &Tried<'_>| {
            seen = tried.signature.clone().map(|signature| {
                let console = reproduce::console(tried.observation);
                (console, signature)
            });
            seen.is_some()
        };
        let patience = Duration::from_secs(120);
        let stop = self.interrupt.stop.subscribe();
        let running = reproduce::run_in_order(&mut room, &cases, patience, stop, look);
        LocalSet::new().run_until(running).await;
        seen.ok_or(format!("{} did not catch it again", case.id))
    }

    /// Runs cases until one has the signature.
    async fn until(
        &self,
        control: &str,
        cases: &[Case],
        signature: &Signature,
        lead: &Lead,
    ) -> Result<(Cases, Option<Found>), String> {
        let cases = &cases[..cases.len().min(MOST)];
        let Some(mut room) = self.room(control, cases).await? else {
            return Ok((Cases::Without(cases.len() as u64), None));
        };
        let mut found = None;
        let look = |tried: &Tried<'_>| {
            if tried.signature.as_ref() != Some(signature) {
                return false;
            }
            let seen = reproduce::reports(tried.observation);
            let compared = lead.wanted.compare(signature, &seen);
            let found_one = Found {
                case: tried.case.id.clone(),
                told: matches!(compared, Match::Same(_)),
            };
            found = Some((tried.number, found_one));
            true
        };
        let budget = Duration::from_secs(self.args.budget.get().into());
        let stop = self.interrupt.stop.subscribe();
        let running = reproduce::run_in_order(&mut room, cases, budget, stop, look);
        let trail = LocalSet::new().run_until(running).await;
        if let Ended::NoMachine(error) = &trail.ended {
            return Err(error.to_string());
        }
        Ok(match found {
            Some((number, found)) => (Cases::Found(number), Some(found)),
            None => (Cases::Without(trail.cases()), None),
        })
    }
}

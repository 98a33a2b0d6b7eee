//! `halfway reproduce`: looks for a case that fails as a report says.

mod kernels;
mod words;

use super::decode;
use super::run::PATIENCE;
use crate::cli::args::{GuestArgs, ReproduceArgs};
use crate::cli::guest::{self, GuestError};
use crate::cli::interrupt::Interrupt;
use crate::cli::{CliError, Context, Exit, output};
use crate::lab::{Options, room::Room};
use crate::provision::{ProvisionError, Provisions};
use crate::report::{Verbosity, lines};
use crate::reproduce::lead::{Lead, TABLE};
use crate::reproduce::{self, Ended, Trail, Tried};
use crate::runner::Needs;
use halfway_builder::KernelError;
use halfway_case::Case;
use halfway_crash::Report;
use halfway_reach::{Likeness, Match, Wanted};
use kernels::Kernels;
use miette::Diagnostic;
use std::io;
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::task::LocalSet;

/// Why nothing was tried.
#[derive(Debug, Error, Diagnostic)]
enum ReproduceError {
    #[error("failed to listen for signals")]
    Signals(#[source] io::Error),
    #[error("interrupted before a case was run")]
    Interrupted,
}

/// What was tried on one kernel.
struct Attempt {
    /// The kernel's name and release.
    kernel: String,
    trail: Trail,
    /// The case that fails as the report says.
    found: Option<Found>,
    /// Other failures: what each is, the first case that showed it, and how often it came.
    others: Vec<(String, String, u64)>,
}

/// The case that fails as the report says.
struct Found {
    case: String,
    signature: String,
    likeness: Option<Likeness>,
}

/// Reads the report, says what it is about, and tries the cases that may show it.
///
/// # Errors
/// The report cannot be read, a scenario is invalid, or no guest could be prepared.
pub async fn execute(args: &ReproduceArgs, ctx: &Context) -> Result<Exit, CliError> {
    let text = decode::read(&args.report, "reproduce").map_err(CliError::usage)?;
    // Not before: a report that comes through a pipe may never end.
    let signals = |error| CliError::infrastructure(ReproduceError::Signals(error));
    let interrupt = Interrupt::listen().map_err(signals)?;
    let scenarios = halfway_scenario::load(&args.scenarios)?;
    let lead = Lead::of(&text, &TABLE, &scenarios);
    let kernels = Kernels::of(&args.kernels, args.control.is_some(), &text, &lead.reports);
    understood(args, &lead, &kernels)?;
    if let Some(limit) = lead.limits.iter().find(|limit| limit.is_final()) {
        say(&format!(
            "not reproduced: this is not mine, because {limit}"
        ))?;
        return Ok(Exit::Unjudged);
    }
    let cases = lead.cases(&scenarios);
    if cases.is_empty() {
        say(
            "not reproduced: this is not mine, because no scenario has anything in common with it",
        )?;
        return Ok(Exit::Unjudged);
    }
    if args.dry_run {
        return Ok(Exit::Pass);
    }
    let attempts = attempts(args, ctx, &lead, &kernels, &cases, &interrupt).await?;
    Ok(exit(&attempts))
}

fn exit(attempts: &[Attempt]) -> Exit {
    let broken =
        |attempt: &Attempt| matches!(attempt.trail.ended, Ended::Stopped | Ended::NoMachine(_));
    if attempts.iter().any(|attempt| attempt.found.is_some()) {
        Exit::Pass
    } else if attempts.iter().any(|attempt| !attempt.others.is_empty()) {
        Exit::Kernel
    } else if attempts.iter().any(broken) {
        Exit::Infrastructure
    } else {
        Exit::Unjudged
    }
}

fn say(line: &str) -> Result<(), CliError> {
    output::write(|out| writeln!(out, "{line}"))
}

/// Says what the report is about.
fn understood(args: &ReproduceArgs, lead: &Lead, kernels: &Kernels) -> Result<(), CliError> {
    let source = args.report.to_string_lossy();
    let source = if source == "-" {
        "standard input"
    } else {
        &source
    };
    let names: Vec<&str> = (kernels
        .names
        .iter()
        .take(if kernels.all { usize::MAX } else { 1 }))
    .map(|name| name.as_deref().unwrap_or("the default"))
    .collect();
    output::write(|out| {
        decode::show(out, source, &lead.reports[..lead.reports.len().min(1)])?;
        if lead.reports.len() > 1 {
            let more = lines::count(lead.reports.len() as u64 - 1, "more report");
            writeln!(out, "  and {more}")?;
        }
        writeln!(out)?;
        for line in words::wanted(lead) {
            writeln!(out, "{line}")?;
        }
        for limit in lead.limits.iter().filter(|limit| !limit.is_final()) {
            writeln!(out, "not mine, because {limit}")?;
        }
        let ranked = match lead.limits.iter().any(|limit| limit.is_final()) {
            true => Vec::new(),
            false => words::scenarios(lead),
        };
        if !ranked.is_empty() {
            writeln!(out, "scenarios that may show it:")?;
        }
        for line in ranked {
            writeln!(out, "{line}")?;
        }
        writeln!(out, "kernel: {} ({})", names.join(", "), kernels.why)
    })
}

async fn attempts(
    args: &ReproduceArgs,
    ctx: &Context,
    lead: &Lead,
    kernels: &Kernels,
    cases: &[Case],
    interrupt: &Interrupt,
) -> Result<Vec<Attempt>, CliError> {
    let mut left = Duration::from_secs(args.budget.get().into());
    let mut attempts = Vec::new();
    for (index, name) in kernels.names.iter().enumerate() {
        let guest_args = GuestArgs {
            kernel: name.clone(),
            control: args.control.clone(),
            accel: args.accel,
            ..GuestArgs::default()
        };
        let last = index + 1 == kernels.names.len();
        let guest = match prepared(&guest_args, ctx, cases, interrupt).await {
            // The next one may be had.
            Err(GuestError::Provision(ProvisionError::Kernel(error)))
                if !kernels.all && !last && is_absent(&error) =>
            {
                say(&format!("{error}: the next one is tried"))?;
                continue;
            }
            guest => guest?,
        };
        let Some(guest) = guest else {
            return Err(CliError::infrastructure(ReproduceError::Interrupted));
        };
        let share = match kernels.all {
            true => left / (kernels.names.len() - index) as u32,
            false => left,
        };
        let began = Instant::now();
        let attempt = attempt(args, ctx, lead, guest, cases, share, interrupt).await;
        left = left.saturating_sub(began.elapsed());
        let mut again = guest_args.to_arguments();
        again.extend(["--seed".to_owned(), args.seed.to_string()]);
        if args.scenarios != crate::cli::args::SelectArgs::default_paths() {
            again.extend(args.scenarios.iter().map(|path| path.display().to_string()));
        }
        say("")?;
        for line in words::verdict(&attempt, lead, &again) {
            say(&line)?;
        }
        attempts.push(attempt);
        if !kernels.all || *interrupt.stop.borrow() {
            break;
        }
    }
    Ok(attempts)
}

/// What cases run on; `None` if it was interrupted meanwhile.
async fn prepared(
    args: &GuestArgs,
    ctx: &Context,
    cases: &[Case],
    interrupt: &Interrupt,
) -> Result<Option<Provisions>, GuestError> {
    let needs = Needs::of(cases);
    tokio::select! {
        guest = guest::prepare(args, ctx, &needs, false) => guest.map(Some),
        () = interrupt.asked() => Ok(None),
    }
}

/// Whether the archive does not have the kernel.
fn is_absent(error: &KernelError) -> bool {
    matches!(error, KernelError::Archive { .. })
}

async fn attempt(
    args: &ReproduceArgs,
    ctx: &Context,
    lead: &Lead,
    guest: Provisions,
    cases: &[Case],
    budget: Duration,
    interrupt: &Interrupt,
) -> Attempt {
    let kernel = format!("{} ({})", guest.kernel.name, guest.kernel.release);
    for note in &guest.notes {
        output::say(lines::warning("note", note));
    }
    let options = Options {
        seed: args.seed,
        deadline: Duration::from_secs(args.timeout.get().into()),
        patience: PATIENCE,
        ..Options::default()
    };
    let mut room = Room::stocked(options, guest, cases);
    let mut found = None;
    let mut others: Vec<(String, String, u64)> = Vec::new();
    let look = |tried: &Tried<'_>| {
        let outcome = tried.verdict.outcome;
        let shown = tried.signature.is_some() || ctx.verbosity >= Verbosity::Cases;
        if shown && ctx.verbosity != Verbosity::Quiet {
            let words = lines::case(&tried.case.id, tried.verdict, None);
            output::say(lines::labelled(
                &outcome.to_string(),
                lines::style(outcome),
                &words,
            ));
        }
        let Some(signature) = &tried.signature else {
            return false;
        };
        let seen: Vec<Report> = reproduce::reports(tried.observation);
        match lead.wanted.compare(signature, &seen) {
            Match::Same(likeness) => {
                found = Some(Found {
                    case: tried.case.id.clone(),
                    signature: signature.to_string(),
                    likeness,
                });
                true
            }
            Match::Other => {
                let what = signature.to_string();
                match others.iter_mut().find(|(known, ..)| *known == what) {
                    Some((.., number)) => *number += 1,
                    None => others.push((what, tried.case.id.clone(), 1)),
                }
                false
            }
        }
    };
    let stop = interrupt.stop.subscribe();
    let running = reproduce::run_in_order(&mut room, cases, budget, stop, look);
    let trail = LocalSet::new().run_until(running).await;
    // Nothing that the text says tells one failure from another.
    debug_assert!(found.is_none() || lead.wanted != Wanted::Unsaid);
    Attempt {
        kernel,
        trail,
        found,
        others,
    }
}

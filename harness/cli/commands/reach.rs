//! `halfway reach`: measures which functions of the kernel each scenario reaches, and what
//! the kernel says meanwhile.

use super::run::PATIENCE;
use crate::cli::args::{ReachArgs, SelectArgs};
use crate::cli::guest;
use crate::cli::interrupt::Interrupt;
use crate::cli::{CliError, Context, Exit, output};
use crate::lab::Options;
use crate::lab::room::{Reached, Room};
use crate::report::Verbosity;
use crate::report::lines::count;
use crate::results::whole;
use crate::runner::Needs;
use crate::runner::plan::Kind;
use halfway_case::Case;
use halfway_case::observation::Observation;
use halfway_reach::{Table, TableError, message};
use halfway_scenario::Scenario;
use miette::Diagnostic;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::LocalSet;

/// What is traced beside all modules: the block layer, the drivers that may be built in,
/// and what the kernel's own reports of I/O name most.
const FILTERS: [&str; 33] = [
    "bio_*",
    "__bio_*",
    "bvec_*",
    "biovec_*",
    "blk_*",
    "__blk_*",
    "blkdev_*",
    "__blkdev_*",
    "bdev_*",
    "block_*",
    "__block_*",
    "submit_bio*",
    "__submit_bio*",
    "submit_bh*",
    "end_bio_*",
    "end_buffer_*",
    "elv_*",
    "disk_*",
    "part_*",
    "dm_*",
    "__dm_*",
    "sbitmap_*",
    "sg_*",
    "dma_map_*",
    "dma_unmap_*",
    "dio_*",
    "iomap_*",
    "mempool_*",
    "scsi_*",
    "__scsi_*",
    "nvme_*",
    "sd_*",
    "virtblk_*",
];

/// How long an I/O may take.
const DEADLINE: Duration = Duration::from_secs(15);

/// From how many times as many cases of a scenario those are chosen that are run: a kernel
/// may lack the driver of some.
const WIDER: usize = 8;

/// How many different messages of one case are kept.
const MESSAGES: usize = 64;

/// Why nothing was measured.
#[derive(Debug, Error, Diagnostic)]
enum ReachError {
    #[error("failed to listen for signals")]
    Signals(#[source] io::Error),
    #[error("failed to read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is no table", path.display())]
    Form { path: PathBuf, source: TableError },
    #[error("{} was measured on {found}, and this is {here}", path.display())]
    #[diagnostic(help("measure all scenarios, or give the kernel of the table with --kernel"))]
    OtherKernel {
        path: PathBuf,
        found: String,
        here: String,
    },
    #[error("failed to write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// Measures, and writes the table.
///
/// # Errors
/// A scenario is invalid, no guest could be prepared, or the table could not be written.
pub async fn execute(args: &ReachArgs, ctx: &Context) -> Result<Exit, CliError> {
    let signals = |error| CliError::infrastructure(ReachError::Signals(error));
    let interrupt = Interrupt::listen().map_err(signals)?;
    let scenarios = halfway_scenario::load(&args.paths)?;
    let most = args.cases.get();
    let wide = wide(&scenarios, most);
    let guest = guest::prepare(&args.guest, ctx, &Needs::of(&wide), false).await?;
    let cases = chosen(wide, most, |case| {
        guest.images.boot(&guest.boot, case).is_ok()
    });
    let release = guest.kernel.release.clone();
    let whole_catalogue = args.paths == SelectArgs::default_paths();
    let mut table = match whole_catalogue {
        true => Table::new(&release),
        false => kept(&args.output, &release)?,
    };
    table.retain(|name| scenarios.iter().all(|scenario| scenario.name != name));
    let options = Options {
        deadline: DEADLINE,
        patience: PATIENCE,
        ..Options::default()
    };
    let mut room = Room::stocked(options, guest, &cases);
    let stop = interrupt.stop.subscribe();
    let measuring = measure(&mut room, &cases, ctx, stop);
    let measured = LocalSet::new().run_until(measuring).await;
    for one in &measured {
        table.add(&one.scenario, one.functions.clone(), one.messages.clone());
    }
    table.retain(|_| true);
    whole::write(&args.output, |out| write!(out, "{table}")).map_err(|source| {
        CliError::infrastructure(ReachError::Write {
            path: args.output.clone(),
            source,
        })
    })?;
    let unmeasured: Vec<&str> = (scenarios.iter())
        .map(|scenario| scenario.name.as_str())
        .filter(|name| table.scenarios().all(|one| one != *name))
        .collect();
    let (functions, messages) = table.size();
    output::say(format_args!(
        "{}: {} of {} reach {functions} functions and {messages} messages of Linux {release}",
        args.output.display(),
        scenarios.len() - unmeasured.len(),
        count(scenarios.len() as u64, "scenario"),
    ));
    if !unmeasured.is_empty() {
        output::say(format_args!("not measured: {}", unmeasured.join(", ")));
    }
    Ok(match unmeasured.is_empty() {
        true => Exit::Pass,
        false => Exit::Unjudged,
    })
}

/// What a case reached.
struct Measured {
    scenario: String,
    functions: Vec<String>,
    messages: BTreeSet<String>,
}

/// Cases of each scenario from which a few are chosen.
fn wide(scenarios: &[Scenario], most: usize) -> Vec<Case> {
    let fit = |case: &Case| halfway_oracle::fit(case).is_ok();
    let sampled = scenarios.iter().flat_map(|one| one.sample(most * WIDER));
    sampled.filter(fit).collect()
}

/// A few cases of each scenario that can be played, those of one kind of machine together.
fn chosen(wide: Vec<Case>, most: usize, playable: impl Fn(&Case) -> bool) -> Vec<Case> {
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    let mut cases: Vec<Case> = Vec::new();
    let mut kinds: Vec<Kind> = Vec::new();
    for case in wide {
        let of_scenario = taken.entry(case.scenario.clone()).or_default();
        if *of_scenario == most || !playable(&case) {
            continue;
        }
        *of_scenario += 1;
        let kind = Kind::of(&case);
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
        cases.push(case);
    }
    cases.sort_by_cached_key(|case| kinds.iter().position(|kind| *kind == Kind::of(case)));
    cases
}

/// The table that is there already, if it is of this kernel.
fn kept(path: &Path, release: &str) -> Result<Table, CliError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Table::new(release)),
        Err(source) => {
            return Err(CliError::usage(ReachError::Read {
                path: path.to_owned(),
                source,
            }));
        }
    };
    let form = |source| {
        CliError::usage(ReachError::Form {
            path: path.to_owned(),
            source,
        })
    };
    let table = Table::parse(&text).map_err(form)?;
    match table.kernel == release {
        true => Ok(table),
        false => Err(CliError::usage(ReachError::OtherKernel {
            path: path.to_owned(),
            found: table.kernel,
            here: release.to_owned(),
        })),
    }
}

/// Runs the cases. What was measured before `stop` turned true is kept.
async fn measure(
    room: &mut Room,
    cases: &[Case],
    ctx: &Context,
    mut stop: watch::Receiver<bool>,
) -> Vec<Measured> {
    let filters = FILTERS.map(str::to_owned);
    let mut measured = Vec::new();
    for (number, case) in (1..).zip(cases) {
        let ran = tokio::select! {
            ran = room.reach(case, &filters) => ran,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let (words, one) = match ran {
            Ok((seen, verdict, Some(reached))) => {
                let outcome = verdict.outcome;
                let words = format!("{outcome}, {}", of_reached(&reached));
                (words, Some(of_case(case, &seen, reached)))
            }
            Ok((_, verdict, None)) => (format!("{}: no trace", verdict.reason), None),
            Err(error) => (error.to_string(), None),
        };
        if ctx.verbosity != Verbosity::Quiet {
            output::say(format_args!(
                "{number}/{} {}: {words}",
                cases.len(),
                case.id
            ));
        }
        measured.extend(one);
    }
    room.close().await;
    measured
}

fn of_reached(reached: &Reached) -> String {
    let functions = count(reached.functions.len() as u64, "function");
    match reached.lost {
        0 => functions,
        lost => format!("{functions}, {} lost", count(lost, "call")),
    }
}

fn of_case(case: &Case, seen: &Observation, reached: Reached) -> Measured {
    let log = seen.around.iter().chain(&seen.seen.log);
    let messages = log.filter_map(|message| message::plain(message.text.lines().next()?));
    Measured {
        scenario: case.scenario.clone(),
        functions: reached.functions,
        messages: messages.take(MESSAGES).collect(),
    }
}

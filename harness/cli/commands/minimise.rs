//! `halfway minimise`: looks for the smallest case that fails as the given one does, and
//! writes it as a scenario file and as a recipe without Halfway.

use crate::cli::args::MinimiseArgs;
use crate::cli::guest;
use crate::cli::interrupt::Interrupt;
use crate::cli::player::{Halt, Limits, Player};
use crate::cli::select::Choice;
use crate::cli::{CliError, Context, Exit, output};
use crate::lab;
use crate::minimised::{Kept, WriteError};
use crate::report::{Verbosity, lines};
use crate::results::{Recorded, text};
use halfway_case::Case;
use miette::Diagnostic;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{oneshot, watch};

/// Where smallest cases go if nobody says.
const DIRECTORY: &str = "results/runs/minimised";

/// Why there is no smaller case.
#[derive(Debug, Error, Diagnostic)]
enum MinimiseError {
    #[error("{} has {cases} cases, and one is made smaller at a time", file.display())]
    #[diagnostic(help("`--filter` chooses one by its id, such as: --filter '^{first}$'"))]
    Many {
        file: PathBuf,
        cases: u64,
        first: String,
    },
    #[error("--count {count} is less than the {repeat} runs that the case itself needs")]
    #[diagnostic(help("give --count more, or --repeat less"))]
    Count { count: u64, repeat: u32 },
    #[error("failed to listen for signals")]
    Signals(#[source] io::Error),
    #[error(transparent)]
    Halt(Halt),
    #[error(transparent)]
    Write(WriteError),
    #[error("the thread of the search has ended too soon")]
    Thread,
}

/// Makes a case smaller. Exits with 0 if what was written fails as the case does, with 125
/// if the case does not fail or what was written does not, with 3 if it was interrupted.
///
/// # Errors
/// There is no such case, or nothing to run it on.
pub async fn execute(args: &MinimiseArgs, ctx: &Context) -> Result<Exit, CliError> {
    let case = case(args)?;
    halfway_oracle::fit(&case).map_err(|why| CliError::usage(Unfit(why)))?;
    let repeat = args.repeat.get();
    if let Some(count) = (args.count.map(u64::from)).filter(|count| *count < repeat.into()) {
        return Err(CliError::usage(MinimiseError::Count { count, repeat }));
    }
    let signals = |error| CliError::infrastructure(MinimiseError::Signals(error));
    let mut interrupt = Interrupt::listen().map_err(signals)?;
    let work = Work {
        case,
        args: args.clone(),
        verbosity: ctx.verbosity,
        stop: interrupt.stop.subscribe(),
    };
    // What is wrong with the options is said before a thread is started.
    drop(guest::lab(&args.guest, ctx)?);
    let (guest_args, ctx) = (args.guest.clone(), ctx.clone());
    let (send, ended) = oneshot::channel();
    std::thread::spawn(move || {
        let options = guest::lab(&guest_args, &ctx).map_err(CliError::from);
        // Nobody hears it after a second signal.
        let _ = send.send(options.and_then(|options| work.done(options)));
    });
    tokio::select! {
        ended = ended => match ended {
            Ok(ended) => ended,
            Err(_) => Err(CliError::infrastructure(MinimiseError::Thread)),
        },
        () = interrupt.now() => Ok(Exit::Infrastructure),
    }
}

/// A case that cannot be judged.
#[derive(Debug, Error, Diagnostic)]
#[error("nothing was started: {0}")]
struct Unfit(halfway_oracle::Unfit);

/// The case that the options name.
fn case(args: &MinimiseArgs) -> Result<Case, CliError> {
    if args.file.extension().is_some_and(|one| one == "json") {
        let recorded = Recorded::read(&args.file).map_err(CliError::usage)?;
        return Ok(recorded.case);
    }
    let choice = Choice::of_file(&args.file, args.filter.clone())?;
    let mut cases = choice.cases();
    match (cases.next(), choice.cases) {
        (Some(case), 1) => Ok(case),
        (first, cases) => Err(CliError::usage(MinimiseError::Many {
            file: args.file.clone(),
            cases,
            first: first.map_or_else(String::new, |case| regex::escape(&case.id)),
        })),
    }
}

/// What the thread of the search does.
struct Work {
    case: Case,
    args: MinimiseArgs,
    verbosity: Verbosity,
    stop: watch::Receiver<bool>,
}

impl Work {
    fn done(self, options: lab::Options) -> Result<Exit, CliError> {
        let (args, case) = (&self.args, &self.case);
        let limits = Limits {
            time: args
                .budget
                .map(|seconds| Duration::from_secs(seconds.get())),
            runs: args.count.map(Into::into),
        };
        let options = lab::Options {
            seed: args.seed,
            deadline: Duration::from_secs(u64::from(args.timeout.get())),
            ..options
        };
        self.say("case", &format!("{}: {case}", case.id));
        let halt = |halt| CliError::infrastructure(MinimiseError::Halt(halt));
        let write = |error| CliError::infrastructure(MinimiseError::Write(error));
        let mut player = Player::open(options, self.stop.clone(), limits).map_err(halt)?;
        let mut kept = Kept {
            before: case.clone(),
            release: player.release(case).map_err(halt)?,
            guest: args.guest.to_arguments(),
            control: args.guest.control.clone(),
            found: None,
            after: None,
            seconds: 0.0,
            runs: 0,
        };
        self.say("machine", &format!("Linux {}", kept.release));
        let output = self.output();
        let mut trouble = None;
        let best = |smaller: &Case| {
            trouble = kept.write_unfinished(smaller, &output).err();
        };
        let found = player
            .search(case, args.repeat.get(), self.verbosity, best)
            .map_err(halt)?;
        if let Some(error) = trouble {
            return Err(write(error));
        }
        let Some(found) = found else {
            let runs = args.repeat;
            self.say(
                "result",
                &format!("the kernel does not fail it, in {runs} run(s)"),
            );
            return Ok(Exit::Unjudged);
        };
        let spent = player.spent();
        kept.found = Some(found.clone());
        (kept.runs, kept.seconds) = (spent.0, spent.1.as_secs_f64());
        kept.write(&output).map_err(write)?;
        let stopped = player.is_asked_to_stop();
        if !stopped {
            let choice = Choice::of_file(&output, None)?;
            if let Some(written) = choice.cases().next() {
                match player.check(&written, args.repeat.get(), &found) {
                    Ok(rate) => kept.after = Some(rate),
                    Err(Halt::Asked) => {}
                    Err(other) => return Err(halt(other)),
                }
            }
            kept.write(&output).map_err(write)?;
        }
        self.summary(&kept, &output)?;
        Ok(match kept.after {
            Some(rate) if rate.shown > 0 => Exit::Pass,
            Some(_) => Exit::Unjudged,
            None => Exit::Infrastructure,
        })
    }

    fn output(&self) -> PathBuf {
        let named = self.args.output.clone();
        named.unwrap_or_else(|| Path::new(DIRECTORY).join(format!("{}.toml", self.case.id)))
    }

    fn summary(&self, kept: &Kept, output: &Path) -> Result<(), CliError> {
        for line in kept.story() {
            self.say("", &line);
        }
        let recipe = kept.recipe();
        let recipe = recipe.as_ref().map_or(&[][..], |recipe| &recipe.cannot);
        let words = match recipe {
            [] => String::new(),
            why => format!(" ({})", why.join("; ")),
        };
        let (file, script) = (output.display(), output.with_extension("sh"));
        output::write(|out| {
            writeln!(out, "{file}")?;
            writeln!(out, "{}{words}", script.display())
        })
    }

    fn say(&self, label: &str, words: &str) {
        if self.verbosity != Verbosity::Quiet {
            output::say(lines::info(label, &text::line(words)));
        }
    }
}

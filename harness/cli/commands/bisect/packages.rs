//! The search among the distribution's kernels.

use super::judge::{judge, wanted};
use crate::bisect::evidence::Evidence;
use crate::bisect::search::{Found, Mark, Search, Step};
use crate::bisect::sought::Sought;
use crate::bisect::{range, words};
use crate::cli::args::BisectArgs;
use crate::cli::guest::{self, GuestError};
use crate::cli::{CliError, Context, Exit, output};
use crate::report::lines;
use halfway_builder::{Cache, Catalogue};
use miette::Diagnostic;
use thiserror::Error;

/// Why there is no search.
#[derive(Debug, Error, Diagnostic)]
#[error(transparent)]
#[diagnostic(help("`halfway kernels packages` prints what the archive has"))]
struct SearchError(#[from] range::RangeError);

fn usage(error: range::RangeError) -> CliError {
    CliError::usage(SearchError(error))
}

/// Searches between two packages.
///
/// # Errors
/// The ends are not kernels of packages, or the search was interrupted.
pub(super) async fn execute(
    good: &str,
    bad: &str,
    args: &BisectArgs,
    ctx: &Context,
) -> Result<Exit, CliError> {
    let interrupt = super::listen()?;
    let range::Range { kernels, reversed } = between(good, bad, ctx).await?;
    let first = match reversed {
        true => Mark::Bad,
        false => Mark::Good,
    };
    let names: Vec<String> = (kernels.iter())
        .map(|kernel| format!("{} ({})", kernel.release, kernel.version))
        .collect();
    let gone = kernels.iter().filter(|kernel| kernel.lacks.is_some());
    output::say(format_args!(
        "{} from {} to {}; {} of them can no longer be had",
        lines::count(names.len() as u64, "kernel"),
        kernels[0].release,
        kernels[kernels.len() - 1].release,
        gone.count()
    ));

    let mut sought = wanted(args);
    let mut seen: Vec<Option<Evidence>> = vec![None; names.len()];
    let mut search =
        Search::new(names.len(), first).ok_or_else(|| usage(range::RangeError::Same))?;
    while let Step::Try(index) = search.step() {
        let kernel = &kernels[index];
        let evidence = match &kernel.lacks {
            Some(package) => Evidence::nothing(format!("the archive no longer has {package}")),
            None => {
                let sought = sought.as_ref().unwrap_or(&Sought::Any);
                judge(&kernel.release, args, sought, &interrupt, ctx).await
            }
        };
        if *interrupt.stop.borrow() {
            return Err(super::interrupted());
        }
        output::say(words::line(&names[index], &evidence));
        search.mark(index, evidence.mark);
        // The bad end is the first kernel that is tried.
        sought.get_or_insert_with(|| Sought::of(&evidence.failures));
        seen[index] = Some(evidence);
    }
    let Some(found) = search.found() else {
        return Ok(Exit::Unjudged);
    };
    output::write(|out| {
        for (name, evidence) in names.iter().zip(&seen) {
            if let Some(evidence) = evidence {
                writeln!(out, "{}", words::line(name, evidence))?;
            }
        }
        for line in words::result(&found, &names, &seen) {
            writeln!(out, "{line}")?;
        }
        Ok(())
    })?;
    Ok(match found {
        Found::EndDiffers {
            found: Mark::Unjudged,
            ..
        } => Exit::Unjudged,
        Found::EndDiffers { .. } => Exit::Kernel,
        Found::Change {
            before,
            after,
            against,
        } if after - before > 1 || !against.is_empty() => Exit::Unjudged,
        Found::Change { .. } => Exit::Pass,
    })
}

/// The kernels between the ends that the user named, both included.
async fn between(good: &str, bad: &str, ctx: &Context) -> Result<range::Range, CliError> {
    let catalogue = Catalogue::load();
    let flavour = range::flavour(good, bad, &catalogue).map_err(usage)?;
    let cache = Cache::open().map_err(GuestError::from)?;
    let all = guest::packaged(&flavour, &cache, ctx).await?;
    range::between(good, bad, &catalogue, all).map_err(usage)
}

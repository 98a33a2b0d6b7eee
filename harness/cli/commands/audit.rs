//! `halfway audit`: what each driver leaves in a bio that it failed.

use super::run::PATIENCE;
use crate::audit::examine::{self, Site};
use crate::audit::{Audit, Row, table};
use crate::cli::args::AuditArgs;
use crate::cli::guest;
use crate::cli::{CliError, Context, Exit, output};
use crate::provision::Provisions;
use crate::report::Verbosity;
use miette::Diagnostic;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;
use tokio::task::LocalSet;

/// The audit's result could not be written.
#[derive(Debug, Error, Diagnostic)]
#[error("failed to write {}", path.display())]
#[diagnostic(help("--results names another directory"))]
struct WriteError {
    path: PathBuf,
    source: io::Error,
}

/// How long an I/O may take. The slowest driver that retries takes one second.
const DEADLINE: Duration = Duration::from_secs(15);

/// Examines every driver and writes the table.
///
/// # Errors
/// No guest could be prepared, or the table could not be written.
pub async fn execute(args: &AuditArgs, ctx: &Context) -> Result<Exit, CliError> {
    let quiet = ctx.verbosity == Verbosity::Quiet;
    let mut say = |row: &Row| {
        let words = match &row.result {
            Ok(answers) => format!(
                "vector {}; iterator {}; partial {}; class {}",
                answers.vector.answer,
                answers.iterator.answer,
                answers.partial.answer,
                answers.class.answer
            ),
            Err(why) => why.clone(),
        };
        if !quiet {
            output::say(format_args!("{} {:?}: {words}", row.subject, row.op));
        }
    };
    let needs = examine::needs_of_controllers();
    let disks = guest::prepare(&args.guest, ctx, &needs, false).await?;
    let needs = examine::needs_of_stacks();
    let stacks = guest::prepare(&args.guest, ctx, &needs, false).await?;
    let rows = LocalSet::new()
        .run_until(async {
            let disks_site = site(&disks, args.seed);
            let mut rows = examine::controllers(&disks_site, &disks.images, &mut say).await;
            let stacks_site = site(&stacks, args.seed);
            rows.extend(examine::stacks(&stacks_site, &stacks.images, &mut say).await);
            rows
        })
        .await;
    let audit = Audit {
        release: disks.kernel.release,
        qemu: disks.qemu.version,
        rows,
    };
    let json = serde_json::to_string_pretty(&audit).expect("an audit is plain data") + "\n";
    for (ending, text) in [
        ("md", table::markdown(&audit)),
        ("json", json),
        ("html", table::html(&audit)),
    ] {
        let path = args.results.join("audit").with_extension(ending);
        std::fs::write(&path, text)
            .map_err(|source| CliError::infrastructure(WriteError { path, source }))?;
    }
    let answered = audit.rows.iter().filter(|row| row.result.is_ok()).count();
    Ok(match answered {
        0 => Exit::Unjudged,
        _ => Exit::Pass,
    })
}

fn site(guest: &Provisions, seed: u64) -> Site<'_> {
    Site {
        boot: &guest.boot,
        workshop: &guest.workshop,
        patience: PATIENCE,
        deadline: DEADLINE,
        seed,
    }
}

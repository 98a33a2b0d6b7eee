//! `halfway kernels`: the kernels that are known by name.

use crate::cli::args::{KernelsAction, KernelsArgs};
use crate::cli::guest::{self, GuestError};
use crate::cli::{CliError, Context, Exit, output};
use halfway_builder::{Cache, Catalogue, KernelSpec, PackagedKernel};

/// Lists or fetches kernels.
///
/// # Errors
/// A name is not known, or a kernel cannot be fetched.
pub async fn execute(args: &KernelsArgs, ctx: &Context) -> Result<Exit, CliError> {
    match args.action.as_ref().unwrap_or(&KernelsAction::List) {
        KernelsAction::List => list(),
        KernelsAction::Packages { flavour } => packages(flavour, ctx).await,
        KernelsAction::Fetch { names } => fetch(names, ctx).await,
    }
}

fn list() -> Result<Exit, CliError> {
    let catalogue = Catalogue::load();
    let default = &catalogue.default_entry().name;
    output::write(|out| {
        for entry in catalogue.entries() {
            let mark = if entry.name == *default {
                "  (default)"
            } else {
                ""
            };
            writeln!(out, "{:<12} {}{mark}", entry.name, entry.about)?;
        }
        writeln!(out, "{:<12} the kernel that this host runs", "host")?;
        writeln!(
            out,
            "{:<12} one package, by what `uname -r` prints in it: see `halfway kernels packages`",
            "RELEASE"
        )?;
        writeln!(
            out,
            "{:<12} a vmlinuz (with --modules DIR), or a kernel build tree",
            "PATH"
        )
    })?;
    Ok(Exit::Pass)
}

async fn packages(flavour: &str, ctx: &Context) -> Result<Exit, CliError> {
    let cache = Cache::open().map_err(GuestError::from)?;
    let kernels = guest::packaged(flavour, &cache, ctx).await?;
    output::write(|out| {
        for kernel in &kernels {
            let PackagedKernel {
                release, version, ..
            } = kernel;
            let lacks = match &kernel.lacks {
                Some(package) => format!("  cannot be had: {package} is gone"),
                None => String::new(),
            };
            writeln!(out, "{release:<34} {version}{lacks}")?;
        }
        Ok(())
    })?;
    Ok(match kernels.is_empty() {
        true => Exit::Usage,
        false => Exit::Pass,
    })
}

async fn fetch(names: &[String], ctx: &Context) -> Result<Exit, CliError> {
    let cache = Cache::open().map_err(GuestError::from)?;
    let specs: Result<Vec<_>, _> = names
        .iter()
        .map(|name| KernelSpec::parse(name, None))
        .collect();
    for spec in specs.map_err(GuestError::from)? {
        let kernel = guest::fetch(spec, &cache, ctx).await?;
        output::write(|out| {
            writeln!(
                out,
                "{:<12} {} ({})",
                kernel.name, kernel.release, kernel.origin
            )
        })?;
    }
    Ok(Exit::Pass)
}

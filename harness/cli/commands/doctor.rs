//! `halfway doctor`: what this host can and cannot do.

use super::options::Known;
use crate::cli::args::DoctorArgs;
use crate::cli::{CliError, Context, Exit, guest, output};
use crate::machine::{Qemu, QemuError, daemon, qemu};
use crate::provision;
use crate::runner::station::Blueprint;
use crate::runner::{Needs, Station};
use halfway_builder::Cache;
use halfway_case::Controller;
use halfway_protocol::facility::Facility;
use std::fmt;
use std::time::Duration;
use tokio::task::LocalSet;

/// The result of one check.
#[derive(Clone, Copy)]
enum Mark {
    /// All is well.
    Good,
    /// Cases may be skipped because of it, or the effect is not known.
    Warning,
    /// Nothing works, or one command does not.
    Bad,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Mark::Good => "ok",
            Mark::Warning => "warning",
            Mark::Bad => "error",
        })
    }
}

type Lines = Vec<(Mark, String)>;

/// Examines this host, up to a guest that boots and says hello.
///
/// # Errors
/// Standard output could not be written. Problems of the host are no errors: they are in
/// the report and in the exit code.
pub async fn execute(args: &DoctorArgs, ctx: &Context) -> Result<Exit, CliError> {
    let mut report = Vec::new();
    let mut lacking = None;
    let sound = examine(args, ctx, &mut report, &mut lacking).await;
    let built = built_with(args, ctx, lacking).await;
    output::write(|out| {
        for (mark, text) in &report {
            writeln!(out, "{mark:<7} {text}")?;
        }
        if !built.is_empty() {
            writeln!(
                out,
                "\nwhat the kernel was built with (guest-images/kernel.config):"
            )?;
        }
        for (good, line) in &built {
            writeln!(out, "{} {line}", if *good { "ok     " } else { "lacks  " })?;
        }
        let verdict = match sound {
            true => "this host can run scenarios",
            false => "this host cannot run scenarios yet; `ci/setup` installs what is missing",
        };
        writeln!(out, "{verdict}")
    })?;
    Ok(if sound {
        Exit::Pass
    } else {
        Exit::Infrastructure
    })
}

/// Reports which kernel options the cases may need and which of them the kernel has. For
/// a kernel that the user named, prints the whole list; otherwise only what is missing.
async fn built_with(
    args: &DoctorArgs,
    ctx: &Context,
    lacking: Option<Vec<Facility>>,
) -> Vec<(bool, String)> {
    let Ok(cache) = Cache::open() else {
        return Vec::new();
    };
    // Why there is no kernel has been reported already.
    let Ok(kernel) = guest::kernel(&args.guest, &cache, ctx).await else {
        return Vec::new();
    };
    let mut lines = Known::new(kernel, lacking).lines();
    lines.retain(|(good, _)| args.guest.kernel.is_some() || !good);
    lines
}

/// Checks that QEMU and its storage daemon work. Reports what they lack: cases that need
/// it are skipped.
async fn emulator(report: &mut Lines) -> Result<(), QemuError> {
    let qemu = Qemu::ask(&provision::qemu_binary()).await?;
    report.push((Mark::Good, qemu.version.to_string()));
    let warning = qemu.version.warning();
    report.extend(warning.map(|warning| (Mark::Warning, warning)));
    for controller in Controller::ALL
        .iter()
        .copied()
        .filter(|one| !one.is_piecewise())
    {
        if let Some(device) = qemu.lacks(controller.profile().qemu.devices) {
            let text = format!("QEMU has no {device}: cases on {controller} are skipped");
            report.push((Mark::Warning, text));
        }
    }
    let program = daemon::program(&qemu.binary);
    let text = match qemu::daemon_version(&program).await? {
        None => format!(
            "there is no {}: cases on {} are skipped (`ci/setup` installs it)",
            program.display(),
            Controller::Target
        ),
        Some(version) if !version.belongs_to(&qemu.version) => {
            format!(
                "{} is {version}, of another release than QEMU",
                program.display()
            )
        }
        Some(version) => {
            report.push((Mark::Good, version.to_string()));
            return Ok(());
        }
    };
    report.push((Mark::Warning, text));
    Ok(())
}

/// `lacking` is what the guest's agent says the kernel lacks, if a guest came up.
async fn examine(
    args: &DoctorArgs,
    ctx: &Context,
    report: &mut Lines,
    lacking: &mut Option<Vec<Facility>>,
) -> bool {
    if let Err(error) = emulator(report).await {
        report.push((Mark::Bad, error.to_string()));
        return false;
    }
    match Cache::open() {
        Ok(cache) => report.push((Mark::Good, format!("cache: {}", cache.root().display()))),
        Err(error) => report.push((Mark::Bad, error.to_string())),
    }
    match halfway_builder::shell_tools() {
        Ok(_) => report.push((Mark::Good, "busybox, for `halfway shell`".to_owned())),
        Err(error) => report.push((
            Mark::Bad,
            format!("{error} (only `halfway shell` needs it)"),
        )),
    }
    let guest = match guest::prepare(&args.guest, ctx, &Needs::default(), false).await {
        Ok(guest) => guest,
        Err(error) => {
            report.push((Mark::Bad, error.to_string()));
            return false;
        }
    };
    report.push((
        Mark::Good,
        format!("kernel {}: {}", guest.kernel.name, guest.kernel.release),
    ));
    let accelerator = guest.acceleration.accelerator.to_uppercase();
    report.push((
        Mark::Good,
        format!(
            "acceleration: {accelerator} ({})",
            guest.acceleration.reason
        ),
    ));

    let patience = Duration::from_secs(30);
    let blueprint = Blueprint::bare(&guest.boot, Controller::default(), patience);
    let booted = LocalSet::new()
        .run_until(async {
            let directory = guest
                .workshop
                .directory()
                .map_err(|error| error.to_string())?;
            let station = Station::start(&blueprint, directory, |_| {}).await;
            let station = station.map_err(|error| error.to_string())?;
            let (hello, took) = (station.hello.clone(), station.boot_time);
            station.machine.end().await;
            Ok::<_, String>((hello, took))
        })
        .await;
    match booted {
        Ok((hello, took)) => {
            let seconds = took.as_secs_f32();
            report.push((
                Mark::Good,
                format!("a guest came up in {seconds:.1} s: {}", hello.version),
            ));
            *lacking = Some(hello.lacking);
            let events = hello.events.len();
            report.push((
                if events > 0 { Mark::Good } else { Mark::Bad },
                format!("{events} block trace events in the guest"),
            ));
            events > 0
        }
        Err(error) => {
            report.push((Mark::Bad, error));
            false
        }
    }
}

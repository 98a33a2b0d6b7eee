//! `halfway doctor`: what this host can and cannot do.

use super::options::Known;
use crate::cli::args::DoctorArgs;
use crate::cli::{CliError, Context, Exit, guest, output};
use crate::runner::station::Blueprint;
use crate::runner::{Needs, Station};
use crate::scenario::case::Controller;
use halfway_builder::Cache;
use halfway_protocol::facility::Facility;
use std::time::Duration;
use tokio::task::LocalSet;

/// Examines this host, as far as a guest that says hello.
///
/// # Errors
/// Standard output could not be written; what is wrong with the host is in the
/// report and in the exit code.
pub async fn execute(args: &DoctorArgs, ctx: &Context) -> Result<Exit, CliError> {
    let mut report = Vec::new();
    let mut lacking = None;
    let sound = examine(args, ctx, &mut report, &mut lacking).await;
    let built = built_with(args, ctx, lacking).await;
    output::write(|out| {
        for (good, line) in &report {
            writeln!(out, "{} {line}", if *good { "ok     " } else { "missing" })?;
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
            false => "this host cannot run scenarios yet: `ci/setup` installs what is missing",
        };
        writeln!(out, "{verdict}")
    })?;
    Ok(if sound {
        Exit::Pass
    } else {
        Exit::Infrastructure
    })
}

/// What the kernel has and lacks of all that cases may need: the whole list of one that
/// was asked for, else what is lacking.
async fn built_with(
    args: &DoctorArgs,
    ctx: &Context,
    lacking: Option<Vec<Facility>>,
) -> Vec<(bool, String)> {
    let Ok(cache) = Cache::open() else {
        return Vec::new();
    };
    // What is wrong with it was told.
    let Ok(kernel) = guest::kernel(&args.guest, &cache, ctx).await else {
        return Vec::new();
    };
    let mut lines = Known::new(kernel, lacking).lines();
    lines.retain(|(good, _)| args.guest.kernel.is_some() || !good);
    lines
}

/// `lacking` is what the guest says, if there is one.
async fn examine(
    args: &DoctorArgs,
    ctx: &Context,
    report: &mut Vec<(bool, String)>,
    lacking: &mut Option<Vec<Facility>>,
) -> bool {
    match guest::qemu_version(&guest::qemu_binary()) {
        Ok(version) => report.push((true, version)),
        Err(error) => {
            report.push((false, format!("{error}")));
            return false;
        }
    }
    match Cache::open() {
        Ok(cache) => report.push((true, format!("cache: {}", cache.root().display()))),
        Err(error) => report.push((false, error.to_string())),
    }
    match halfway_builder::shell_tools() {
        Ok(_) => report.push((true, "busybox, for `halfway shell`".to_owned())),
        Err(error) => report.push((false, format!("{error} (only `halfway shell` needs it)"))),
    }
    let guest = match guest::prepare(&args.guest, ctx, &Needs::default(), false).await {
        Ok(guest) => guest,
        Err(error) => {
            report.push((false, error.to_string()));
            return false;
        }
    };
    report.push((
        true,
        format!("kernel {}: {}", guest.kernel.name, guest.kernel.release),
    ));
    let accelerator = guest.acceleration.accelerator.to_uppercase();
    report.push((
        true,
        format!(
            "acceleration: {accelerator} ({})",
            guest.acceleration.reason
        ),
    ));

    let blueprint = Blueprint {
        boot: &guest.boot,
        fitting: Controller::default().into(),
        members: &[],
        patience: Duration::from_secs(30),
        spare: None,
        shell: false,
    };
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
                true,
                format!("a guest came up in {seconds:.1} s: {}", hello.version),
            ));
            *lacking = Some(hello.lacking);
            let events = hello.events.len();
            report.push((
                events > 0,
                format!("{events} block trace events in the guest"),
            ));
            events > 0
        }
        Err(error) => {
            report.push((false, error));
            false
        }
    }
}

//! `halfway doctor`: what this host can and cannot do.

use crate::cli::args::DoctorArgs;
use crate::cli::{CliError, Context, Exit, guest, output};
use crate::runner::station::Blueprint;
use crate::runner::{Needs, Station};
use crate::scenario::case::{Controller, OnError};
use halfway_builder::Cache;
use std::time::Duration;
use tokio::task::LocalSet;

/// Examines this host, as far as a guest that says hello.
///
/// # Errors
/// Standard output could not be written; what is wrong with the host is in the
/// report and in the exit code.
pub async fn execute(args: &DoctorArgs, ctx: &Context) -> Result<Exit, CliError> {
    let mut report = Vec::new();
    let sound = examine(args, ctx, &mut report).await;
    output::write(|out| {
        for (good, line) in &report {
            writeln!(out, "{} {line}", if *good { "ok     " } else { "missing" })?;
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

async fn examine(args: &DoctorArgs, ctx: &Context, report: &mut Vec<(bool, String)>) -> bool {
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
        controller: Controller::default(),
        on_error: OnError::Report,
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

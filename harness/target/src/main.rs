//! A target as a program of its own: to try it with any QEMU, and for tests
//! that need it as another process.

use clap::Parser;
use halfway_scsi::{Report, Reports};
use halfway_target::{BlockSize, HbaConfig, Identity, Policy, Search, Target};
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

/// Serve an NBD export as a SCSI disk that reports failures with sense data.
///
/// Prints QEMU's arguments, then every command as it is answered; ends when it
/// is killed.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Socket of the NBD server
    #[arg(long, value_name = "PATH")]
    nbd: PathBuf,
    /// Name of the export; of several, each is an HBA of its own, and all are
    /// paths to one unit
    #[arg(long, value_name = "NAME", required = true)]
    export: Vec<String>,
    /// Directory for the sockets that QEMU connects to
    #[arg(long, value_name = "DIR")]
    sockets: PathBuf,
    /// Bytes of a logical block
    #[arg(long, default_value = "512", value_parser = ["512", "4096"])]
    block: String,
    /// How an errno of the storage is reported, as in 5=short-good+medium-error
    #[arg(long, value_name = "ERRNO=REPORT", value_parser = report)]
    report: Vec<(u32, Report)>,
    /// Look for the bad block one by one: for faults that wear off
    #[arg(long)]
    stepwise: bool,
    /// Megabytes of guest memory, as QEMU's -m has them
    #[arg(long, default_value_t = 512)]
    memory: u32,
}

fn report(text: &str) -> Result<(u32, Report), String> {
    let (errno, report) = text.split_once('=').ok_or("an errno, = and a report")?;
    let errno = errno.parse().map_err(|_| "no errno before the =")?;
    let report: Report = report.parse().map_err(|error| format!("{error}"))?;
    Ok((errno, report))
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut line = error.to_string();
            let mut cause = error.source();
            while let Some(error) = cause {
                line += &format!(": {error}");
                cause = error.source();
            }
            eprintln!("halfway-target: {line}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let ports = u16::try_from(args.export.len())?;
    let configs = args.export.iter().zip(1..).map(|(export, port)| HbaConfig {
        id: format!("hba{}", port - 1),
        socket: args.sockets.join(format!("hba{}", port - 1)),
        nbd: args.nbd.clone(),
        export: export.clone(),
        unit: Identity {
            name: "halfway".to_owned(),
            block: match args.block.as_str() {
                "4096" => BlockSize::B4096,
                _ => BlockSize::B512,
            },
            port,
            ports,
            ..Identity::new(export)
        },
    });
    let (target, journal) = Target::start(configs.collect())?;
    let mut reports = Reports::default();
    for (errno, report) in args.report {
        reports = reports.with(errno, report);
    }
    let search = match args.stepwise {
        true => Search::Stepwise,
        false => Search::Bisect,
    };
    for hba in target.hbas() {
        hba.set_policy(Policy {
            reports: reports.clone(),
            search,
            ..Policy::default()
        });
    }
    let mut qemu = Target::shared_memory_args(args.memory).to_vec();
    qemu.extend(target.qemu_args());
    println!("{}", qemu.join(" "));
    for entry in journal {
        println!("{entry}");
    }
    Ok(())
}

//! The trial that decides between KVM and TCG.

use crate::machine::accel::{Known, Memory, TRIAL};
use crate::machine::command::Boot;
use crate::machine::janitor::Workshop;
use crate::machine::{Accel, AccelChoice};
use crate::runner::station::{Blueprint, Station, StationError};
use halfway_case::Controller;
use std::io;
use tokio::task::LocalSet;

/// What was decided.
pub struct Decision {
    /// What runs the guest's code.
    pub accel: Accel,
    /// A line for the user, where it is a fallback.
    pub note: Option<String>,
}

/// Why KVM does not serve here.
#[derive(Debug, thiserror::Error)]
enum NoKvm {
    #[error("{0}")]
    Directory(#[source] io::Error),
    #[error("/dev/kvm opens, but a guest did not come up within {} s of its start", TRIAL.as_secs())]
    Late,
    #[error("/dev/kvm opens, but a guest did not come up ({})", first_line(.0))]
    Down(#[source] StationError),
}

fn first_line(error: &StationError) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}

/// Decides what runs the guests of `boot`; a trial boot takes at most
/// [`TRIAL`], and its outcome is remembered.
pub async fn decide(
    choice: AccelChoice,
    memory: &Memory,
    boot: &Boot,
    workshop: &Workshop,
) -> Decision {
    let fallback = |why: String| Decision {
        accel: Accel::Tcg,
        note: Some(format!(
            "no KVM here: {why}; guests run under TCG, which is slower"
        )),
    };
    match memory.known(choice) {
        Known::Decided(Accel::Tcg, Some(why)) => fallback(why),
        Known::Decided(accel, _) => Decision { accel, note: None },
        Known::NeedsTrial => {
            let tried = LocalSet::new().run_until(try_kvm(boot, workshop)).await;
            let why_not = tried.err().map(|why| why.to_string());
            memory.remember(why_not.clone());
            match why_not {
                None => Decision {
                    accel: Accel::Kvm,
                    note: None,
                },
                Some(why) => fallback(why),
            }
        }
    }
}

async fn try_kvm(boot: &Boot, workshop: &Workshop) -> Result<(), NoKvm> {
    let boot = Boot {
        accel: Accel::Kvm,
        ..boot.clone()
    };
    let blueprint = Blueprint::bare(&boot, Controller::VirtioBlk, TRIAL);
    let directory = workshop.directory().map_err(NoKvm::Directory)?;
    let trial = Station::start(&blueprint, directory, |_| {});
    let station = match tokio::time::timeout(TRIAL, trial).await {
        Err(_) => return Err(NoKvm::Late),
        Ok(started) => started.map_err(NoKvm::Down)?,
    };
    station.machine.end().await;
    Ok(())
}

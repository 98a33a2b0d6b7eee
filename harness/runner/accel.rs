//! The trial that decides between KVM and TCG.

use super::station::{Blueprint, Station};
use crate::machine::accel::{Known, Memory, TRIAL};
use crate::machine::command::Boot;
use crate::machine::janitor::Workshop;
use crate::machine::{Accel, AccelChoice};
use halfway_case::Controller;

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What runs the guest's code.
    pub accel: Accel,
    /// A line for the user, where it is a fallback.
    pub note: Option<String>,
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
            let why_not = try_kvm(boot, workshop).await.err();
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

async fn try_kvm(boot: &Boot, workshop: &Workshop) -> Result<(), String> {
    let boot = Boot {
        accel: Accel::Kvm,
        ..boot.clone()
    };
    let blueprint = Blueprint {
        boot: &boot,
        fitting: Controller::VirtioBlk.into(),
        members: &[],
        patience: TRIAL,
        spare: None,
        shell: false,
    };
    let directory = workshop.directory().map_err(|error| error.to_string())?;
    let trial = Station::start(&blueprint, directory, |_| {});
    match tokio::time::timeout(TRIAL, trial).await {
        Err(_) => Err(format!(
            "/dev/kvm opens, but a guest did not come up within {} s of its start",
            TRIAL.as_secs()
        )),
        Ok(Err(error)) => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            Err(format!(
                "/dev/kvm opens, but a guest did not come up ({first})"
            ))
        }
        Ok(Ok(station)) => {
            station.machine.end().await;
            Ok(())
        }
    }
}

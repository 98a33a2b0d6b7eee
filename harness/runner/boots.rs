//! Starts a machine, more than once if need be: an emulated boot may stall.

use super::station::{Blueprint, Station, StationError};
use crate::machine::command::Boot;
use crate::machine::janitor::Workshop;

/// How often a machine is started before it is given up.
const BOOTS: u32 = 3;

/// What is told of the tries.
pub enum Try {
    /// There is one more.
    Begins,
    /// It starts QEMU with this command line.
    Starting(Vec<String>),
    /// It failed, and another one follows.
    Failed(StationError),
}

/// No machine came up.
pub struct NoStation {
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last try failed.
    pub source: StationError,
}

/// Starts a machine, in up to [`BOOTS`] tries, each in a directory of its own. `hear` is told of
/// them. `None`: `stopped` said before a try that no machine is wanted any more.
///
/// # Errors
/// The last try failed, or one for a reason that stays.
pub async fn start(
    blueprint: &Blueprint<'_>,
    workshop: &Workshop,
    stopped: impl Fn() -> bool,
    hear: impl Fn(Try),
) -> Result<Option<Station>, NoStation> {
    for attempts in 1.. {
        if stopped() {
            return Ok(None);
        }
        hear(Try::Begins);
        // The last try tells its whole boot, for whoever has to find out why.
        let boot = Boot {
            verbose: attempts == BOOTS,
            ..blueprint.boot.clone()
        };
        let blueprint = Blueprint {
            boot: &boot,
            ..blueprint.clone()
        };
        let started = match workshop.directory() {
            Err(error) => Err(StationError::Directory(error)),
            Ok(directory) => {
                let starting = |command| hear(Try::Starting(command));
                Station::start(&blueprint, directory, starting).await
            }
        };
        match started {
            Ok(station) => return Ok(Some(station)),
            Err(source) if attempts == BOOTS || !source.may_pass() => {
                return Err(NoStation { attempts, source });
            }
            Err(error) => hear(Try::Failed(error)),
        }
    }
    Ok(None)
}

/// The same where nobody stops it or listens.
///
/// # Errors
/// As of [`start`].
pub async fn start_quietly(
    blueprint: &Blueprint<'_>,
    workshop: &Workshop,
) -> Result<Station, StationError> {
    // It is never stopped, so there is a station.
    loop {
        match start(blueprint, workshop, || false, |_| {}).await {
            Ok(Some(station)) => return Ok(station),
            Ok(None) => {}
            Err(no) => return Err(no.source),
        }
    }
}

//! What an operator does about a disk that does not answer: nobody else does
//! anything, since virtio_scsi gives its device all the time in the world
//! (`virtscsi_eh_timed_out`).

use super::interruption::Interruption;
use super::interventions;
use super::station::Station;
use crate::storage;
use halfway_case::observation::{Intervention, Member};
use halfway_case::{Case, Fault, Times};
use halfway_protocol::io::IoState;
use halfway_protocol::message::Request;
use halfway_scsi::FaultReport;
use std::time::Duration;
use tokio::time::Instant;

/// How long a command may take to reach its disk.
const ARRIVAL: Duration = Duration::from_secs(5);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// How often a disk of `case` gives no answer, at most: a part that is done first
/// is told with one of a fault's times.
fn silences(case: &Case) -> u32 {
    let silent = |fault: &&Fault| fault.report.is_some_and(FaultReport::is_silent);
    let times = |fault: &Fault| match fault.times {
        // Offline, it is asked no more.
        Times::Always => 1,
        Times::Count(times) => times,
    };
    case.faults.iter().filter(silent).map(times).sum()
}

/// Resets each disk that keeps a command without an answer, as often as that is
/// to happen. Gives what was done, and the I/O, where it came to an end meanwhile.
pub async fn act(
    station: &Station,
    case: &Case,
    done: &mut Vec<Intervention>,
) -> Result<(Vec<String>, Option<IoState>), Interruption> {
    let mut words = Vec::new();
    for _ in 0..silences(case) {
        let since = Instant::now();
        let leg = loop {
            if let Some(leg) = station.storage.silent().first() {
                break *leg;
            }
            match station.guest.io_wait(LOOK, None).await? {
                done @ IoState::Done(_) => return Ok((words, Some(done))),
                // It never came, which the judge will see.
                _ if since.elapsed() > ARRIVAL => return Ok((words, None)),
                _ => {}
            }
        };
        let offline = takes_offline(case, leg);
        let disk = storage::serial(Member::Leg(leg));
        let how = if offline { "offline, " } else { "" };
        words.push(format!("{how}reset {disk}"));
        let reset = Request::ScsiReset { disk, offline };
        interventions::call(station, done, Intervention::Reset(leg), reset).await?;
    }
    Ok((words, None))
}

fn takes_offline(case: &Case, leg: u8) -> bool {
    let mut faults = case.faults.iter().filter(|fault| fault.leg == leg);
    faults.any(|fault| fault.report.is_some_and(FaultReport::is_offline))
}

/// Disks that were taken offline serve the next case again.
pub async fn undo(station: &Station, case: &Case) -> Result<(), Interruption> {
    for leg in (0..case.legs.count).filter(|leg| takes_offline(case, *leg)) {
        let running = station.guest.call(Request::Attribute {
            device: storage::serial(Member::Leg(leg)),
            attribute: "device/state".to_owned(),
            value: Some("running\n".to_owned()),
        });
        running.await?;
    }
    Ok(())
}

//! What every soak does to the stack or its disks, and how long it goes on.

use super::interruption::Interruption;
use super::set_up::in_sync;
use super::stack::{self, NAME};
use super::station::Station;
use halfway_case::Case;
use halfway_protocol::message::{self, Request};
use halfway_soak::Action;

/// How many times as long a soak may be, as long as no I/O has met a fault: which
/// ones do is also a matter of what the stack made of those before.
pub const PROLONGED: u32 = 4;

/// Whether the kernel has said that a lower device failed a request
/// (`blk_print_req_error`). The judge asks the journal.
pub fn has_met_a_fault(seen: &message::Seen) -> bool {
    let mut log = seen.log.iter();
    log.any(|message| message.text.contains("I/O error, dev "))
}

/// Does what the plan says to the stack or its disks; `order` is that of the legs
/// in the mirror's table.
pub async fn act(
    station: &mut Station,
    case: &Case,
    order: &mut [u8],
    action: &Action,
) -> Result<(), Interruption> {
    match action {
        Action::Arm(faults) => station.arm(&case.legs, faults, &[]).await?,
        Action::FailPath(path) => send(station, "fail_path", *path).await?,
        Action::ReinstatePath(path) => send(station, "reinstate_path", *path).await?,
        Action::Suspend => reload(station, None).await?,
        Action::Mend(leg) => {
            station.arm(&case.legs, &[], &[]).await?;
            // The sort is stable: the first of those that have not failed stays
            // the first. It alone has what was written to regions that are out
            // of sync (`get_valid_mirror`, and `do_writes`, which writes those to
            // the default mirror only).
            order.sort_by_key(|one| one == leg);
            match stack::resynchronised(case, order) {
                Some(table) => {
                    reload(station, Some(table)).await?;
                    in_sync(station, case, 0).await?;
                }
                None => {
                    for path in 0..case.legs.count {
                        send(station, "reinstate_path", path).await?;
                    }
                }
            }
        }
    }
    Ok(())
}

async fn send(station: &Station, message: &str, path: u8) -> Result<(), Interruption> {
    let sent = station.guest.call(Request::DmMessage {
        name: NAME.to_owned(),
        sector: 0,
        message: format!("{message} {}", stack::device(path)),
    });
    sent.await?;
    Ok(())
}

/// Suspends without flush, loads a table if there is one, resumes.
async fn reload(station: &Station, table: Option<message::Target>) -> Result<(), Interruption> {
    let name = || NAME.to_owned();
    let mut calls = vec![station.guest.call(Request::DmSuspend {
        name: name(),
        noflush: true,
    })];
    if let Some(table) = table {
        calls.push(station.guest.call(Request::DmLoad {
            name: name(),
            table: vec![table],
        }));
    }
    calls.push(station.guest.call(Request::DmResume { name: name() }));
    for call in calls {
        call.await?;
    }
    Ok(())
}

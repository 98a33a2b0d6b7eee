//! A disk that is unplugged with a request in flight, and plugged again.

use super::interruption::Interruption;
use super::request::{WRITTEN, io_request};
use super::stack::{self, NAME};
use super::station::Station;
use crate::guest::client::strange;
use crate::storage::{self, StorageError};
use halfway_case::observation::{Member, Observation, PluggedAgain, Unplugged};
use halfway_case::{Case, Io};
use halfway_protocol::io::Op;
use halfway_protocol::message::{Disk, Reply, Request};
use std::time::Duration;
use tokio::time::Instant;

/// How long QEMU may take to come to what is in flight, and to let the device go.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the guest may take to forget a disk, or to find it: SCSI looks for disks
/// in a thread of its own (`async_schedule` in `sd_probe`).
const SEARCH: Duration = Duration::from_secs(20);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);

fn failed(leg: u8, why: &str) -> Interruption {
    let why = why.to_owned();
    let member = Member::Leg(leg);
    StorageError::Plug { member, why }.into()
}

/// Unplugs the disk of a leg that holds a request. QEMU gives the request up and
/// then stands still until it has ended; only then does anyone let it go. Gives what
/// was done.
pub async fn take_away(station: &Station, leg: u8) -> Result<Vec<String>, Interruption> {
    let member = Member::Leg(leg);
    let mut deleted = station.machine.qmp().deleted();
    let before = deleted.borrow().len();
    let released = async {
        let since = Instant::now();
        let mut given_up = Ok(false);
        // Where it never does, the judge sees that there is no such entry.
        while matches!(given_up, Ok(false)) && since.elapsed() < PATIENCE {
            tokio::time::sleep(LOOK).await;
            given_up = station.storage.has_given_up(member);
        }
        station.storage.release_all();
        given_up
    };
    let (done, given_up) = tokio::join!(
        station.storage.unplug(station.machine.qmp(), member),
        released
    );
    let done = done?;
    given_up?;
    let goes = station.storage.goes(member);
    // The bus frees it only after a grace period (`bus_remove_child` in
    // hw/core/qdev.c), and until then it has the block node.
    let gone = deleted.wait_for(|all| goes.iter().all(|id| all[before..].contains(id)));
    match tokio::time::timeout(PATIENCE, gone).await {
        Ok(Ok(_)) => Ok(vec![done]),
        _ => Err(failed(leg, "QEMU does not tell that the device is gone")),
    }
}

/// Names the disks anew. The driver of a stick reads its first sector whenever it
/// looks at it (`sd_read_block_zero`), which may be taken for the read that tells
/// them apart.
async fn identify(station: &mut Station) -> Result<(), Interruption> {
    const TRIES: u32 = 5;
    for _ in 1..TRIES {
        match station.storage.identify(station.machine.qmp()).await {
            Err(StorageError::Identify { .. }) => tokio::time::sleep(LOOK).await,
            other => return Ok(other?),
        }
    }
    Ok(station.storage.identify(station.machine.qmp()).await?)
}

/// The disk of a leg, as the guest has it.
async fn look(station: &Station, leg: u8) -> Result<Option<Disk>, Interruption> {
    let serial = storage::serial(Member::Leg(leg));
    let disks = station.guest.disks().await?;
    Ok(disks.into_iter().find(|disk| disk.serial == serial))
}

/// Once the I/O has come back and all of it was seen: sees to it that the guest has
/// forgotten the disk, plugs it again, loads the table again, with what the guest
/// calls the disk now, and reads what the I/O was about. The station is as it was
/// before.
pub async fn plug_again(
    station: &mut Station,
    case: &Case,
    seed: u64,
    deadline: Duration,
    seen: &mut Observation,
) -> Result<(), Interruption> {
    let Some(leg) = case.holds.first().map(|hold| hold.leg) else {
        return Ok(());
    };
    (seen.journal, seen.media) = station.storage.collect(&case.legs, &case.io)?;
    let since = Instant::now();
    let mut gone = false;
    while !gone && since.elapsed() < SEARCH {
        gone = look(station, leg).await?.is_none();
    }
    let unplugged = seen.unplugged.insert(Unplugged { gone, again: None });

    let member = Member::Leg(leg);
    station.storage.plug(station.machine.qmp(), member).await?;
    let since = Instant::now();
    let disk = loop {
        match look(station, leg).await? {
            Some(disk) => break disk,
            None if since.elapsed() > SEARCH => {
                return Err(failed(leg, "the guest does not find it again"));
            }
            None => tokio::time::sleep(LOOK).await,
        }
    };
    let known = station.disks.iter_mut().find(|(other, _)| *other == member);
    if let Some((_, known)) = known {
        *known = disk.clone();
    }
    identify(station).await?;
    load_again(station, case).await?;

    // Of what the driver asked to get to know the disk nobody wants to know.
    station.storage.collect(&case.legs, &case.io)?;
    let io = Io {
        op: Op::Read,
        ..case.io.clone()
    };
    let request = io_request(case, &io, seed, WRITTEN);
    station.guest.call(Request::IoStart(request)).await?;
    let io = station.guest.io_end(deadline, None).await?;
    let status = station.guest.status(NAME).await?;
    let (journal, _) = station.storage.collect(&case.legs, &case.io)?;
    unplugged.again = Some(PluggedAgain {
        disk,
        status,
        io,
        journal,
    });
    Ok(())
}

async fn load_again(station: &Station, case: &Case) -> Result<(), Interruption> {
    let name = || NAME.to_owned();
    let calls = [
        Request::DmLoad {
            name: name(),
            table: vec![stack::table(case)],
        },
        Request::DmSuspend {
            name: name(),
            noflush: true,
        },
        Request::DmResume { name: name() },
    ];
    for call in calls {
        match station.guest.call(call).await? {
            Reply::Done => {}
            other => return Err(strange(other).into()),
        }
    }
    Ok(())
}

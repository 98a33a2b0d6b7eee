//! What is done to the stack while requests are in flight.
//!
//! The disks keep the requests (`Storage::hold`), so that the order of events is
//! ours: all have come, it is done or has begun, they are let go, one
//! after the other.

use super::interruption::Interruption;
use super::interventions;
use super::stack::{self, NAME};
use super::station::Station;
use super::unplug;
use crate::guest::client::strange;
use crate::storage;
use halfway_case::observation::{Intervention, Member};
use halfway_case::{Case, Hold, Meanwhile};
use halfway_case::{facts, timeout};
use halfway_controllers::Timeout;
use halfway_protocol::io::Op;
use halfway_protocol::message::{Reply, Request};
use std::time::Duration;

/// How long requests may take to reach their disks.
const ARRIVAL: Duration = Duration::from_secs(5);

/// How long a suspension is given to come to its wait for what is in flight.
const WAIT: Duration = Duration::from_millis(150);

/// How long the guest is given to see a request end before the next is let go.
/// Where it takes longer the judge sees by its tracepoints that the order was
/// another one.
const APART: Duration = Duration::from_millis(25);

/// How long an I/O is given to meet the recovery that is held, after what can be
/// seen of it from the host. Where it takes longer the judge sees by the guest's
/// tracepoints that they did not meet.
const MEETING: Duration = Duration::from_millis(300);

/// How long a request is held that its driver asks to abort, and then waits for: the
/// block layer's timer has gone off, and not a second time.
const ABORTED: Duration = Duration::from_millis(4700);

/// How long a driver and its device model may take to give a request up, and how
/// long it is held after that, so that it ends late.
const GIVEN_UP: Duration = Duration::from_secs(10);
const LATE: Duration = Duration::from_millis(100);

/// Waits for the requests, does the intervention, lets them go in their order. Gives
/// what was done, or `None` if not all of them came.
pub async fn act(
    station: &Station,
    case: &Case,
    interventions: &mut Vec<Intervention>,
) -> Result<Option<Vec<String>>, Interruption> {
    arrival(station).await;
    if !station.storage.all_held() {
        station.storage.release_all();
        return Ok(None);
    }
    if facts::races_recovery(case) {
        meet(station, case).await?;
    }
    let done = match intervention(station, case, interventions).await {
        // Of what a suspension waited for nobody needs to be told.
        Ok(done) if interventions.contains(&Intervention::Resume) => Ok(done),
        // QEMU stands still until the disk has ended what it was told to give up, and the
        // guest with it.
        Ok(done) if case.meanwhile().profile().disk_gives_up => {
            let_go(station, case, None).await.map(|()| done)
        }
        Ok(done) => let_go(station, case, Some(interventions))
            .await
            .map(|()| done),
        failed => failed,
    };
    // Also where the intervention failed: a request that is kept keeps QEMU.
    station.storage.release_all();
    done.map(Some)
}

/// Waits until all requests are held that are to be, or until none comes any more.
pub async fn arrival(station: &Station) {
    let since = tokio::time::Instant::now();
    while !station.storage.all_held() && since.elapsed() < ARRIVAL {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Gives the I/O the time to come upon the recovery that is held.
async fn meet(station: &Station, case: &Case) -> Result<(), Interruption> {
    let since = tokio::time::Instant::now();
    while case.io.op == Op::Read
        && !station.storage.has_read(&case.legs, &case.io)
        && since.elapsed() < ARRIVAL
    {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    tokio::time::sleep(MEETING).await;
    // A guest that answers has had its turn.
    station.guest.status(NAME).await?;
    Ok(())
}

/// Before the I/O: makes the leg's driver impatient if it is to give a request up.
/// Gives how patient it was.
pub async fn prepare(station: &Station, case: &Case) -> Result<Option<String>, Interruption> {
    let (Some(hold), Some(driver)) = (case.holds.first(), timeout::of_case(case)) else {
        return Ok(None);
    };
    let before = driver_timeout(station, hold, &driver, None).await?;
    driver_timeout(station, hold, &driver, Some(driver.limit.to_owned())).await?;
    Ok(Some(before))
}

/// After the I/O: makes the driver as patient as it was.
pub async fn restore(
    station: &Station,
    case: &Case,
    before: Option<String>,
) -> Result<(), Interruption> {
    if let (Some(hold), Some(driver), Some(before)) =
        (case.holds.first(), timeout::of_case(case), before)
    {
        driver_timeout(station, hold, &driver, Some(before.trim().to_owned())).await?;
    }
    Ok(())
}

async fn driver_timeout(
    station: &Station,
    hold: &Hold,
    driver: &Timeout,
    value: Option<String>,
) -> Result<String, Interruption> {
    let answer = station.guest.call(Request::Attribute {
        device: storage::serial(Member::Leg(hold.leg)),
        attribute: driver.attribute.to_owned(),
        value,
    });
    match answer.await? {
        Reply::Text(text) => Ok(text),
        other => Err(strange(other).into()),
    }
}

/// Waits until the driver has given up the request that is held.
async fn given_up(station: &Station, case: &Case) -> Result<Vec<String>, Interruption> {
    if timeout::asks_again(case) {
        let since = tokio::time::Instant::now();
        // Where it never does, the judge sees that it was asked once.
        while !station.storage.gives_up()? && since.elapsed() < GIVEN_UP {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(LATE).await;
    } else {
        tokio::time::sleep(ABORTED).await;
    }
    Ok(vec!["wait until the driver gives up".to_owned()])
}

/// Lets all go, each after the guest has had time to see the one before it end; and
/// tells it of each, unless it answers nobody before they have ended.
async fn let_go(
    station: &Station,
    case: &Case,
    mut interventions: Option<&mut Vec<Intervention>>,
) -> Result<(), Interruption> {
    for (turn, index) in Hold::order(&case.holds).into_iter().enumerate() {
        if turn > 0 {
            tokio::time::sleep(APART).await;
        }
        if let Some(interventions) = interventions.as_deref_mut() {
            interventions::on_host(station, interventions, Intervention::Release(index as u8))
                .await?;
        }
        station.storage.release(index);
    }
    Ok(())
}

async fn intervention(
    station: &Station,
    case: &Case,
    interventions: &mut Vec<Intervention>,
) -> Result<Vec<String>, Interruption> {
    let Some(first) = case.holds.first() else {
        return Ok(Vec::new());
    };
    let fail = Intervention::FailPath(first.leg);
    match first.meanwhile {
        Meanwhile::Nothing => Ok(Vec::new()),
        Meanwhile::FailPath => send(station, interventions, &[fail]).await,
        Meanwhile::ReinstatePath => {
            send(
                station,
                interventions,
                &[fail, Intervention::ReinstatePath(first.leg)],
            )
            .await
        }
        Meanwhile::Timeout => given_up(station, case).await,
        Meanwhile::Unplug => unplug::take_away(station, first.leg).await,
        Meanwhile::Suspend => suspended(station, case, false, interventions).await,
        Meanwhile::SuspendNoflush | Meanwhile::Reload => {
            suspended(station, case, true, interventions).await
        }
    }
}

async fn send(
    station: &Station,
    interventions: &mut Vec<Intervention>,
    path: &[Intervention],
) -> Result<Vec<String>, Interruption> {
    let mut messages = Vec::new();
    for intervention in path {
        let message = match intervention {
            Intervention::FailPath(path) => format!("fail_path {}", stack::device(*path)),
            Intervention::ReinstatePath(path) => format!("reinstate_path {}", stack::device(*path)),
            _ => continue,
        };
        messages.push(message.clone());
        let request = Request::DmMessage {
            name: NAME.to_owned(),
            sector: 0,
            message,
        };
        interventions::call(station, interventions, *intervention, request).await?;
    }
    Ok(messages)
}

/// Suspends, which waits for the requests, lets them go once that has begun, and
/// resumes, with the table anew if it is to be loaded.
async fn suspended(
    station: &Station,
    case: &Case,
    noflush: bool,
    interventions: &mut Vec<Intervention>,
) -> Result<Vec<String>, Interruption> {
    let name = || NAME.to_owned();
    let mut done = Vec::new();
    if case.meanwhile() == Meanwhile::Reload {
        let table = vec![stack::table(case)];
        let name = name();
        let load = Request::DmLoad { name, table };
        interventions::call(station, interventions, Intervention::Load, load).await?;
        done.push("load".to_owned());
    }
    let told = interventions::announce(station, interventions, Intervention::Suspend);
    let suspended = station.guest.call(Request::DmSuspend {
        name: name(),
        noflush,
    });
    let told_again = interventions::announce(station, interventions, Intervention::Resume);
    let resumed = station.guest.call(Request::DmResume { name: name() });
    told.await?;
    tokio::time::sleep(WAIT).await;
    let_go(station, case, None).await?;
    suspended.await?;
    told_again.await?;
    resumed.await?;
    let how = if noflush {
        "suspend --noflush"
    } else {
        "suspend"
    };
    done.extend([how.to_owned(), "resume".to_owned()]);
    Ok(done)
}

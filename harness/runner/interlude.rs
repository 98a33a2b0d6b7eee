//! What is done to the stack while requests are in flight.
//!
//! The disks keep the requests (`Storage::hold`), so that the order of events is
//! ours: all have come, the deed is done or has begun, they are let go, one
//! after the other.

use super::perform::Interruption;
use super::stack::{self, NAME};
use super::station::Station;
use super::unplug;
use crate::guest::client::strange;
use crate::observation::Member;
use crate::oracle::model;
use crate::scenario::case::{Case, Hold, Meanwhile};
use crate::scenario::timeout;
use crate::storage;
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

/// Waits for the requests, does the deed, lets them go in their order. Gives
/// what was done, or `None` if not all of them came.
pub async fn act(station: &Station, case: &Case) -> Result<Option<Vec<String>>, Interruption> {
    arrival(station).await;
    if !station.storage.all_held() {
        station.storage.release_all();
        return Ok(None);
    }
    if model::races_recovery(case) {
        meet(station, case).await?;
    }
    let done = deed(station, case).await;
    if done.is_ok() {
        let_go(station, case).await;
    }
    // Also where the deed failed: a request that is kept keeps QEMU.
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
    while case.io.op == Op::Read && !station.storage.has_read(case) && since.elapsed() < ARRIVAL {
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

/// Lets all go, each after the guest has had time to see the one before it end.
async fn let_go(station: &Station, case: &Case) {
    for (turn, index) in Hold::order(&case.holds).into_iter().enumerate() {
        if turn > 0 {
            tokio::time::sleep(APART).await;
        }
        station.storage.release(index);
    }
}

async fn deed(station: &Station, case: &Case) -> Result<Vec<String>, Interruption> {
    let Some(first) = case.holds.first() else {
        return Ok(Vec::new());
    };
    let path = stack::device(first.leg);
    match first.meanwhile {
        Meanwhile::Nothing => Ok(Vec::new()),
        Meanwhile::FailPath => send(station, [format!("fail_path {path}")]).await,
        Meanwhile::ReinstatePath => {
            let messages = [
                format!("fail_path {path}"),
                format!("reinstate_path {path}"),
            ];
            send(station, messages).await
        }
        Meanwhile::Timeout => given_up(station, case).await,
        Meanwhile::Unplug => unplug::take_away(station, first.leg).await,
        Meanwhile::Suspend => suspended(station, case, false).await,
        Meanwhile::SuspendNoflush | Meanwhile::Reload => suspended(station, case, true).await,
    }
}

async fn send<const N: usize>(
    station: &Station,
    messages: [String; N],
) -> Result<Vec<String>, Interruption> {
    for message in &messages {
        let sent = station.guest.call(Request::DmMessage {
            name: NAME.to_owned(),
            sector: 0,
            message: message.clone(),
        });
        sent.await?;
    }
    Ok(messages.into())
}

/// Suspends, which waits for the requests, lets them go once that has begun, and
/// resumes, with the table anew if it is to be loaded.
async fn suspended(
    station: &Station,
    case: &Case,
    noflush: bool,
) -> Result<Vec<String>, Interruption> {
    let name = || NAME.to_owned();
    let mut deeds = Vec::new();
    if (case.holds.first()).is_some_and(|hold| hold.meanwhile == Meanwhile::Reload) {
        let table = vec![stack::table(case)];
        let loaded = station.guest.call(Request::DmLoad {
            name: name(),
            table,
        });
        loaded.await?;
        deeds.push("load".to_owned());
    }
    let suspended = station.guest.call(Request::DmSuspend {
        name: name(),
        noflush,
    });
    let resumed = station.guest.call(Request::DmResume { name: name() });
    tokio::time::sleep(WAIT).await;
    let_go(station, case).await;
    suspended.await?;
    resumed.await?;
    let how = if noflush {
        "suspend --noflush"
    } else {
        "suspend"
    };
    deeds.extend([how.to_owned(), "resume".to_owned()]);
    Ok(deeds)
}

//! What is done to the stack while a request is in flight.
//!
//! The disk keeps the request (`Storage::hold`), so that the order of events is
//! ours: it has come, the deed is done or has begun, it is let go.

use super::perform::Interruption;
use super::stack::{self, NAME};
use super::station::Station;
use crate::scenario::case::{Case, Hold, Meanwhile};
use halfway_protocol::message::Request;
use std::time::Duration;

/// How long a request may take to reach its disk.
const ARRIVAL: Duration = Duration::from_secs(5);

/// How long a suspension is given to come to its wait for what is in flight.
const WAIT: Duration = Duration::from_millis(150);

/// Waits for the request, does the deed, lets the request go. Gives what was
/// done, or `None` if the request never came.
pub async fn act(
    station: &Station,
    case: &Case,
    hold: &Hold,
) -> Result<Option<Vec<String>>, Interruption> {
    let since = tokio::time::Instant::now();
    while !station.storage.is_held() {
        if since.elapsed() > ARRIVAL {
            station.storage.release();
            return Ok(None);
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let done = deed(station, case, hold).await;
    // Also where the deed failed: a request that is kept keeps QEMU.
    station.storage.release();
    done.map(Some)
}

async fn deed(station: &Station, case: &Case, hold: &Hold) -> Result<Vec<String>, Interruption> {
    let path = stack::device(hold.leg);
    match hold.meanwhile {
        Meanwhile::Nothing => Ok(Vec::new()),
        Meanwhile::FailPath => send(station, [format!("fail_path {path}")]).await,
        Meanwhile::ReinstatePath => {
            let messages = [
                format!("fail_path {path}"),
                format!("reinstate_path {path}"),
            ];
            send(station, messages).await
        }
        Meanwhile::Suspend => suspended(station, false, None).await,
        Meanwhile::SuspendNoflush => suspended(station, true, None).await,
        Meanwhile::Reload => suspended(station, true, Some(case)).await,
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

/// Suspends, which waits for the request, lets it go once that has begun, and
/// resumes, with the table of `reload` if it is to be loaded.
async fn suspended(
    station: &Station,
    noflush: bool,
    reload: Option<&Case>,
) -> Result<Vec<String>, Interruption> {
    let name = || NAME.to_owned();
    let mut deeds = Vec::new();
    if let Some(case) = reload {
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
    station.storage.release();
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

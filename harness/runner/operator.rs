//! What somebody must do for an I/O that the target holds: the part of a
//! system's operator, of dmeventd, or of multipathd.

use super::perform::Interruption;
use super::stack::{self, NAME};
use super::station::Station;
use crate::guest::CallError;
use crate::observation::{Observation, Repair};
use crate::oracle::status;
use crate::scenario::case::{Case, Fault, Stack, Times};
use crate::scenario::reported::Reported;
use crate::storage::controller;
use halfway_protocol::io::{IoState, Op};
use halfway_protocol::message::{DmStatus, Request};
use std::time::Duration;

/// Whether the target of `case` is one that holds I/O.
pub fn is_needed(case: &Case) -> bool {
    match &case.stack {
        Stack::Raid1(mirror) => mirror.handle_errors && !mirror.keep_log && case.io.op != Op::Read,
        Stack::Multipath(multipath) => multipath.queue_if_no_path,
    }
}

/// No disk has anything to do, and the I/O has not come back. Acts once lower
/// devices have failed; until then the target may not have come to it, on a host
/// that keeps its guest waiting, or it hangs. Gives the state of the I/O
/// afterwards.
pub async fn act(
    station: &mut Station,
    case: &Case,
    deadline: Duration,
    seen: &mut Observation,
) -> Result<IoState, Interruption> {
    let quiet = controller::quiet(case.legs.controller);
    let since = tokio::time::Instant::now();
    let (status, failed) = loop {
        let status = station.guest.status(NAME).await?;
        let failed = failed(case, &status);
        if !failed.is_empty() || log_failed(&status) {
            break (status, failed);
        }
        let left = deadline.saturating_sub(since.elapsed());
        let state = station.guest.io_wait(left, Some(quiet)).await?;
        if !matches!(state, IoState::Quiet { .. }) {
            return Ok(state);
        }
    };
    let acted = match &case.stack {
        Stack::Raid1(_) => without_failed(station, case, &failed, deadline).await?,
        Stack::Multipath(_) => reinstated(station, case, &failed, deadline).await?,
    };
    let Some((deeds, io)) = acted else {
        return Ok(station.guest.io_wait(deadline, None).await?);
    };
    seen.repair = Some(Repair {
        status,
        deeds,
        io: io.clone(),
    });
    Ok(io)
}

/// The lower devices that the target takes for failed.
fn failed(case: &Case, status: &DmStatus) -> Vec<u8> {
    let line = status.targets.first().map_or("", String::as_str);
    let health = status::health(&case.stack, line).unwrap_or_default();
    let legs = health.iter().zip(0..);
    legs.filter(|(health, _)| **health != 'A')
        .map(|(_, leg)| leg)
        .collect()
}

/// Whether the mirror's log is on a disk, and that has failed.
fn log_failed(status: &DmStatus) -> bool {
    let line = status.targets.first().map_or("", String::as_str);
    let log = status::mirror::parse(line).and_then(|mirror| mirror.log);
    log.is_some_and(|letter| letter != 'A')
}

/// Suspends without flush, loads a mirror without the failed legs and with its
/// log in memory, resumes; nothing where no leg is left.
async fn without_failed(
    station: &Station,
    case: &Case,
    failed: &[u8],
    deadline: Duration,
) -> Result<Option<(Vec<String>, IoState)>, CallError> {
    let Some(table) = stack::repaired(case, failed) else {
        return Ok(None);
    };
    let name = || NAME.to_owned();
    let deed = format!("{} {}", table.kind, table.params);
    let suspended = station.guest.call(Request::DmSuspend {
        name: name(),
        noflush: true,
    });
    let loaded = station.guest.call(Request::DmLoad {
        name: name(),
        table: vec![table],
    });
    let resumed = station.guest.call(Request::DmResume { name: name() });
    let done = station.guest.io_wait(deadline, None);
    suspended.await?;
    loaded.await?;
    resumed.await?;
    Ok(Some((vec![deed], done.await?)))
}

/// Whether the HBA of `path` was lost, and is to be found again.
fn comes_back(fault: &Fault, path: u8) -> bool {
    let gone = fault.report.is_some_and(Reported::is_gone);
    gone && fault.leg == path && fault.times != Times::Always
}

/// Reinstates one failed path after the other, each once and only while the I/O
/// still waits, and then gives up.
async fn reinstated(
    station: &mut Station,
    case: &Case,
    failed: &[u8],
    deadline: Duration,
) -> Result<Option<(Vec<String>, IoState)>, Interruption> {
    let paths = failed.iter().map(|path| stack::device(*path));
    let mut messages: Vec<String> = paths.map(|path| format!("reinstate_path {path}")).collect();
    messages.push("fail_if_no_path".to_owned());
    let last = messages.len() - 1;
    let mut deeds = Vec::new();
    let mut faults = case.faults.clone();
    for (index, message) in messages.into_iter().enumerate() {
        if let Some(path) = failed.get(index)
            && let Some(lost) = (faults.iter()).position(|fault| comes_back(fault, *path))
        {
            // The HBA is there again, and its faults are over.
            faults.swap_remove(lost);
            station.arm(&case.legs, &faults, &[]).await?;
            deeds.push(format!("the HBA of path {path} is back"));
        }
        deeds.push(message.clone());
        let sent = station.guest.call(Request::DmMessage {
            name: NAME.to_owned(),
            sector: 0,
            message,
        });
        let quiet = (index < last).then(|| controller::quiet(case.legs.controller));
        let done = station.guest.io_wait(deadline, quiet);
        sent.await?;
        let state = done.await?;
        if index == last || !matches!(state, IoState::Quiet { .. }) {
            return Ok(Some((deeds, state)));
        }
    }
    Ok(None)
}

//! An I/O that waits: the status that it comes to, and the devices that have failed.

use super::stack::NAME;
use super::station::Station;
use crate::guest::CallError;
use halfway_case::Case;
use halfway_protocol::io::IoState;
use halfway_protocol::message::DmStatus;
use std::time::Duration;

/// The status of a stack whose I/O waits, once it shows `enough`; the state of the
/// I/O where that does not wait any more before it does.
pub async fn waiting(
    station: &Station,
    case: &Case,
    deadline: Duration,
    enough: impl Fn(&DmStatus) -> bool,
) -> Result<Result<DmStatus, IoState>, CallError> {
    let quiet = case.legs.controller.profile().quiet;
    let since = tokio::time::Instant::now();
    loop {
        let status = station.guest.status(NAME).await?;
        if enough(&status) {
            return Ok(Ok(status));
        }
        let left = deadline.saturating_sub(since.elapsed());
        let state = station.guest.io_wait(left, Some(quiet)).await?;
        if !matches!(state, IoState::Quiet { .. }) {
            return Ok(Err(state));
        }
    }
}

/// The lower devices that the target takes for failed.
pub fn failed(case: &Case, status: &DmStatus) -> Vec<u8> {
    let line = status.targets.first().map_or("", String::as_str);
    let health = case.stack.health(line).unwrap_or_default();
    let legs = health.iter().zip(0..);
    legs.filter(|(health, _)| **health != 'A')
        .map(|(_, leg)| leg)
        .collect()
}

//! Whatever the harness does that may bring an I/O back is told to the guest first,
//! so that each request can say after which intervention it came back: else nobody could tell
//! what a kernel did by itself from what it was helped with.
//!
//! Not told is what is done to a machine that stands still (`stops`), whose guest hears
//! nothing and of which the judge counts the stops; what is done before the I/O, or once
//! all of it is back (`unplug::plug_again`, `multipathd::finish`); and the steps of a
//! soak, which has a judge of its own.

use super::interruption::Interruption;
use super::station::Station;
use crate::guest::CallError;
use halfway_case::observation::Intervention;
use halfway_protocol::message::{Reply, Request};

/// Tells the guest of an intervention that calls of it are to follow; they need not wait for
/// the answer, since calls are answered in their order.
pub fn announce(
    station: &Station,
    interventions: &mut Vec<Intervention>,
    intervention: Intervention,
) -> impl Future<Output = Result<Reply, CallError>> + use<> {
    interventions.push(intervention);
    let number = interventions.len() as u32;
    station.guest.call(Request::Intervention { number })
}

/// Does with the guest what is an intervention.
pub async fn call(
    station: &Station,
    interventions: &mut Vec<Intervention>,
    intervention: Intervention,
    request: Request,
) -> Result<(), CallError> {
    let told = announce(station, interventions, intervention);
    let done = station.guest.call(request);
    told.await?;
    done.await.map(drop)
}

/// Tells the guest of an intervention that is done on the host, and waits until it knows.
pub async fn on_host(
    station: &Station,
    interventions: &mut Vec<Intervention>,
    intervention: Intervention,
) -> Result<(), Interruption> {
    announce(station, interventions, intervention).await?;
    Ok(())
}

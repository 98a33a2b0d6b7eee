//! Whatever the harness does that may bring an I/O back is told to the guest first,
//! so that each request can say after which deed it came back: else nobody could tell
//! what a kernel did by itself from what it was helped with.
//!
//! Not told is what is done to a machine that stands still (`stops`), whose guest hears
//! nothing and of which the judge counts the stops; what is done before the I/O, or once
//! all of it is back (`unplug::plug_again`, `multipathd::finish`); and the steps of a
//! soak, which has a judge of its own.

use super::interruption::Interruption;
use super::station::Station;
use crate::guest::CallError;
use crate::observation::Deed;
use halfway_protocol::message::{Reply, Request};

/// Tells the guest of a deed that calls of it are to follow; they need not wait for
/// the answer, since calls are answered in their order.
pub fn announce(
    station: &Station,
    deeds: &mut Vec<Deed>,
    deed: Deed,
) -> impl Future<Output = Result<Reply, CallError>> + use<> {
    deeds.push(deed);
    let number = deeds.len() as u32;
    station.guest.call(Request::Deed { number })
}

/// Does with the guest what is a deed.
pub async fn call(
    station: &Station,
    deeds: &mut Vec<Deed>,
    deed: Deed,
    request: Request,
) -> Result<(), CallError> {
    let told = announce(station, deeds, deed);
    let done = station.guest.call(request);
    told.await?;
    done.await.map(drop)
}

/// Tells the guest of a deed that is done on the host, and waits until it knows.
pub async fn on_host(
    station: &Station,
    deeds: &mut Vec<Deed>,
    deed: Deed,
) -> Result<(), Interruption> {
    announce(station, deeds, deed).await?;
    Ok(())
}

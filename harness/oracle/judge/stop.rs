//! A machine that stops when a disk fails a request. The guest must see nothing
//! of a failure that was repaired while it stood still, and the disk must have
//! been asked as often as needed.

use super::{Scene, words};
use halfway_case::observation::{Command, Entry};
use halfway_case::{OnError, Times};

/// Whether QEMU kept this request and sent it again later, so that for the
/// guest the two are one request (`virtio_blk_handle_rw_error` and
/// `virtio_blk_dma_restart_bh` in hw/block/virtio-blk.c).
pub fn was_repeated(scene: &Scene<'_>, entry: &Entry) -> bool {
    let again = |later: &Entry| {
        later.order > entry.order
            && (later.member, later.layer, later.command)
                == (entry.member, entry.layer, entry.command)
            && (later.sector, later.sectors) == (entry.sector, entry.sectors)
    };
    scene.case.legs.on_error == OnError::Stop
        && entry.result.is_some_and(|result| result != 0)
        && scene.seen.journal.iter().any(again)
}

/// The requests that stopped the machine.
fn stopping<'a>(scene: &'a Scene<'_>) -> impl Iterator<Item = &'a Entry> {
    let journal = scene.seen.journal.iter();
    journal.filter(|entry| was_repeated(scene, entry))
}

/// Why the case proves nothing: the machine did not stop as often as the faults
/// should make it.
pub fn inconclusive_stops(scene: &Scene<'_>) -> Option<String> {
    if scene.case.legs.on_error == OnError::Report {
        return None;
    }
    let stops = scene.seen.stops;
    scene.absorbed.iter().find_map(|fault| {
        let Times::Count(times) = fault.times else {
            return Some("a fault that lasts would stop the machine for ever".to_owned());
        };
        let failed = stopping(scene)
            .filter(|entry| entry.command == Command::from(fault.op))
            .count();
        ((stops, failed) != (times, times as usize)).then(|| {
            format!(
                "the fault on leg {} was to stop the machine {}: it stopped {}, and the journal \
                 shows {failed} failure(s) that were asked for again",
                fault.leg,
                words::times_in_words(times),
                words::times_in_words(stops)
            )
        })
    })
}

/// The stops in words; `None` if there were none.
pub fn stop_words(scene: &Scene<'_>) -> Option<String> {
    let first = stopping(scene).next()?;
    Some(format!(
        "the machine stopped {} ({} {})",
        words::times_in_words(scene.seen.stops),
        first.member,
        words::entry_words(first)
    ))
}

//! The block events of tracefs.

use super::event::{self, Decoder};
use super::rings::{ROOT, Rings, format};
use crate::refuse::{Refuse, refusal};
use crate::sysfs;
use halfway_protocol::message::Refusal;
use halfway_protocol::trace::{Kind, TraceEvent};
use std::path::Path;

/// Size of the ring of each CPU in KiB: some 25,000 block events.
const RING_KIB: u32 = 2048;

/// The block events that this kernel has, of those that Halfway watches.
pub fn available() -> Vec<String> {
    let events = Path::new(ROOT).join("events/block");
    Kind::ALL
        .iter()
        .map(|kind| kind.name())
        .filter(|name| events.join(name).exists())
        .map(String::from)
        .collect()
}

/// The open ring buffer. The events stay enabled from the first watch on, since
/// enabling them patches kernel code; what is switched is the ring.
pub struct Tracer {
    rings: Rings,
    decoders: Vec<Decoder>,
}

impl Tracer {
    /// Enables the events, with the ring switched off and empty.
    ///
    /// # Errors
    /// The kernel has no tracefs, or it is not as it should be.
    pub fn open() -> Result<Self, Refusal> {
        let root = Path::new(ROOT);
        let rings = Rings::open(root, RING_KIB)?;
        let mut decoders = Vec::new();
        for kind in Kind::ALL {
            let event = root.join("events/block").join(kind.name());
            if !event.exists() {
                continue;
            }
            let decoder = Decoder::new(kind, &format(&event.join("format"))?);
            decoders.push(decoder.ok_or_else(|| {
                refusal(
                    format!("reading {}/format", event.display()),
                    "it has no device and sector",
                )
            })?);
            let enable = event.join("enable");
            sysfs::write(&enable, "1").refuse(|| format!("writing to {}", enable.display()))?;
        }
        Ok(Self { rings, decoders })
    }

    /// Forgets what was seen, and watches from here.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn watch(&mut self) -> Result<(), Refusal> {
        self.rings.start()
    }

    /// Stops, and gives what was seen by time, and how many events were lost.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn collect(&mut self) -> Result<(Vec<TraceEvent>, u64), Refusal> {
        let mut events = Vec::new();
        let mut lost = 0;
        let decoders = &self.decoders;
        self.rings.stop(|page| {
            lost += page.lost;
            for (ns, record) in page.records {
                let decoder = event::id(record)
                    .and_then(|id| decoders.iter().find(|decoder| decoder.id == id));
                // Other events are not ours to judge.
                let Some(decoder) = decoder else { continue };
                match decoder.decode(ns, record) {
                    Some(event) => events.push(event),
                    None => lost += 1,
                }
            }
        })?;
        // The rings of several CPUs come one after the other.
        events.sort_by_key(|event| event.ns);
        Ok((events, lost))
    }
}

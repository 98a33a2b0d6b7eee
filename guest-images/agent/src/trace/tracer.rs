//! Records the block events of tracefs.

use super::event::{self, Decoder};
use super::rings::{ROOT, Rings, format};
use crate::refuse::{Refuse, refusal};
use crate::sysfs;
use halfway_protocol::message::Refusal;
use halfway_protocol::trace::{Kind, TraceEvent};
use std::path::Path;

/// The size of each CPU's ring in KiB: enough for some 100,000 block events. A buffered I/O
/// of 4 MiB to a device that is no whole number of pages is done sector by sector, with
/// several events for each sector and disk.
const RING_KIB: u32 = 8192;

/// The block events that this kernel has, among those that Halfway watches.
pub fn available() -> Vec<String> {
    let events = Path::new(ROOT).join("events/block");
    Kind::ALL
        .iter()
        .map(|kind| kind.name())
        .filter(|name| events.join(name).exists())
        .map(String::from)
        .collect()
}

/// The open ring buffer. From the first watch on, the events stay enabled, because
/// enabling them patches kernel code. Only the ring is switched on and off.
pub struct Tracer {
    rings: Rings,
    decoders: Vec<Decoder>,
}

impl Tracer {
    /// Enables the events, with the ring switched off and empty.
    ///
    /// # Errors
    /// The kernel has no tracefs, or not the expected one.
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

    /// Drops all events so far, and records from now on.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn watch(&mut self) -> Result<(), Refusal> {
        self.rings.start()
    }

    /// Stops recording. Returns the events in order of time, and how many were lost.
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
                // Events of other kinds do not matter here.
                let Some(decoder) = decoder else { continue };
                match decoder.decode(ns, record) {
                    Some(event) => events.push(event),
                    None => lost += 1,
                }
            }
        })?;
        // The rings of several CPUs are read one after the other.
        events.sort_by_key(|event| event.ns);
        Ok((events, lost))
    }
}

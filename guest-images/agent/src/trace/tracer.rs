//! The files of tracefs.

use super::event::{self, Decoder};
use super::format::Format;
use super::ring::{self, PageLayout};
use crate::refuse::{Refuse, refusal};
use crate::sysfs;
use halfway_protocol::message::Refusal;
use halfway_protocol::trace::{Kind, TraceEvent};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

const ROOT: &str = "/sys/kernel/tracing";

/// Size of the ring of each CPU in KiB: some 25,000 block events.
const RING_KIB: &str = "2048";

/// The clock of the kernel's own log, made consistent between CPUs: events and
/// messages then tell one story.
const CLOCK: &str = "global";

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
    switch: File,
    rings: Vec<File>,
    layout: PageLayout,
    decoders: Vec<Decoder>,
    page: Vec<u8>,
}

impl Tracer {
    /// Enables the events, with the ring switched off and empty.
    ///
    /// # Errors
    /// The kernel has no tracefs, or it is not as it should be.
    pub fn open() -> Result<Self, Refusal> {
        let root = Path::new(ROOT);
        let write = |name: &str, text: &str| {
            sysfs::write(root.join(name), text)
                .refuse(|| format!("writing {text:?} to {ROOT}/{name}"))
        };
        let format = |name: &str| {
            sysfs::text(root.join(name))
                .map(|text| Format::parse(&text))
                .refuse(|| format!("reading {ROOT}/{name}"))
        };
        write("tracing_on", "0")?;
        write("trace_clock", CLOCK)?;
        write("buffer_size_kb", RING_KIB)?;
        let layout = PageLayout::new(&format("events/header_page")?).ok_or_else(|| {
            refusal(
                format!("reading {ROOT}/events/header_page"),
                "it does not say where the data begins",
            )
        })?;
        let mut decoders = Vec::new();
        for kind in Kind::ALL {
            let event = format!("events/block/{}", kind.name());
            if !root.join(&event).exists() {
                continue;
            }
            let decoder = Decoder::new(kind, &format(&format!("{event}/format"))?);
            decoders.push(decoder.ok_or_else(|| {
                refusal(
                    format!("reading {ROOT}/{event}/format"),
                    "it has no device and sector",
                )
            })?);
            write(&format!("{event}/enable"), "1")?;
        }
        Ok(Self {
            switch: OpenOptions::new()
                .write(true)
                .open(root.join("tracing_on"))
                .refuse(|| format!("opening {ROOT}/tracing_on"))?,
            rings: rings(root)?,
            page: vec![0; layout.size],
            layout,
            decoders,
        })
    }

    /// Forgets what was seen, and watches from here.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn watch(&mut self) -> Result<(), Refusal> {
        self.switch("0")?;
        self.drain(|_, _| ())?;
        self.switch("1")
    }

    /// Stops, and gives what was seen by time, and how many events were lost.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn collect(&mut self) -> Result<(Vec<TraceEvent>, u64), Refusal> {
        self.switch("0")?;
        let mut events = Vec::new();
        let mut lost = 0;
        self.drain(|page, decoders| {
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

    fn switch(&mut self, to: &str) -> Result<(), Refusal> {
        self.switch
            .write_all(to.as_bytes())
            .refuse(|| format!("writing {to} to {ROOT}/tracing_on"))
    }

    fn drain(&mut self, mut each: impl FnMut(ring::Page, &[Decoder])) -> Result<(), Refusal> {
        for ring in &mut self.rings {
            loop {
                match ring.read(&mut self.page) {
                    Ok(0) => break,
                    Ok(length) => each(
                        ring::page(&self.page[..length], &self.layout),
                        &self.decoders,
                    ),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error).refuse(|| "reading the trace".into()),
                }
            }
        }
        Ok(())
    }
}

/// The ring of each CPU, which a read takes pages out of.
fn rings(root: &Path) -> Result<Vec<File>, Refusal> {
    let doing = || format!("opening the rings below {ROOT}/per_cpu");
    let mut rings = Vec::new();
    for cpu in fs::read_dir(root.join("per_cpu")).refuse(doing)? {
        let ring = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(cpu.refuse(doing)?.path().join("trace_pipe_raw"))
            .refuse(doing)?;
        rings.push(ring);
    }
    Ok(rings)
}

//! Traces of bios to test the contract with: a mirror of which one leg fails a
//! read, sound or with its vector changed on the way. Tests of other crates use
//! it too.

use super::*;
use halfway_protocol::bio::{Device, LONGEST};

/// The dm device.
pub const TOP: Dev = Dev(253, 0);
/// Its first leg.
pub const LEG: Dev = Dev(254, 0);
/// Its second leg.
pub const OTHER_LEG: Dev = Dev(254, 16);

/// The address of the original bio.
pub const ORIGINAL: u64 = 0x100;
/// device-mapper's clone of it.
pub const CLONE: u64 = 0x200;
/// A piece that was split from the clone.
pub const PIECE: u64 = 0x300;
/// The address of the vector that the three share.
pub const VECTOR: u64 = 0x1000;

/// `BLK_STS_IOERR`: the status of an I/O error.
pub const IOERR: u8 = 10;

/// A trace under construction.
#[derive(Clone)]
pub struct Trace {
    /// The events so far.
    pub trace: BioTrace,
    content: u32,
}

impl Default for Trace {
    fn default() -> Self {
        Self::new()
    }
}

impl Trace {
    /// An empty trace; the vector will have four pages.
    pub fn new() -> Self {
        let content = (0..4).map(|page| Bvec {
            page: 0xe000 + page,
            bytes: 4096,
            offset: 0,
        });
        let device = |dev, name: &str, driver: &str| Device {
            dev,
            name: name.to_owned(),
            driver: driver.to_owned(),
        };
        Trace {
            trace: BioTrace {
                points: Point::ALL.to_vec(),
                entries: LONGEST,
                contents: vec![content.collect()],
                devices: vec![
                    device(TOP, "dm-0", "device-mapper"),
                    device(LEG, "vda", "virtio_blk"),
                ],
                ..BioTrace::default()
            },
            content: 0,
        }
    }

    /// Appends an event for a bio at a point, before any of its data is done.
    pub fn event(&mut self, point: Point, bio: u64, dev: Dev) -> &mut BioEvent {
        let event = BioEvent {
            ns: self.trace.events.len() as u64,
            point,
            bio,
            dev,
            op: 0,
            status: 0,
            iter: Iter {
                sector: 2048,
                bytes: 16384,
                index: 0,
                done: 0,
            },
            remaining: 1,
            private: 0,
            parent_remaining: 0,
            vector: VECTOR,
            count: if bio == ORIGINAL { 4 } else { 0 },
            content: self.content,
        };
        self.trace.events.push(event);
        let last = self.trace.events.len() - 1;
        &mut self.trace.events[last]
    }

    /// Appends the submission of a bio.
    pub fn submit(&mut self, bio: u64, dev: Dev) -> &mut BioEvent {
        self.event(Point::Submit, bio, dev)
    }

    /// Appends the end of a bio.
    pub fn end(&mut self, bio: u64, dev: Dev) -> &mut BioEvent {
        self.event(Point::End, bio, dev)
    }

    /// From here on that entry of the vector has another length and offset, as
    /// a driver of 2009 left it after a partial completion.
    pub fn change(&mut self, index: usize) {
        let mut content = self.trace.contents[self.content as usize].clone();
        content[index].bytes -= 1536;
        content[index].offset += 1536;
        self.trace.contents.push(content);
        self.content = self.trace.contents.len() as u32 - 1;
    }

    /// The result of following the trace.
    pub fn account(&self) -> Account {
        follow(&self.trace)
    }
}

/// A read that one leg fails and the other one answers. `tamper` is (after
/// which event, which entry is changed).
pub fn mirror(tamper: Option<(usize, usize)>) -> Trace {
    let mut trace = Trace::new();
    let steps: [fn(&mut Trace); 7] = [
        |trace| {
            trace.submit(ORIGINAL, TOP);
        },
        |trace| {
            trace.submit(CLONE, LEG);
        },
        |trace| trace.end(CLONE, LEG).status = IOERR,
        |trace| trace.event(Point::DmEnd, CLONE, LEG).status = IOERR,
        |trace| {
            trace.submit(CLONE, OTHER_LEG);
        },
        |trace| {
            trace.end(CLONE, OTHER_LEG);
        },
        |trace| {
            trace.end(ORIGINAL, TOP);
        },
    ];
    for (number, step) in steps.into_iter().enumerate() {
        step(&mut trace);
        if let Some((after, index)) = tamper
            && after == number
        {
            trace.change(index);
        }
    }
    trace
}

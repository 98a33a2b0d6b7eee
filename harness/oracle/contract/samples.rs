//! Traces of bios to try the contract on: a mirror whose one leg fails a read, sound or
//! with its vector changed on the way. Tests of other crates use it too.

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
/// A piece of the clone.
pub const PIECE: u64 = 0x300;
/// The address of their vector.
pub const VECTOR: u64 = 0x1000;

/// `BLK_STS_IOERR`.
pub const IOERR: u8 = 10;

/// A trace under construction.
#[derive(Clone)]
pub struct Trace {
    /// What happened so far.
    pub trace: BioTrace,
    content: u32,
}

impl Default for Trace {
    fn default() -> Self {
        Self::new()
    }
}

impl Trace {
    /// Nothing yet; the vector will be of four pages.
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

    /// A bio at a point, with nothing done yet.
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

    /// A bio is submitted.
    pub fn submit(&mut self, bio: u64, dev: Dev) -> &mut BioEvent {
        self.event(Point::Submit, bio, dev)
    }

    /// A bio ends.
    pub fn end(&mut self, bio: u64, dev: Dev) -> &mut BioEvent {
        self.event(Point::End, bio, dev)
    }

    /// From here on the vector's entry has another length and offset, as a
    /// driver of 2009 left it that had done a part of it.
    pub fn change(&mut self, index: usize) {
        let mut content = self.trace.contents[self.content as usize].clone();
        content[index].bytes -= 1536;
        content[index].offset += 1536;
        self.trace.contents.push(content);
        self.content = self.trace.contents.len() as u32 - 1;
    }

    /// What they come to.
    pub fn account(&self) -> Account {
        follow(&self.trace)
    }
}

/// A read that one leg fails and the other one answers; `tamper` comes after
/// the event of that number.
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

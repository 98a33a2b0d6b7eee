//! From the watcher's events to the lives of bios, and to the vectors that were
//! changed during those lives.
//!
//! A vector is identified by its address, since clones share the vector of
//! their original. It is watched from the submission of the bio that it was
//! made for until that bio has ended. After that its memory may be reused for
//! anything.

use super::{Account, Change, End, Life, Violation};
use halfway_protocol::bio::{BioEvent, BioTrace, Bvec, Point};
use halfway_protocol::trace::Dev;
use std::collections::{BTreeSet, HashMap};

/// `REQ_OP_READ` and `REQ_OP_WRITE` in the low bits of `bi_opf`.
const READ: u8 = 0;
const WRITE: u8 = 1;

/// A vector that is being watched.
struct Vector {
    /// The bio that the vector was made for; `None` if its submission was not
    /// seen.
    owner: Option<u64>,
    content: Vec<Bvec>,
    /// The device that had the vector last.
    last: Dev,
}

/// A bio that has been submitted and has not ended.
struct Live {
    vector: u64,
    dev: Dev,
    bytes: u32,
    private: u64,
    /// Index in [`Account::lives`].
    life: usize,
}

#[derive(Default)]
struct Follower {
    account: Account,
    vectors: HashMap<u64, Vector>,
    live: HashMap<u64, Live>,
}

/// Follows all bios that move data. If the trace has holes
/// ([`BioTrace::lost`]), the violations prove nothing: after an end that was
/// missed, another bio in the same memory looks like a changed one.
pub fn follow(trace: &BioTrace) -> Account {
    let mut follower = Follower::default();
    let data = |event: &&BioEvent| matches!(event.op as u8, READ | WRITE);
    for event in trace.events.iter().filter(data) {
        let content = trace.contents.get(event.content as usize);
        let content = content.map_or(&[][..], Vec::as_slice);
        match event.point {
            Point::Submit => {
                follower.submit(event, content);
                if u32::from(event.count) > trace.entries {
                    follower.account.cut += 1;
                }
            }
            Point::End | Point::DmEnd | Point::DmRequestEnd => follower.end(event, content),
        }
    }
    follower.account
}

impl Follower {
    fn submit(&mut self, event: &BioEvent, content: &[Bvec]) {
        let known = self.live.get(&event.bio);
        // The remainder of a bio, or a bio that is sent on to another device,
        // is never larger than the bio was.
        let continued =
            known.is_some_and(|live| live.vector == event.vector && live.bytes >= event.iter.bytes);
        if !continued {
            self.finish(event.bio);
        }
        match self.vectors.get(&event.vector).map(|vector| vector.last) {
            Some(last) => self.compare(event, content, last),
            None => {
                let vector = Vector {
                    owner: (event.count > 0).then_some(event.bio),
                    content: content.to_vec(),
                    last: event.dev,
                };
                self.vectors.insert(event.vector, vector);
            }
        }
        let life = Life {
            bio: event.bio,
            dev: event.dev,
            write: event.op as u8 == WRITE,
            submitted: event.iter,
            end: None,
            changed: false,
        };
        self.account.lives.push(life);
        let live = Live {
            vector: event.vector,
            dev: event.dev,
            bytes: event.iter.bytes,
            private: event.private,
            life: self.account.lives.len() - 1,
        };
        self.live.insert(event.bio, live);
    }

    fn end(&mut self, event: &BioEvent, content: &[Bvec]) {
        self.compare(event, content, event.dev);
        if let Some(live) = self.live.get(&event.bio) {
            let end = &mut self.account.lives[live.life].end;
            // Each piece ends the whole bio once. The first failure is the one
            // that the driver handed back.
            if end.is_none_or(|end| end.status == 0) {
                *end = Some(End {
                    status: event.status,
                    iter: event.iter,
                });
            }
        }
        // The event shows the count from before it goes down
        // (`bio_remaining_done`).
        if event.point != Point::End || event.remaining <= 1 {
            let parent = self.whole_of(event.bio, event.private, event.vector);
            self.finish(event.bio);
            if event.parent_remaining <= 1
                && let Some(parent) = parent
            {
                self.finish_all(parent);
            }
        }
    }

    /// The bio that `bio` was split from (`bio_chain` in block/bio.c), if it is
    /// a piece. The piece that goes to the driver at once is never submitted
    /// (`__bio_split_to_limits`), so the first that is seen of it is its end.
    fn whole_of(&self, bio: u64, private: u64, vector: u64) -> Option<u64> {
        let whole = self.live.get(&private)?;
        (whole.vector == vector && private != bio).then_some(private)
    }

    /// Ends a bio whose last piece has ended, and the bio that it is a piece
    /// of. That one may still have other pieces; its watch then ends too early,
    /// which hides a change but invents none.
    fn finish_all(&mut self, bio: u64) {
        let mut next = Some(bio);
        while let Some(bio) = next {
            let live = self.live.get(&bio);
            next = live.and_then(|live| self.whole_of(bio, live.private, live.vector));
            self.finish(bio);
        }
    }

    fn finish(&mut self, bio: u64) {
        let Some(ended) = self.live.remove(&bio) else {
            return;
        };
        let unused = || self.live.values().all(|live| live.vector != ended.vector);
        let done = self
            .vectors
            .get(&ended.vector)
            .is_some_and(|vector| vector.owner == Some(bio) || vector.owner.is_none() && unused());
        if done {
            self.vectors.remove(&ended.vector);
        }
    }

    /// Compares a vector with what it was when it was first seen. A change is
    /// reported once: from then on the vector is compared with its new content.
    fn compare(&mut self, event: &BioEvent, content: &[Bvec], culprit: Dev) {
        let Some(vector) = self.vectors.get_mut(&event.vector) else {
            return;
        };
        vector.last = event.dev;
        let pairs = vector.content.iter_mut().zip(content).enumerate();
        let changes: Vec<Change> = pairs
            .filter(|(_, (before, after))| *before != *after)
            .map(|(index, (before, after))| Change {
                index,
                before: std::mem::replace(before, *after),
                after: *after,
            })
            .collect();
        if changes.is_empty() {
            return;
        }
        let owner = vector.owner;
        let sharing = |(bio, live): &(&u64, &Live)| {
            live.vector == event.vector && Some(**bio) != owner && live.dev != culprit
        };
        let others: BTreeSet<Dev> = self
            .live
            .iter()
            .filter(sharing)
            .map(|(_, live)| live.dev)
            .collect();
        for live in self.live.values() {
            if live.vector == event.vector && live.dev == culprit {
                self.account.lives[live.life].changed = true;
            }
        }
        self.account.violations.push(Violation {
            dev: culprit,
            others: others.into_iter().collect(),
            point: event.point,
            bio: event.bio,
            changes,
        });
    }
}

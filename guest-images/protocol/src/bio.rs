//! Bios as the contract watcher saw them: the iterator and the vector of each bio, at its
//! submission and at its completion.

use crate::trace::Dev;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The largest number of entries in a bio's vector (`BIO_MAX_VECS` in
/// include/linux/bio.h).
pub const LONGEST: u32 = 256;

/// The place where a bio was seen: a function of the block layer whose first argument is
/// the bio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Point {
    /// The bio is submitted to a device.
    Submit,
    /// A driver has completed the bio, or one of its pieces.
    End,
    /// Device-mapper gets its clone back. This point is needed because a clone that ends
    /// when its last piece does never enters `bio_endio` itself (`__bio_chain_endio`).
    DmEnd,
    /// Request-based device-mapper gets its clone back.
    DmRequestEnd,
}

impl Point {
    /// All points.
    pub const ALL: [Point; 4] = [Point::Submit, Point::End, Point::DmEnd, Point::DmRequestEnd];

    /// The name of the kernel's function (block/blk-core.c, block/bio.c, drivers/md/dm.c,
    /// drivers/md/dm-rq.c).
    pub fn function(self) -> &'static str {
        match self {
            Point::Submit => "submit_bio_noacct",
            Point::End => "bio_endio",
            Point::DmEnd => "clone_endio",
            Point::DmRequestEnd => "end_clone_bio",
        }
    }
}

/// A bio's iterator, `struct bvec_iter`: how far the bio has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Iter {
    /// `bi_sector`: the next sector on the device.
    pub sector: u64,
    /// `bi_size`: the bytes that are left.
    pub bytes: u32,
    /// `bi_idx`: the index of the vector's next entry.
    pub index: u32,
    /// `bi_bvec_done`: the bytes of that entry that are done.
    pub done: u32,
}

impl fmt::Display for Iter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Iter {
            sector,
            bytes,
            index,
            done,
        } = self;
        write!(
            f,
            "sector {sector}, {bytes} bytes left, entry {index}+{done}"
        )
    }
}

/// One entry of a vector, `struct bio_vec`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "(u64, u32, u32)", into = "(u64, u32, u32)")]
pub struct Bvec {
    /// `bv_page`: the address of the first page's `struct page`.
    pub page: u64,
    /// `bv_len`, in bytes.
    pub bytes: u32,
    /// `bv_offset`: the offset in the first page, in bytes.
    pub offset: u32,
}

impl From<(u64, u32, u32)> for Bvec {
    fn from((page, bytes, offset): (u64, u32, u32)) -> Self {
        Bvec {
            page,
            bytes,
            offset,
        }
    }
}

impl From<Bvec> for (u64, u32, u32) {
    fn from(entry: Bvec) -> Self {
        (entry.page, entry.bytes, entry.offset)
    }
}

impl fmt::Display for Bvec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "page {:#x} len {} off {}",
            self.page, self.bytes, self.offset
        )
    }
}

/// One sighting of a bio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BioEvent {
    /// The time by the kernel's trace clock, in nanoseconds.
    pub ns: u64,
    /// The point where it was seen.
    pub point: Point,
    /// The address of the bio. Another bio may get the same address after this one has
    /// ended.
    pub bio: u64,
    /// `bi_bdev`: the device that the bio is submitted to, or that completes it.
    pub dev: Dev,
    /// `bi_opf`: the operation in the low eight bits, flags above.
    pub op: u32,
    /// `bi_status`, a `blk_status_t`.
    pub status: u8,
    /// `bi_iter`: its iterator.
    pub iter: Iter,
    /// `__bi_remaining`: how many of its pieces have not ended, itself included.
    pub remaining: u32,
    /// `bi_private`. For a piece this is the address of the bio that it was split from.
    pub private: u64,
    /// `__bi_remaining` of the bio that `private` points to, if that is a bio.
    pub parent_remaining: u32,
    /// `bi_io_vec`: the address of the vector. A clone shares that of its original.
    pub vector: u64,
    /// `bi_vcnt`: the number of entries in the vector. 0 for a clone.
    pub count: u16,
    /// The content of the vector, as an index into [`BioTrace::contents`].
    pub content: u32,
}

/// A block device, as the guest's sysfs names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its device number.
    pub dev: Dev,
    /// Its kernel name, such as `vda`.
    pub name: String,
    /// The name of its driver, such as `virtio_blk`, or else the name that
    /// `/proc/devices` has for its major number. Empty if neither is known.
    pub driver: String,
}

/// All bios that the watcher saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BioTrace {
    /// The points where it could watch.
    pub points: Vec<Point>,
    /// How many entries of each vector it could see. Entries after them were not watched.
    pub entries: u32,
    /// The sightings, in order of time.
    pub events: Vec<BioEvent>,
    /// The contents of vectors, each only once.
    pub contents: Vec<Vec<Bvec>>,
    /// How many events the ring lost or the kernel's probes missed. If there are any,
    /// nothing is proved.
    pub lost: u64,
    /// How many events the kernel counts as missed although they may have been recorded.
    /// Before 5.14, a probe that meets a page fault while it fetches its arguments counts
    /// as missed, but is recorded all the same (`kprobe_fault_handler` in
    /// arch/x86/kernel/kprobes/core.c).
    #[serde(default)]
    pub doubted: u64,
    /// The devices that the events name.
    pub devices: Vec<Device>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_short_on_the_wire_and_survives_it() {
        let entry = Bvec {
            page: u64::MAX,
            bytes: 4096,
            offset: 512,
        };
        let wire = serde_json::to_string(&entry).unwrap();
        assert_eq!(wire, "[18446744073709551615,4096,512]");
        assert_eq!(serde_json::from_str::<Bvec>(&wire).unwrap(), entry);
    }
}

//! Bios as the contract watcher saw them: the iterator and the vector of each,
//! where it was submitted and where it was completed.

use crate::trace::Dev;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Entries that a bio's vector has at most (`BIO_MAX_VECS` in
/// include/linux/bio.h).
pub const LONGEST: u32 = 256;

/// Where a bio was seen: a function of the block layer that takes it as its
/// first argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Point {
    /// It is handed to a device.
    Submit,
    /// A driver is done with it, or with one of its pieces.
    End,
    /// Device-mapper gets its clone back. A clone that ends because its last
    /// piece did never enters `bio_endio` itself (`__bio_chain_endio`).
    DmEnd,
    /// Request-based device-mapper gets its clone back.
    DmRequestEnd,
}

impl Point {
    /// All of them.
    pub const ALL: [Point; 4] = [Point::Submit, Point::End, Point::DmEnd, Point::DmRequestEnd];

    /// The kernel's function (block/blk-core.c, block/bio.c, drivers/md/dm.c,
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

/// `struct bvec_iter`: how far a bio is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Iter {
    /// `bi_sector`: the next sector on the device.
    pub sector: u64,
    /// `bi_size`: bytes that are left.
    pub bytes: u32,
    /// `bi_idx`: the entry of the vector that is next.
    pub index: u32,
    /// `bi_bvec_done`: bytes of that entry that are done.
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

/// `struct bio_vec`: one entry of a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "(u64, u32, u32)", into = "(u64, u32, u32)")]
pub struct Bvec {
    /// Address of the first page's `struct page`.
    pub page: u64,
    /// `bv_len`, in bytes.
    pub bytes: u32,
    /// `bv_offset`, in bytes.
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

/// A bio, seen once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BioEvent {
    /// The kernel's trace clock in nanoseconds.
    pub ns: u64,
    /// Where.
    pub point: Point,
    /// Its address; an address is used again once its bio has ended.
    pub bio: u64,
    /// `bi_bdev`: the device that it is handed to, or that hands it back.
    pub dev: Dev,
    /// `bi_opf`: the operation in the low eight bits, flags above.
    pub op: u32,
    /// `bi_status`, a `blk_status_t`.
    pub status: u8,
    /// `bi_iter`.
    pub iter: Iter,
    /// `__bi_remaining`: the pieces that have not ended, itself included.
    pub remaining: u32,
    /// `bi_private`; of a piece the address of the bio that it was cut from.
    pub private: u64,
    /// `__bi_remaining` of what `private` points to, if that is a bio.
    pub parent_remaining: u32,
    /// Address of the vector, `bi_io_vec`. A clone has that of its original.
    pub vector: u64,
    /// `bi_vcnt`: entries of the vector, 0 for a clone.
    pub count: u16,
    /// The vector's content: an index into [`BioTrace::contents`].
    pub content: u32,
}

/// A block device as the guest's sysfs names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its number.
    pub dev: Dev,
    /// Kernel name, such as `vda`.
    pub name: String,
    /// Its driver, such as `virtio_blk`, or what `/proc/devices` calls its
    /// major number; empty where neither says.
    pub driver: String,
}

/// All bios that the watcher saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BioTrace {
    /// Where it could watch.
    pub points: Vec<Point>,
    /// How many entries of each vector it could see; what lies behind them was
    /// not watched.
    pub entries: u32,
    /// By time.
    pub events: Vec<BioEvent>,
    /// Contents of vectors, each once.
    pub contents: Vec<Vec<Bvec>>,
    /// Events that the ring lost, or that the kernel's probes missed. With any,
    /// nothing is proved.
    pub lost: u64,
    /// What the kernel counts as missed and need not have: before 5.14 a probe
    /// that meets a page fault while it fetches counts as missed, and is taken all
    /// the same (`kprobe_fault_handler` in arch/x86/kernel/kprobes/core.c).
    #[serde(default)]
    pub doubted: u64,
    /// The devices of the events.
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

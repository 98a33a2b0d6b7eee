//! An I/O for the guest: what it does, the memory that it uses, and its result.

use crate::content::Span;
use serde::{Deserialize, Serialize};

/// What an I/O does, as the application sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Op {
    /// A read: `preadv`, or `IOCB_CMD_PREADV`.
    Read,
    /// A write: `pwritev`, or `IOCB_CMD_PWRITEV`.
    Write,
    /// `pwritev`, then `fsync`. The result is that of the `fsync`. The write comes first
    /// because a disk without unflushed data has nothing to flush.
    Flush,
    /// A discard: `BLKDISCARD`. It uses no memory, and its result is the whole length.
    Discard,
    /// A zeroout: `BLKZEROOUT`. It uses no memory, and its result is the whole length.
    WriteZeroes,
}

impl Op {
    /// Whether the application passes data to the kernel.
    pub fn sends_data(self) -> bool {
        matches!(self, Op::Write | Op::Flush)
    }
}

/// Whether the I/O goes through the page cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Path {
    /// `O_DIRECT`: the bio uses the buffer's own pages.
    Direct,
    /// Through the page cache. A write is followed by `fsync`, and an error of that
    /// counts as the write's.
    Buffered,
}

/// How a request's segments lie in the guest's physical memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Memory {
    /// Physically contiguous: each segment is one entry of the bio's vector.
    Contiguous,
    /// No two pages are adjacent in physical memory: each page is an entry of its own.
    Scattered,
}

/// One entry of the application's I/O vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Segment {
    /// The offset of the first byte in its page, less than 4096.
    pub page_offset: u16,
    /// The length in bytes, more than 0.
    pub bytes: u32,
}

/// One request of the application: one `preadv` or `pwritev`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IoOp {
    /// The first sector on the device.
    pub sector: u64,
    /// The I/O vector. The lengths of its segments add up to the request's length.
    pub segments: Vec<Segment>,
}

/// An I/O: one request, or several that are in flight together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IoRequest {
    /// The name of the dm device (in `/dev/mapper`), or the serial number of a disk.
    pub device: String,
    /// The operation that all its requests do.
    pub op: Op,
    /// Whether it goes through the page cache.
    pub path: Path,
    /// `O_DSYNC`: the data of each write are durable when it returns.
    pub dsync: bool,
    /// How the segments lie in physical memory.
    pub memory: Memory,
    /// The requests. A single request is submitted by `preadv` or `pwritev`. Several
    /// requests of one submitter are submitted by a single `io_submit`, so that the block
    /// layer may merge adjacent ones in its plug.
    pub ops: Vec<IoOp>,
    /// How many threads submit direct reads and writes. Of n threads, each submits every
    /// n-th request.
    pub submitters: u32,
    /// The seed of the run, for the stamps of what is written and read.
    pub seed: u64,
    /// The generation of what is written.
    pub generation: u32,
}

/// The result of one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpReport {
    /// The bytes transferred, or the errno (positive).
    pub result: Result<u64, i32>,
    /// For reads: what the buffer holds, from its start, even if the read failed.
    pub content: Vec<Span>,
    /// For writes: the places where the buffer no longer holds what was to be written.
    /// Offsets in bytes from the start of the request, at most the first 16.
    pub buffer_changed: Vec<u64>,
    /// Guard bytes around the segments that have changed; at most the first 16.
    pub guard_damage: Vec<GuardDamage>,
    /// How many interventions of the harness ([`crate::message::Request::Intervention`])
    /// came before the request completed. 0 if there were none. The number may be too
    /// high by an intervention that had just been announced, but never too low.
    #[serde(default)]
    pub after: u32,
}

/// A guard byte that has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardDamage {
    /// The index of the segment that it guards.
    pub segment: u32,
    /// The distance from the segment in bytes. Negative before the segment, counted from
    /// its first byte; otherwise after it, counted from its end.
    pub distance: i32,
    /// The byte that was found there instead of [`crate::content::GUARD`].
    pub found: u8,
}

/// The result of an [`IoRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IoReport {
    /// The result of each request, in their order.
    pub ops: Vec<OpReport>,
    /// The time in the guest from submission to the last completion, in microseconds.
    pub micros: u64,
}

/// Whether an I/O has completed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IoState {
    /// All requests have completed.
    Done(IoReport),
    /// Not all requests have completed, and no disk has had anything in flight for the
    /// quiet time that was asked for. So something above the disks holds the I/O.
    Quiet {
        /// How many requests have not completed.
        pending: u32,
    },
    /// Not all requests had completed at the deadline.
    Pending {
        /// How many requests have not completed.
        pending: u32,
        /// The kernel stacks of the waiting tasks, as `/proc/PID/stack` shows them. Empty
        /// if the kernel does not have that file.
        stacks: Vec<String>,
    },
}

//! An I/O to do in the guest, the shape of the memory that it uses, and what
//! came of it.

use crate::content::Span;
use serde::{Deserialize, Serialize};

/// What an I/O does, as the application sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Op {
    /// `preadv`, or `IOCB_CMD_PREADV`.
    Read,
    /// `pwritev`, or `IOCB_CMD_PWRITEV`.
    Write,
    /// `pwritev`, and then `fsync`, whose error is the request's: a disk that
    /// has been given nothing has nothing to flush.
    Flush,
    /// `BLKDISCARD`. There is no memory, and the result is the whole length.
    Discard,
    /// `BLKZEROOUT`. There is no memory, and the result is the whole length.
    WriteZeroes,
}

impl Op {
    /// Whether the application hands bytes over.
    pub fn sends_data(self) -> bool {
        matches!(self, Op::Write | Op::Flush)
    }
}

/// Whether the page cache takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Path {
    /// `O_DIRECT`: the buffer's own pages are the bio's.
    Direct,
    /// Through the page cache; a write is followed by `fsync`, whose error
    /// counts as the write's.
    Buffered,
}

/// Where a request's segments lie in the guest's physical memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Memory {
    /// Physically contiguous: a segment is one bvec.
    Contiguous,
    /// No two pages are neighbours in physical memory: a bvec ends with each
    /// page.
    Scattered,
}

/// One entry of the I/O vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Segment {
    /// Offset of the first byte within its page, below 4096.
    pub page_offset: u16,
    /// Length in bytes, above 0.
    pub bytes: u32,
}

/// One request of the application: one `preadv` or `pwritev`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IoOp {
    /// First sector on the device.
    pub sector: u64,
    /// Its vector; the lengths add up to the request's.
    pub segments: Vec<Segment>,
}

/// An I/O of one or several requests that are in flight together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IoRequest {
    /// Name of the dm device (below `/dev/mapper`), or the serial of a disk.
    pub device: String,
    /// Direction.
    pub op: Op,
    /// Page cache or not.
    pub path: Path,
    /// `O_DSYNC`: each write is durable when it returns.
    pub dsync: bool,
    /// Where the segments lie.
    pub memory: Memory,
    /// The requests. One is issued by `preadv`/`pwritev`; several of a submitter by
    /// a single `io_submit`, so that the block layer may merge neighbours in its
    /// plug.
    pub ops: Vec<IoOp>,
    /// How many threads submit direct reads and writes, each every so-many-th
    /// request.
    pub submitters: u32,
    /// The run's seed, for stamping what is written and reading what is read.
    pub seed: u64,
    /// The generation of what is written.
    pub generation: u32,
}

/// What came of one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpReport {
    /// Bytes transferred, or the errno.
    pub result: Result<u64, i32>,
    /// Reads: what the buffer holds, from its start, whatever the result.
    pub content: Vec<Span>,
    /// Writes: the buffer no longer holds what was asked to be written. Offsets
    /// in bytes from the start of the request; at most the first 16.
    pub buffer_changed: Vec<u64>,
    /// Bytes around the segments that did not survive; at most the first 16.
    pub guard_damage: Vec<GuardDamage>,
    /// After how many interventions of the harness it came back
    /// ([`crate::message::Request::Intervention`]): 0 where nobody had done anything. It may
    /// be told an intervention late, never one early.
    #[serde(default)]
    pub after: u32,
}

/// A guard byte that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardDamage {
    /// Index of the segment that it guards.
    pub segment: u32,
    /// Distance from the segment in bytes: negative before it, counted from
    /// its first byte; otherwise after it, counted from its end.
    pub distance: i32,
    /// What was found there instead of [`crate::content::GUARD`].
    pub found: u8,
}

/// What came of an [`IoRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IoReport {
    /// One for each request, in their order.
    pub ops: Vec<OpReport>,
    /// Guest time from submission to the last completion, in microseconds.
    pub micros: u64,
}

/// Whether an I/O has come back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IoState {
    /// All requests have completed.
    Done(IoReport),
    /// Not complete, and for the quiet time that was asked for no disk had
    /// anything in flight: something above the disks holds the I/O.
    Quiet {
        /// How many requests have not completed.
        pending: u32,
    },
    /// Not complete when the deadline passed.
    Pending {
        /// How many requests have not completed.
        pending: u32,
        /// Kernel stacks of the tasks that wait, as `/proc/PID/stack` shows
        /// them; empty where the kernel does not.
        stacks: Vec<String>,
    },
}

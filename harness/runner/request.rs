//! What the guest is asked to do: the I/O of a case.

use super::stack;
use halfway_case::{Case, Io};
use halfway_protocol::bio;
use halfway_protocol::io::{IoOp, IoRequest};

/// How many entries the vectors of its bios have at most: one for each page of
/// each segment.
pub fn entries(request: &IoRequest) -> u32 {
    const PAGE: u32 = 4096;
    let of = |op: &IoOp| {
        let segments = op.segments.iter();
        let pages = segments.map(|one| (u32::from(one.page_offset) + one.bytes).div_ceil(PAGE));
        pages.sum::<u32>()
    };
    let longest = request.ops.iter().map(of).max();
    longest.unwrap_or(1).min(bio::LONGEST)
}

/// The generation of what a case writes; what lay there before is 0.
pub const WRITTEN: u32 = 1;

/// An I/O on the case's device.
pub fn io_request(case: &Case, io: &Io, seed: u64, generation: u32) -> IoRequest {
    let (memory, ops) = io.requests(case.legs.block());
    IoRequest {
        device: stack::top(case).to_owned(),
        op: io.op,
        path: io.path,
        dsync: io.dsync,
        memory,
        ops,
        submitters: io.submitters,
        seed,
        generation,
    }
}

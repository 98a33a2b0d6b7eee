//! Checks `[io]`: range, operation, path and memory.

use super::{clash, requests};
use crate::error::Report;
use crate::file::File;
use crate::value::Value;
use halfway_case::Vector;
use halfway_case::limits;
use halfway_protocol::io::{Op, Path};

pub(super) fn io(file: &File, report: &mut Report) {
    let io = &file.io;
    let bad = |sectors: &u64| *sectors == 0 || *sectors > limits::IO_SECTORS;
    for sectors in io.sectors.offenders(bad) {
        report
            .problem(format!("an I/O cannot have {} sectors", sectors.value))
            .value(sectors, "this value")
            .help(format!(
                "an I/O has 1 to {} sectors here",
                limits::IO_SECTORS
            ));
    }
    requests::requests(file, report);
    let longest = io.sectors.least(|sectors| u64::MAX - sectors);
    if let (Some(longest), Some(size)) = (longest, file.legs.size.least(|size| *size)) {
        let beyond = |sector: &u64| sector.saturating_add(longest.value) > size.value;
        for sector in io.sector.offenders(beyond) {
            report
                .problem(format!(
                    "an I/O of {} sectors at {} ends outside of the dm device",
                    longest.value, sector.value
                ))
                .value(sector, "it starts here")
                .value(longest, "it is this long")
                .value(size, "the device ends here")
                .help(format!(
                    "the device has {} sectors: `size` in `[legs]`",
                    size.value
                ));
        }
    }
    clash(
        report,
        io.vector.find(|vector| *vector != Vector::Contiguous),
        io.path.find(|path| *path == Path::Buffered),
        "the shape of the memory means nothing to a buffered I/O",
        "its pages are the page cache's: use `contiguous`, or `path = \"direct\"`",
    );
    let durable = || io.dsync.find(|dsync| *dsync);
    clash(
        report,
        durable(),
        io.op.find(|op| *op != Op::Write),
        "`dsync` means nothing but to a write",
        "leave `dsync` out, or sweep over writes only",
    );
    let special = || io.op.find(|op| !matches!(op, Op::Read | Op::Write));
    clash(
        report,
        special(),
        io.path.find(|path| *path == Path::Buffered),
        "what is flushed, discarded or zeroed does not go through the page cache here",
        "leave `path` out: it is `direct` then",
    );
    clash(
        report,
        special(),
        io.requests.find(|requests| *requests > 1),
        "a flush, a discard or a write-zeroes is one request",
        "leave `requests` out",
    );
    clash(
        report,
        io.op.find(|op| matches!(op, Op::Discard | Op::WriteZeroes)),
        io.vector.find(|vector| *vector != Vector::Contiguous),
        "a discard or a write-zeroes has no memory",
        "leave `vector` out",
    );
    clash(
        report,
        durable(),
        io.path.find(|path| *path == Path::Buffered),
        "a buffered write is followed by fsync, which makes it durable as well",
        "leave `dsync` out, or use `path = \"direct\"`",
    );
    if let (Some(longest), Some(requests)) = (longest, io.requests.least(|n| *n)) {
        let most = longest.value.min(limits::IO_SECTORS);
        let overlap = io.overlap.values().copied().max().unwrap_or(0);
        let each = most.div_ceil(u64::from(requests.value.max(1)));
        let each = each.saturating_add(overlap).min(most);
        for vector in &io.vector.0 {
            let segments = vector.value.segments(each, file.legs.block()).1.len();
            if segments > limits::SEGMENTS {
                report
                    .problem(format!(
                        "a request of {each} sectors has {segments} segments as `{}`",
                        vector.value.word()
                    ))
                    .value(vector, "this shape")
                    .value(longest, "this length")
                    .help(format!(
                        "a system call takes {} (UIO_MAXIOV): ask for less, or for more requests",
                        limits::SEGMENTS
                    ));
            }
        }
    }
}

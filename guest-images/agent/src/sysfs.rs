//! Reading and writing of the kernel's one-line text files.

use halfway_protocol::message::Limits;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::str::FromStr;

/// Content of one of the kernel's text files.
///
/// Not `fs::read_to_string`, which begins with a read of a few bytes: some of
/// these files give what fits into the first read and then end
/// (`show_header` in kernel/trace/trace_events.c).
pub fn text(path: impl AsRef<Path>) -> io::Result<String> {
    const AT_ONCE: usize = 4096;
    let mut file = File::open(path)?;
    let mut text = Vec::new();
    loop {
        let filled = text.len();
        text.resize(filled + AT_ONCE, 0);
        let more = file.read(&mut text[filled..])?;
        text.truncate(filled + more);
        if more == 0 {
            return String::from_utf8(text)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error));
        }
    }
}

/// As [`text`], without the white space around it.
pub fn read(path: impl AsRef<Path>) -> io::Result<String> {
    text(path).map(|text| text.trim().to_owned())
}

/// A number from a text file.
pub fn number<N: FromStr>(path: impl AsRef<Path>) -> Option<N> {
    read(path).ok()?.parse().ok()
}

/// Writes `value` by a single `write`, as the kernel expects.
pub fn write(path: impl AsRef<Path>, value: &str) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .open(path)?
        .write_all(value.as_bytes())
}

/// Takes the I/O scheduler of a block device away, if it has one: a scheduler holds
/// requests back and merges them as it likes, and which of them a kernel has is a matter
/// of its configuration.
pub fn without_scheduler(name: &str) {
    let path = Path::new("/sys/block").join(name).join("queue/scheduler");
    // `none [mq-deadline]`; devices that have no queue of requests show `none`.
    if read(&path).is_ok_and(|shown| shown.contains('[') && !shown.contains("[none]")) {
        let _ = write(&path, "none");
    }
}

/// Queue limits of the disk with that kernel name; what the kernel does not
/// show is 0.
pub fn limits(disk: &str) -> Limits {
    let queue = Path::new("/sys/block").join(disk).join("queue");
    let number = |name: &str| number(queue.join(name));
    Limits {
        logical_block_size: number("logical_block_size").unwrap_or_default(),
        max_sectors_kb: number("max_sectors_kb").unwrap_or_default(),
        max_hw_sectors_kb: number("max_hw_sectors_kb").unwrap_or_default(),
        max_segments: number("max_segments").unwrap_or_default(),
        dma_alignment: number("dma_alignment"),
    }
}

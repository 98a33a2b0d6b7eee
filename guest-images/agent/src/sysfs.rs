//! Reads and writes the kernel's one-line text files.

use halfway_protocol::message::Limits;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::str::FromStr;

/// The content of one of the kernel's text files.
///
/// `fs::read_to_string` does not do: it begins with a read of a few bytes, and some of
/// these files give what fits into the first read and then end (`show_header` in
/// kernel/trace/trace_events.c).
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

/// Like [`text`], without leading and trailing white space.
pub fn read(path: impl AsRef<Path>) -> io::Result<String> {
    text(path).map(|text| text.trim().to_owned())
}

/// The number in a text file.
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

/// Turns the I/O scheduler of a block device off, if it has one. A scheduler delays and
/// merges requests as it likes, and which scheduler a kernel has depends on its
/// configuration.
pub fn without_scheduler(name: &str) {
    let path = Path::new("/sys/block").join(name).join("queue/scheduler");
    // The file shows `none [mq-deadline]`, for instance. Devices without a request queue
    // show `none`.
    if read(&path).is_ok_and(|shown| shown.contains('[') && !shown.contains("[none]")) {
        let _ = write(&path, "none");
    }
}

/// The queue limits of the disk with that kernel name. A limit that the kernel does not
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

//! Reads kernel messages from `/dev/kmsg` (Documentation/ABI/testing/dev-kmsg).

use crate::refuse::Refuse;
use halfway_protocol::message::{KernelMessage, Refusal};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;

/// The largest record that the kernel gives, in bytes: `CONSOLE_EXT_LOG_MAX`, 8 KiB.
const RECORD: usize = 8 << 10;

/// A reader of kernel messages with a position of its own.
pub struct Kmsg(File);

impl Kmsg {
    /// Opens the log after its last record.
    ///
    /// # Errors
    /// The kernel refuses to open it.
    pub fn open() -> Result<Self, Refusal> {
        let mut kmsg = Self::from_boot()?;
        kmsg.forget()?;
        Ok(kmsg)
    }

    /// Opens the log at its oldest record.
    ///
    /// # Errors
    /// The kernel refuses to open it.
    pub fn from_boot() -> Result<Self, Refusal> {
        OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open("/dev/kmsg")
            .map(Self)
            .refuse(|| "opening /dev/kmsg".into())
    }

    /// Skips all records so far.
    ///
    /// # Errors
    /// The kernel refuses to seek.
    pub fn forget(&mut self) -> Result<(), Refusal> {
        self.0
            .seek(SeekFrom::End(0))
            .map(drop)
            .refuse(|| "seeking in /dev/kmsg".into())
    }

    /// All records since the last call of this or of [`Self::forget`].
    ///
    /// # Errors
    /// The kernel refuses to read.
    pub fn take(&mut self) -> Result<Vec<KernelMessage>, Refusal> {
        let mut found = Vec::new();
        let mut record = vec![0; RECORD];
        loop {
            match self.0.read(&mut record) {
                Ok(0) => return Ok(found),
                Ok(length) => found.extend(parse(&record[..length])),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(found),
                // Records were overwritten before they were read. The next read continues
                // at the oldest record that is left.
                Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {
                    found.push(KernelMessage {
                        level: 4,
                        micros: found.last().map_or(0, |last| last.micros),
                        text: "halfway-agent: kernel messages were lost here".into(),
                    });
                }
                Err(error) => return Err(error).refuse(|| "reading /dev/kmsg".into()),
            }
        }
    }
}

/// Parses one record: `PRIORITY,NUMBER,MICROSECONDS,FLAGS[,...];TEXT`. Lines after it
/// that begin with a space are a dictionary, which is dropped.
fn parse(record: &[u8]) -> Option<KernelMessage> {
    let record = String::from_utf8_lossy(record);
    let (head, body) = record.split_once(';')?;
    let mut head = head.split(',');
    let priority: u32 = head.next()?.parse().ok()?;
    let micros = head.nth(1)?.parse().ok()?;
    Some(KernelMessage {
        // The other bits of the priority are the syslog facility.
        level: (priority & 7) as u8,
        micros,
        text: unescape(body.split('\n').next().unwrap_or_default()),
    })
}

/// Decodes the `\xNN` that the kernel writes for characters that are not printable ASCII.
fn unescape(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\x") {
        out.extend_from_slice(before.as_bytes());
        match after.get(..2).map(|hex| u8::from_str_radix(hex, 16)) {
            Some(Ok(byte)) => {
                out.push(byte);
                rest = &after[2..];
            }
            _ => {
                out.extend_from_slice(b"\\x");
                rest = after;
            }
        }
    }
    out.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::plain("3,12,99,-;device-mapper: no\n", 3, 99, "device-mapper: no")]
    #[case::facility("30,1,7,-;x\n", 6, 7, "x")]
    #[case::dictionary("4,2,8,c;y\n SUBSYSTEM=block\n DEVICE=b254:0\n", 4, 8, "y")]
    #[case::more_fields("6,3,9,-,caller=T1;z;z\n", 6, 9, "z;z")]
    #[case::escaped("6,4,1,-;a\\x0ab \\x5c \\xzz\n", 6, 1, "a\nb \\ \\xzz")]
    fn records(#[case] record: &str, #[case] level: u8, #[case] micros: u64, #[case] text: &str) {
        let expected = KernelMessage {
            level,
            micros,
            text: text.into(),
        };
        assert_eq!(parse(record.as_bytes()), Some(expected));
    }

    #[rstest]
    #[case::empty("")]
    #[case::no_text("6,3,9,-")]
    #[case::no_number("a,3,9,-;x")]
    fn what_is_no_record(#[case] record: &str) {
        assert_eq!(parse(record.as_bytes()), None);
    }
}

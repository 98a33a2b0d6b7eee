//! The bytes of a device-mapper ioctl: a header (`struct dm_ioctl`), followed by table
//! lines (`struct dm_target_spec`) or a message (`struct dm_target_msg`).
//!
//! They are written by offset instead of by casting structures. So the kernel's answer is
//! read with bounds checks, and no code here is unsafe.

use halfway_protocol::message::{DmStatus, Target};
use halfway_protocol::trace::Dev;

/// The size of the header, in bytes.
pub const HEADER: usize = 312;
/// The size of a table line's fixed part, in bytes.
const SPEC: usize = 40;

const DATA_SIZE: usize = 12;
const DATA_START: usize = 16;
const TARGET_COUNT: usize = 20;
const FLAGS: usize = 28;
const EVENT: usize = 32;
const DEV: usize = 40;
const NAME: usize = 48;
/// `DM_NAME_LEN`, including the terminating zero.
const NAME_LEN: usize = 128;
/// `DM_MAX_TYPE_NAME`, including the terminating zero.
const KIND_LEN: usize = 16;

/// `DM_SUSPEND_FLAG`: the device is suspended, or is to be.
pub const SUSPEND: u32 = 1 << 1;
/// `DM_STATUS_TABLE_FLAG`: the answer has the table instead of the status.
pub const TABLE: u32 = 1 << 4;
/// `DM_BUFFER_FULL_FLAG`: the answer did not fit.
pub const BUFFER_FULL: u32 = 1 << 8;
/// `DM_NOFLUSH_FLAG`: do not wait for I/O in flight.
pub const NOFLUSH: u32 = 1 << 11;

/// The commands that the agent uses (`DM_*_CMD`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DmCommand {
    /// `DM_DEV_CREATE`: creates a device without a table.
    Create = 3,
    /// `DM_DEV_REMOVE`: removes a device.
    Remove = 4,
    /// `DM_DEV_SUSPEND`: suspends the device, or resumes it without [`SUSPEND`].
    Suspend = 6,
    /// `DM_DEV_STATUS`: looks up a device.
    DeviceStatus = 7,
    /// `DM_TABLE_LOAD`: loads a table into the inactive slot.
    Load = 9,
    /// `DM_TABLE_STATUS`: reads the status or the table of each target.
    TableStatus = 12,
    /// `DM_TARGET_MSG`: sends a message to a target.
    Message = 14,
}

impl DmCommand {
    /// The number of the ioctl, `_IOWR(0xfd, command, struct dm_ioctl)`.
    pub fn request(self) -> u64 {
        const READ_WRITE: u64 = 3;
        READ_WRITE << 30 | (HEADER as u64) << 16 | 0xfd << 8 | self as u64
    }
}

/// A text that does not fit into the kernel's structures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooLong(pub String);

/// The argument of an ioctl: the header and what follows it.
#[derive(Debug)]
pub struct Buffer(Vec<u8>);

impl Buffer {
    /// A header for the device with that name.
    pub fn new(name: &str, flags: u32) -> Result<Self, TooLong> {
        if name.len() >= NAME_LEN || name.contains('\0') {
            return Err(TooLong(format!(
                "a name has at most {} bytes and no zero byte",
                NAME_LEN - 1
            )));
        }
        let mut buffer = Self(vec![0; HEADER]);
        // Version 4.0. A kernel accepts every minor version that is not newer than its
        // own (`check_version` in drivers/md/dm-ioctl.c).
        buffer.put(0, 4);
        buffer.put(DATA_START, HEADER as u32);
        buffer.put(FLAGS, flags);
        buffer.0[NAME..NAME + name.len()].copy_from_slice(name.as_bytes());
        buffer.seal();
        Ok(buffer)
    }

    /// Adds the lines of a table, for [`DmCommand::Load`].
    pub fn with_table(mut self, table: &[Target]) -> Result<Self, TooLong> {
        for target in table {
            if target.kind.len() >= KIND_LEN || target.kind.contains('\0') {
                return Err(TooLong(format!(
                    "no target type is called {:?}",
                    target.kind
                )));
            }
            let start = self.0.len();
            self.0.extend(target.start.to_ne_bytes());
            self.0.extend(target.sectors.to_ne_bytes());
            self.0.resize(start + SPEC, 0);
            self.0[start + 24..][..target.kind.len()].copy_from_slice(target.kind.as_bytes());
            self.0.extend(target.params.as_bytes());
            self.0.push(0);
            self.0.resize(self.0.len().next_multiple_of(8), 0);
            // The distance from this line to the next, in bytes.
            let next = (self.0.len() - start) as u32;
            self.put(start + 20, next);
        }
        self.put(TARGET_COUNT, table.len() as u32);
        self.seal();
        Ok(self)
    }

    /// Adds a message to the target at `sector`, for [`DmCommand::Message`].
    pub fn with_message(mut self, sector: u64, message: &str) -> Self {
        self.0.extend(sector.to_ne_bytes());
        self.0.extend(message.as_bytes());
        self.0.push(0);
        self.seal();
        self
    }

    /// Adds room for an answer of that many bytes.
    pub fn with_room(mut self, bytes: usize) -> Self {
        self.0.resize(HEADER + bytes, 0);
        self.seal();
        self
    }

    /// The address of the buffer, for the kernel to read and write.
    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        self.0.as_mut_ptr()
    }

    /// Whether the kernel's answer did not fit.
    pub fn full(&self) -> bool {
        self.get(FLAGS) & BUFFER_FULL != 0
    }

    /// The device number, which the kernel packs with `huge_encode_dev`.
    pub fn dev(&self) -> Dev {
        let dev = self.get(DEV);
        Dev(dev >> 8 & 0xfff, dev & 0xff | dev >> 12 & 0xf_ff00)
    }

    /// The kernel's answer to [`DmCommand::TableStatus`].
    pub fn status(&self) -> DmStatus {
        DmStatus {
            targets: self.lines(),
            event: self.get(EVENT),
            suspended: self.get(FLAGS) & SUSPEND != 0,
        }
    }

    fn lines(&self) -> Vec<String> {
        let first = self.get(DATA_START) as usize;
        let mut at = first;
        let mut lines = Vec::new();
        for _ in 0..self.get(TARGET_COUNT) {
            let Some(text) = self.0.get(at + SPEC..) else {
                break;
            };
            let end = text.iter().position(|byte| *byte == 0);
            let text = &text[..end.unwrap_or(text.len())];
            lines.push(String::from_utf8_lossy(text).into_owned());
            // Here the distance is from the first line; in a table to load it is from the
            // line before.
            at = first + self.get(at + 20) as usize;
        }
        lines
    }

    fn seal(&mut self) {
        self.put(DATA_SIZE, self.0.len() as u32);
    }

    fn put(&mut self, at: usize, value: u32) {
        self.0[at..at + 4].copy_from_slice(&value.to_ne_bytes());
    }

    /// The 32-bit number at `at`. 0 beyond the end.
    fn get(&self, at: usize) -> u32 {
        match self.0.get(at..).and_then(|rest| rest.first_chunk()) {
            Some(bytes) => u32::from_ne_bytes(*bytes),
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn target(kind: &str, params: &str) -> Target {
        Target {
            start: 0,
            sectors: 131_072,
            kind: kind.into(),
            params: params.into(),
        }
    }

    #[rstest]
    #[case(DmCommand::Create, 0xc138_fd03)]
    #[case(DmCommand::Load, 0xc138_fd09)]
    #[case(DmCommand::Message, 0xc138_fd0e)]
    fn requests_are_what_dm_ioctl_h_makes_of_them(#[case] command: DmCommand, #[case] number: u64) {
        assert_eq!(command.request(), number);
    }

    #[test]
    fn a_table_is_a_chain_of_aligned_lines() {
        let table = [target("mirror", "core 1 1024"), target("zero", "")];
        let buffer = Buffer::new("halfway0", 0)
            .and_then(|buffer| buffer.with_table(&table))
            .unwrap();
        assert_eq!(buffer.get(DATA_SIZE) as usize, buffer.0.len());
        assert_eq!(buffer.get(TARGET_COUNT), 2);
        assert_eq!(&buffer.0[NAME..NAME + 9], b"halfway0\0");
        let next = buffer.get(HEADER + 20) as usize;
        assert_eq!(next % 8, 0);
        assert_eq!(&buffer.0[HEADER + SPEC..][..12], b"core 1 1024\0");
        assert_eq!(&buffer.0[HEADER + next + 24..][..5], b"zero\0");
    }

    #[test]
    fn a_status_is_read_back() {
        let mut buffer = Buffer::new("x", SUSPEND).unwrap().with_room(200);
        let texts = ["2 254:0 254:16 128/128 1 AA 1 core", "x"];
        let mut next = 0;
        for text in texts {
            let at = HEADER + next;
            buffer.0[at + SPEC..][..text.len()].copy_from_slice(text.as_bytes());
            next += (SPEC + text.len() + 1).next_multiple_of(8);
            buffer.put(at + 20, next as u32);
        }
        buffer.put(TARGET_COUNT, 2);
        buffer.put(EVENT, 3);
        let expected = DmStatus {
            targets: texts.map(String::from).to_vec(),
            event: 3,
            suspended: true,
        };
        assert_eq!(buffer.status(), expected);
    }

    #[rstest]
    #[case(0xfd00, Dev(253, 0))]
    #[case(0x1003_0001, Dev(0x300, 0x10001))]
    fn numbers(#[case] packed: u32, #[case] dev: Dev) {
        let mut buffer = Buffer::new("x", 0).unwrap();
        buffer.put(DEV, packed);
        assert_eq!(buffer.dev(), dev);
    }

    #[test]
    fn a_lying_kernel_is_survived() {
        let mut buffer = Buffer::new("x", 0).unwrap().with_room(SPEC + 8);
        buffer.put(TARGET_COUNT, 1000);
        buffer.put(HEADER + 20, u32::MAX);
        assert_eq!(buffer.status().targets.len(), 1);
    }

    #[rstest]
    #[case(&"n".repeat(128), "mirror")]
    #[case("a\0b", "mirror")]
    #[case("a", "sixteen-bytes-xx")]
    fn what_does_not_fit_is_refused(#[case] name: &str, #[case] kind: &str) {
        let built = Buffer::new(name, 0).and_then(|buffer| buffer.with_table(&[target(kind, "")]));
        assert!(built.is_err());
    }
}

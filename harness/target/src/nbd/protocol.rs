//! The numbers of the NBD protocol, as far as this client and the harness's
//! server use it (doc/proto.md of NetworkBlockDevice/nbd). All integers are
//! big-endian on the wire.

#![allow(missing_docs, reason = "the protocol's names")]

/// The server's first eight bytes.
pub const MAGIC: u64 = u64::from_be_bytes(*b"NBDMAGIC");
/// Begins the newstyle handshake, and each option of the client.
pub const OPTION_MAGIC: u64 = u64::from_be_bytes(*b"IHAVEOPT");
/// Begins the server's reply to an option.
pub const OPTION_REPLY_MAGIC: u64 = 0x3_e889_0455_65a9;
/// Begins a request.
pub const REQUEST_MAGIC: u32 = 0x2560_9513;
/// Begins a simple reply.
pub const REPLY_MAGIC: u32 = 0x6744_6698;

/// `NBD_FLAG_FIXED_NEWSTYLE`; the client's flag for it has the same value.
pub const FIXED_NEWSTYLE: u16 = 1;
/// `NBD_FLAG_NO_ZEROES`; the client's flag for it has the same value.
pub const NO_ZEROES: u16 = 1 << 1;

/// Transmission flags, `NBD_FLAG_*`: what an export can do.
pub mod transmission {
    pub const HAS_FLAGS: u16 = 1;
    pub const SEND_FLUSH: u16 = 1 << 2;
    pub const SEND_FUA: u16 = 1 << 3;
    pub const SEND_TRIM: u16 = 1 << 5;
    pub const SEND_WRITE_ZEROES: u16 = 1 << 6;
}

/// `NBD_OPT_*`: options of the handshake.
pub mod option {
    pub const EXPORT_NAME: u32 = 1;
    pub const ABORT: u32 = 2;
    pub const LIST: u32 = 3;
    pub const INFO: u32 = 6;
    pub const GO: u32 = 7;
}

/// `NBD_REP_*`: replies to an option; errors have the top bit.
pub mod reply {
    pub const ACK: u32 = 1;
    pub const SERVER: u32 = 2;
    pub const INFO: u32 = 3;
    pub const ERR_UNSUP: u32 = 1 << 31 | 1;
    pub const ERR_INVALID: u32 = 1 << 31 | 3;
    pub const ERR_UNKNOWN: u32 = 1 << 31 | 6;
}

/// `NBD_INFO_*`: kinds of information about an export.
pub mod info {
    pub const EXPORT: u16 = 0;
    pub const BLOCK_SIZE: u16 = 3;
}

/// `NBD_CMD_*`: commands of a request.
pub mod command {
    pub const READ: u16 = 0;
    pub const WRITE: u16 = 1;
    pub const DISCONNECT: u16 = 2;
    pub const FLUSH: u16 = 3;
    pub const TRIM: u16 = 4;
    pub const WRITE_ZEROES: u16 = 6;
}

/// `NBD_CMD_FLAG_*`: flags of a command.
pub mod flag {
    pub const FUA: u16 = 1;
    pub const NO_HOLE: u16 = 1 << 1;
}

/// The 32-bit integer at byte `at` of a message.
///
/// # Panics
///
/// If the message ends before the integer does.
pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The 64-bit integer at byte `at` of a message.
///
/// # Panics
///
/// If the message ends before the integer does.
pub fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) << 32 | u64::from(u32_at(bytes, at + 4))
}

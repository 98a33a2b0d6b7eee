//! The numbers of the NBD protocol, as far as our client and the harness's
//! server speak it (doc/proto.md of NetworkBlockDevice/nbd). All integers are
//! big-endian on the wire.

#![allow(missing_docs, reason = "the protocol's names")]

/// The server's first eight bytes.
pub const MAGIC: u64 = u64::from_be_bytes(*b"NBDMAGIC");
/// Opens the newstyle handshake, and each of the client's options.
pub const OPTION_MAGIC: u64 = u64::from_be_bytes(*b"IHAVEOPT");
/// Opens the server's answer to an option.
pub const OPTION_REPLY_MAGIC: u64 = 0x3_e889_0455_65a9;
/// Opens a request.
pub const REQUEST_MAGIC: u32 = 0x2560_9513;
/// Opens a simple reply.
pub const REPLY_MAGIC: u32 = 0x6744_6698;

/// `NBD_FLAG_FIXED_NEWSTYLE`, and the client's answer to it.
pub const FIXED_NEWSTYLE: u16 = 1;
/// `NBD_FLAG_NO_ZEROES`, and the client's answer to it.
pub const NO_ZEROES: u16 = 1 << 1;

/// Transmission flags, `NBD_FLAG_*`: what an export can do.
pub mod transmission {
    pub const HAS_FLAGS: u16 = 1;
    pub const SEND_FLUSH: u16 = 1 << 2;
    pub const SEND_FUA: u16 = 1 << 3;
    pub const SEND_TRIM: u16 = 1 << 5;
    pub const SEND_WRITE_ZEROES: u16 = 1 << 6;
}

/// `NBD_OPT_*`.
pub mod option {
    pub const EXPORT_NAME: u32 = 1;
    pub const ABORT: u32 = 2;
    pub const LIST: u32 = 3;
    pub const INFO: u32 = 6;
    pub const GO: u32 = 7;
}

/// `NBD_REP_*`.
pub mod reply {
    pub const ACK: u32 = 1;
    pub const SERVER: u32 = 2;
    pub const INFO: u32 = 3;
    pub const ERR_UNSUP: u32 = 1 << 31 | 1;
    pub const ERR_INVALID: u32 = 1 << 31 | 3;
    pub const ERR_UNKNOWN: u32 = 1 << 31 | 6;
}

/// `NBD_INFO_*`.
pub mod info {
    pub const EXPORT: u16 = 0;
    pub const BLOCK_SIZE: u16 = 3;
}

/// `NBD_CMD_*`.
pub mod command {
    pub const READ: u16 = 0;
    pub const WRITE: u16 = 1;
    pub const DISCONNECT: u16 = 2;
    pub const FLUSH: u16 = 3;
    pub const TRIM: u16 = 4;
    pub const WRITE_ZEROES: u16 = 6;
}

/// `NBD_CMD_FLAG_*`.
pub mod flag {
    pub const FUA: u16 = 1;
    pub const NO_HOLE: u16 = 1 << 1;
}

/// The integer at a place in a message.
///
/// # Panics
/// When the message ends before it does.
pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The same of 64 bits.
///
/// # Panics
/// When the message ends before it does.
pub fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) << 32 | u64::from(u32_at(bytes, at + 4))
}

//! The messages of the NBD protocol as bytes, as far as the client uses them.
//! All integers are big-endian.

use super::protocol::{
    OPTION_MAGIC, OPTION_REPLY_MAGIC, REPLY_MAGIC, REQUEST_MAGIC, u32_at, u64_at,
};

/// Longest option reply that the client accepts, in bytes.
const LONGEST_REPLY: u32 = 64 * 1024;

pub fn option_request(option: u32, data: &[u8]) -> Vec<u8> {
    let mut out = OPTION_MAGIC.to_be_bytes().to_vec();
    out.extend(option.to_be_bytes());
    out.extend((data.len() as u32).to_be_bytes());
    out.extend(data);
    out
}

/// The head of the server's reply to an option.
#[derive(Debug, PartialEq, Eq)]
pub struct OptionReply {
    pub option: u32,
    pub kind: u32,
    pub length: u32,
}

impl OptionReply {
    pub fn parse(bytes: &[u8; 20]) -> Option<Self> {
        let header = OptionReply {
            option: u32_at(bytes, 8),
            kind: u32_at(bytes, 12),
            length: u32_at(bytes, 16),
        };
        (u64_at(bytes, 0) == OPTION_REPLY_MAGIC && header.length <= LONGEST_REPLY).then_some(header)
    }
}

/// Size in bytes and transmission flags, if the data are an `NBD_INFO_EXPORT`.
pub fn export_information(data: &[u8]) -> Option<(u64, u16)> {
    match data {
        [0, 0, rest @ ..] if rest.len() == 10 => {
            Some((u64_at(rest, 0), u16::from_be_bytes([rest[8], rest[9]])))
        }
        _ => None,
    }
}

pub fn request(command: u16, flags: u16, cookie: u64, offset: u64, length: u32) -> [u8; 28] {
    let mut out = [0; 28];
    out[..4].copy_from_slice(&REQUEST_MAGIC.to_be_bytes());
    out[4..6].copy_from_slice(&flags.to_be_bytes());
    out[6..8].copy_from_slice(&command.to_be_bytes());
    out[8..16].copy_from_slice(&cookie.to_be_bytes());
    out[16..24].copy_from_slice(&offset.to_be_bytes());
    out[24..].copy_from_slice(&length.to_be_bytes());
    out
}

/// Errno and cookie of a simple reply.
pub fn simple_reply(bytes: &[u8; 16]) -> Option<(u32, u64)> {
    (u32_at(bytes, 0) == REPLY_MAGIC).then(|| (u32_at(bytes, 4), u64_at(bytes, 8)))
}

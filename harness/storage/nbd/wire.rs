//! The bytes of the NBD protocol, as far as a server of ours speaks it; its
//! numbers are those of the target's client.

pub use halfway_target::nbd::protocol::{
    FIXED_NEWSTYLE, MAGIC, NO_ZEROES, OPTION_MAGIC, command, flag, info, option, reply,
};
use halfway_target::nbd::protocol::{
    OPTION_REPLY_MAGIC, REPLY_MAGIC, REQUEST_MAGIC, transmission, u32_at, u64_at,
};

/// The largest request that we take, in bytes (`NBD_INFO_BLOCK_SIZE`).
pub const MAX_LENGTH: u32 = 32 << 20;
/// The largest option that we take, in bytes: a name has at most 4096.
pub const MAX_OPTION: u32 = 8192;

/// What an export can do.
pub const TRANSMISSION_FLAGS: u16 = transmission::HAS_FLAGS
    | transmission::SEND_FLUSH
    | transmission::SEND_FUA
    | transmission::SEND_TRIM
    | transmission::SEND_WRITE_ZEROES;

/// The client broke the protocol in a way that leaves no common ground: the
/// connection ends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Another magic number was due.
    #[error("an NBD {what} begins with {found:#x}")]
    Magic {
        /// What was to be read.
        what: &'static str,
        /// What was there.
        found: u64,
    },
    /// The client does not speak the fixed newstyle handshake.
    #[error("the NBD client's flags are {0:#x}: the fixed newstyle handshake is needed")]
    Flags(u32),
    /// More data than we take.
    #[error("an NBD {what} of {length} bytes is longer than {limit}")]
    TooLong {
        /// What was to be read.
        what: &'static str,
        /// How long it would be.
        length: u32,
        /// How long it may be.
        limit: u32,
    },
    /// `NBD_OPT_EXPORT_NAME` of an export that there is not; it has no answer.
    #[error("there is no NBD export named {0:?}")]
    UnknownExport(String),
}

/// The fixed part of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionHeader {
    pub option: u32,
    pub length: u32,
}

impl OptionHeader {
    pub const BYTES: usize = 16;

    pub fn parse(bytes: &[u8; Self::BYTES]) -> Result<Self, Violation> {
        expect_magic("option", u64_at(bytes, 0), OPTION_MAGIC)?;
        let header = OptionHeader {
            option: u32_at(bytes, 8),
            length: u32_at(bytes, 12),
        };
        if header.length > MAX_OPTION {
            return Err(Violation::TooLong {
                what: "option",
                length: header.length,
                limit: MAX_OPTION,
            });
        }
        Ok(header)
    }
}

/// The export's name that `NBD_OPT_INFO` or `NBD_OPT_GO` ask for; `None` where
/// the data are not well formed. What information they ask for does not
/// matter: we always give all that we have.
pub fn requested_name(data: &[u8]) -> Option<&[u8]> {
    let (length, rest) = data.split_first_chunk::<4>()?;
    let (name, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    let (count, requests) = rest.split_first_chunk::<2>()?;
    (requests.len() == usize::from(u16::from_be_bytes(*count)) * 2).then_some(name)
}

/// Appends the server's answer to an option.
pub fn put_option_reply(out: &mut Vec<u8>, option: u32, reply: u32, data: &[u8]) {
    out.extend(OPTION_REPLY_MAGIC.to_be_bytes());
    out.extend(option.to_be_bytes());
    out.extend(reply.to_be_bytes());
    out.extend((data.len() as u32).to_be_bytes());
    out.extend(data);
}

/// The fixed part of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    pub command: u16,
    /// `NBD_CMD_FLAG_*`.
    pub flags: u16,
    /// Echoed in the reply.
    pub cookie: u64,
    pub offset: u64,
    pub length: u32,
}

impl RequestHeader {
    pub const BYTES: usize = 28;

    pub fn parse(bytes: &[u8; Self::BYTES]) -> Result<Self, Violation> {
        expect_magic("request", u32_at(bytes, 0).into(), u64::from(REQUEST_MAGIC))?;
        let header = RequestHeader {
            command: u16::from_be_bytes([bytes[6], bytes[7]]),
            flags: u16::from_be_bytes([bytes[4], bytes[5]]),
            cookie: u64_at(bytes, 8),
            offset: u64_at(bytes, 16),
            length: u32_at(bytes, 24),
        };
        let carries_data = matches!(header.command, command::READ | command::WRITE);
        if carries_data && header.length > MAX_LENGTH {
            return Err(Violation::TooLong {
                what: "request",
                length: header.length,
                limit: MAX_LENGTH,
            });
        }
        Ok(header)
    }
}

/// Bytes of a simple reply before its data.
pub const REPLY_BYTES: usize = 16;

/// The head of a simple reply; `errno` is 0 for success.
pub fn reply_head(errno: u32, cookie: u64) -> [u8; REPLY_BYTES] {
    let mut out = [0; REPLY_BYTES];
    out[..4].copy_from_slice(&REPLY_MAGIC.to_be_bytes());
    out[4..8].copy_from_slice(&errno.to_be_bytes());
    out[8..].copy_from_slice(&cookie.to_be_bytes());
    out
}

fn expect_magic(what: &'static str, found: u64, expected: u64) -> Result<(), Violation> {
    if found == expected {
        Ok(())
    } else {
        Err(Violation::Magic { what, found })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::plain(b"\0\0\0\x04leg0\0\0", Some(&b"leg0"[..]))]
    #[case::with_requests(b"\0\0\0\x01a\0\x02\0\x03\0\x01", Some(&b"a"[..]))]
    #[case::default_export(b"\0\0\0\0\0\0", Some(&b""[..]))]
    #[case::name_cut(b"\0\0\0\x09leg0\0\0", None)]
    #[case::requests_cut(b"\0\0\0\x01a\0\x02\0\x03", None)]
    #[case::tail(b"\0\0\0\x01a\0\0!", None)]
    #[case::huge(b"\xff\xff\xff\xffa\0\0", None)]
    #[case::empty(b"", None)]
    fn the_name_is_taken_from_well_formed_data_only(
        #[case] data: &[u8],
        #[case] name: Option<&[u8]>,
    ) {
        assert_eq!(requested_name(data), name);
    }
}

//! The bytes of the NBD protocol, as far as this server needs it. The constants are
//! shared with the target's client.

pub use halfway_target::nbd::protocol::{
    FIXED_NEWSTYLE, MAGIC, NO_ZEROES, OPTION_MAGIC, command, flag, info, option, reply,
};
use halfway_target::nbd::protocol::{
    OPTION_REPLY_MAGIC, REPLY_MAGIC, REQUEST_MAGIC, transmission, u32_at, u64_at,
};

/// The largest request that is accepted, in bytes (`NBD_INFO_BLOCK_SIZE`).
pub const MAX_LENGTH: u32 = 32 << 20;
/// The largest option that is accepted, in bytes. A name has at most 4096.
pub const MAX_OPTION: u32 = 8192;

/// The transmission flags: what an export can do.
pub const TRANSMISSION_FLAGS: u16 = transmission::HAS_FLAGS
    | transmission::SEND_FLUSH
    | transmission::SEND_FUA
    | transmission::SEND_TRIM
    | transmission::SEND_WRITE_ZEROES;

/// The client broke the protocol so that its further bytes cannot be understood. The
/// connection ends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// The bytes have the wrong magic number.
    #[error("an NBD {what} begins with {found:#x}")]
    Magic {
        /// What was expected.
        what: &'static str,
        /// The number that was found.
        found: u64,
    },
    /// The client does not use the fixed newstyle handshake. These are its flags.
    #[error("the NBD client's flags are {0:#x}: the fixed newstyle handshake is needed")]
    Flags(u32),
    /// The client announced more data than is accepted.
    #[error("an NBD {what} of {length} bytes is longer than {limit}")]
    TooLong {
        /// What was being read.
        what: &'static str,
        /// The announced length, in bytes.
        length: u32,
        /// The accepted length, in bytes.
        limit: u32,
    },
    /// The client asked with `NBD_OPT_EXPORT_NAME` for an export that does not exist. The
    /// protocol has no answer for this.
    #[error("there is no NBD export named {0:?}")]
    UnknownExport(String),
}

/// The fixed part of an option that the client sends.
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

/// The export's name in `NBD_OPT_INFO` or `NBD_OPT_GO`. `None` if the data are malformed.
/// The list of requested information is ignored, since the server always gives all that
/// it has.
pub fn requested_name(data: &[u8]) -> Option<&[u8]> {
    let (length, rest) = data.split_first_chunk::<4>()?;
    let (name, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    let (count, requests) = rest.split_first_chunk::<2>()?;
    (requests.len() == usize::from(u16::from_be_bytes(*count)) * 2).then_some(name)
}

/// Appends the server's reply to an option.
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
    /// The flags `NBD_CMD_FLAG_*`.
    pub flags: u16,
    /// A number that the reply repeats.
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

/// The length in bytes of a simple reply's head.
pub const REPLY_BYTES: usize = 16;

/// The head of a simple reply. `errno` is 0 for success.
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

//! The handshake: from the server's greeting until the client has chosen its export.

use super::wire::{self, OptionHeader, Violation, info, option, reply};
use super::{End, Export};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// How many zero bytes end the answer to `NBD_OPT_EXPORT_NAME` for old clients.
const PADDING: usize = 124;

/// The block sizes that the client is told, in bytes: minimum, preferred, maximum. The
/// minimum makes QEMU send whole sectors in one request.
const BLOCK_SIZES: [u32; 3] = [512, 4096, wire::MAX_LENGTH];

/// Does the handshake. Returns the index of the export that the client chose.
pub(super) async fn shake_hands<S>(stream: &mut S, exports: &[Export]) -> Result<usize, End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut out = Vec::with_capacity(256);
    out.extend(wire::MAGIC.to_be_bytes());
    out.extend(wire::OPTION_MAGIC.to_be_bytes());
    out.extend((wire::FIXED_NEWSTYLE | wire::NO_ZEROES).to_be_bytes());
    send(stream, &mut out).await?;

    let flags = stream.read_u32().await?;
    let known = u32::from(wire::FIXED_NEWSTYLE | wire::NO_ZEROES);
    if flags & u32::from(wire::FIXED_NEWSTYLE) == 0 || flags & !known != 0 {
        return Err(Violation::Flags(flags).into());
    }

    loop {
        let mut header = [0; OptionHeader::BYTES];
        stream.read_exact(&mut header).await?;
        let OptionHeader { option, length } = OptionHeader::parse(&header)?;
        let mut data = vec![0; length as usize];
        stream.read_exact(&mut data).await?;
        let mut chosen = None;
        match option {
            option::EXPORT_NAME => {
                let export = find(exports, &data).ok_or_else(|| {
                    Violation::UnknownExport(String::from_utf8_lossy(&data).into_owned())
                })?;
                out.extend(exports[export].bytes.to_be_bytes());
                out.extend(wire::TRANSMISSION_FLAGS.to_be_bytes());
                if flags & u32::from(wire::NO_ZEROES) == 0 {
                    out.extend([0; PADDING]);
                }
                chosen = Some(export);
            }
            option::INFO | option::GO => {
                chosen =
                    answer_info(&mut out, exports, option, &data).filter(|_| option == option::GO);
            }
            option::LIST if length == 0 => {
                for export in exports {
                    let name = export.name.as_bytes();
                    let mut data = (name.len() as u32).to_be_bytes().to_vec();
                    data.extend(name);
                    wire::put_option_reply(&mut out, option, reply::SERVER, &data);
                }
                wire::put_option_reply(&mut out, option, reply::ACK, &[]);
            }
            option::LIST => wire::put_option_reply(&mut out, option, reply::ERR_INVALID, &[]),
            option::ABORT => {
                wire::put_option_reply(&mut out, option, reply::ACK, &[]);
                send(stream, &mut out).await?;
                return Err(End::Closed);
            }
            _ => wire::put_option_reply(&mut out, option, reply::ERR_UNSUP, &[]),
        }
        send(stream, &mut out).await?;
        if let Some(export) = chosen {
            return Ok(export);
        }
    }
}

/// Answers `NBD_OPT_INFO` and `NBD_OPT_GO`. Returns the index of the export if there is
/// one of that name.
fn answer_info(out: &mut Vec<u8>, exports: &[Export], option: u32, data: &[u8]) -> Option<usize> {
    let Some(name) = wire::requested_name(data) else {
        wire::put_option_reply(out, option, reply::ERR_INVALID, &[]);
        return None;
    };
    let Some(export) = find(exports, name) else {
        wire::put_option_reply(out, option, reply::ERR_UNKNOWN, &[]);
        return None;
    };
    let mut about = info::EXPORT.to_be_bytes().to_vec();
    about.extend(exports[export].bytes.to_be_bytes());
    about.extend(wire::TRANSMISSION_FLAGS.to_be_bytes());
    wire::put_option_reply(out, option, reply::INFO, &about);
    let mut about = info::BLOCK_SIZE.to_be_bytes().to_vec();
    about.extend(BLOCK_SIZES.iter().flat_map(|size| size.to_be_bytes()));
    wire::put_option_reply(out, option, reply::INFO, &about);
    wire::put_option_reply(out, option, reply::ACK, &[]);
    Some(export)
}

fn find(exports: &[Export], name: &[u8]) -> Option<usize> {
    exports
        .iter()
        .position(|export| export.name.as_bytes() == name)
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, out: &mut Vec<u8>) -> Result<(), End> {
    stream.write_all(out).await?;
    stream.flush().await?;
    out.clear();
    Ok(())
}

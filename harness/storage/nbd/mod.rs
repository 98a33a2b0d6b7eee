//! An NBD server whose disks are the harness's ledger.
//!
//! QEMU is its client, beneath blkdebug: what arrives here is what blkdebug let
//! through. Requests are carried out in the order in which they arrive, each
//! in one step, so that the journal's order is the truth. Fixed newstyle
//! handshake and simple replies; that is all that QEMU needs.

mod handshake;
mod wire;

use super::journal::{Ledger, Request};
use super::locked;
use rustix::io::Errno;
use std::io;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::UnixListener;
use tokio::task::JoinSet;
pub use wire::Violation;
use wire::{RequestHeader, command, flag};

/// A disk as clients see it; its index is the disk's in [`Ledger::media`].
#[derive(Clone, Debug)]
pub(super) struct Export {
    /// What clients call it.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    /// The client said goodbye, or is gone.
    #[error("the client closed the connection")]
    Closed,
    /// It broke the protocol.
    #[error(transparent)]
    Violation(#[from] Violation),
}

impl From<io::Error> for End {
    /// A local socket fails only because the other end is gone.
    fn from(_: io::Error) -> Self {
        End::Closed
    }
}

/// Most violations that are remembered.
const REMEMBERED: usize = 16;

/// Accepts connections for ever; how clients broke the protocol is added to
/// `violations`. Dropping the future ends all connections.
pub(super) async fn serve(
    listener: UnixListener,
    exports: Vec<Export>,
    ledger: Arc<Mutex<Ledger>>,
    violations: Arc<Mutex<Vec<Violation>>>,
) {
    let exports: Arc<[Export]> = exports.into();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, exports.clone(), ledger.clone()));
                }
                // Out of descriptors, or the client was gone at once: the next
                // one may fare better, but not in a busy loop.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
            },
            Some(ended) = connections.join_next() => {
                if let Ok(End::Violation(violation)) = ended {
                    let mut violations = locked(&violations);
                    if violations.len() < REMEMBERED {
                        violations.push(violation);
                    }
                }
            }
        }
    }
}

/// A connection from its greeting to its end.
async fn converse<S>(mut stream: S, exports: Arc<[Export]>, ledger: Arc<Mutex<Ledger>>) -> End
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let outcome = match handshake::shake_hands(&mut stream, &exports).await {
        Ok(export) => transmit(stream, export, &ledger).await,
        Err(end) => Err(end),
    };
    match outcome {
        Ok(never) => match never {},
        Err(end) => end,
    }
}

/// A reply's buffer is kept from request to request up to this size.
const KEPT: usize = 1 << 20;

/// Serves requests until the connection ends.
async fn transmit<S>(
    stream: S,
    export: usize,
    ledger: &Mutex<Ledger>,
) -> Result<std::convert::Infallible, End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = BufReader::with_capacity(64 << 10, stream);
    let mut data = Vec::new();
    loop {
        let mut header = [0; RequestHeader::BYTES];
        stream.read_exact(&mut header).await?;
        let header = RequestHeader::parse(&header)?;
        // The reply's head and its data go out in one write.
        data.clear();
        data.resize(wire::REPLY_BYTES, 0);
        if matches!(header.command, command::READ | command::WRITE) {
            data.resize(wire::REPLY_BYTES + header.length as usize, 0);
        }
        let body = &mut data[wire::REPLY_BYTES..];
        if header.command == command::WRITE {
            stream.read_exact(body).await?;
        }
        let length = u64::from(header.length);
        let request = match header.command {
            command::READ => Some(Request::Read(body)),
            command::WRITE => Some(Request::Write(body)),
            command::FLUSH => Some(Request::Flush),
            command::TRIM => Some(Request::Discard(length)),
            command::WRITE_ZEROES => Some(Request::WriteZeroes(length)),
            command::DISCONNECT => return Err(End::Closed),
            _ => None,
        };
        let result = match request {
            Some(request) => {
                let mut ledger = locked(ledger);
                let done = ledger.execute(export, header.offset, request);
                // Forced onto the medium: as good as a flush behind it.
                match done {
                    Ok(()) if header.flags & flag::FUA != 0 => {
                        ledger.execute(export, header.offset, Request::Flush)
                    }
                    done => done,
                }
            }
            None => Err(Errno::INVAL),
        };
        if header.command != command::READ || result.is_err() {
            data.truncate(wire::REPLY_BYTES);
        }
        let errno = result.err().map_or(0, |errno| errno.raw_os_error() as u32);
        data[..wire::REPLY_BYTES].copy_from_slice(&wire::reply_head(errno, header.cookie));
        stream.write_all(&data).await?;
        stream.flush().await?;
        if data.capacity() > KEPT {
            data = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests;

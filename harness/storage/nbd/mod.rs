//! An NBD server whose disks are the harness's ledger.
//!
//! Its client is QEMU, beneath blkdebug: only what blkdebug let through arrives here.
//! Requests are executed in the order in which they arrive, each in one step, so the
//! journal has their true order. The server speaks the fixed newstyle handshake and
//! simple replies; QEMU needs no more.

mod handshake;
mod wire;

use super::journal::{Ledger, MediumRequest};
use super::locked;
use rustix::io::Errno;
use std::io;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::UnixListener;
use tokio::task::JoinSet;
pub use wire::Violation;
use wire::{RequestHeader, command, flag};

/// A disk as clients see it. Its index is that of the disk in [`Ledger::media`].
#[derive(Clone, Debug)]
pub(super) struct Export {
    /// The name by which clients choose it.
    pub name: String,
    /// The size of the disk, in bytes.
    pub bytes: u64,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    /// The client disconnected, or its process ended.
    #[error("the client closed the connection")]
    Closed,
    /// The client broke the protocol.
    #[error(transparent)]
    Violation(#[from] Violation),
}

impl From<io::Error> for End {
    /// A local socket fails only because the other end has closed it.
    fn from(_: io::Error) -> Self {
        End::Closed
    }
}

/// How many protocol violations are kept.
const REMEMBERED: usize = 16;

/// Accepts connections without end. Protocol violations of clients are added to
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
                // There are no free descriptors, or the client has already gone. The next
                // client may succeed, but a pause avoids a busy loop.
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

/// Serves a connection from its greeting to its end.
async fn converse<S>(mut stream: S, exports: Arc<[Export]>, ledger: Arc<Mutex<Ledger>>) -> End
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let outcome = match handshake::shake_hands(&mut stream, &exports).await {
        Ok(export) => transmit(stream, export, ledger).await,
        Err(end) => Err(end),
    };
    match outcome {
        Ok(never) => match never {},
        Err(end) => end,
    }
}

/// A reply's buffer is reused for the next request up to this size, in bytes.
const KEPT: usize = 1 << 20;

/// Serves requests until the connection ends. A held request is answered when it is
/// released; later requests overtake it.
async fn transmit<S>(
    stream: S,
    export: usize,
    ledger: Arc<Mutex<Ledger>>,
) -> Result<std::convert::Infallible, End>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (read, write) = tokio::io::split(stream);
    let mut stream = BufReader::with_capacity(64 << 10, read);
    let replies = Arc::new(tokio::sync::Mutex::new(write));
    let mut data = Vec::new();
    loop {
        let mut header = [0; RequestHeader::BYTES];
        stream.read_exact(&mut header).await?;
        let header = RequestHeader::parse(&header)?;
        // The head of the reply and its data go out in one write.
        data.clear();
        data.resize(wire::REPLY_BYTES, 0);
        if matches!(header.command, command::READ | command::WRITE) {
            data.resize(wire::REPLY_BYTES + header.length as usize, 0);
        }
        if header.command == command::WRITE {
            stream.read_exact(&mut data[wire::REPLY_BYTES..]).await?;
        }
        if header.command == command::DISCONNECT {
            return Err(End::Closed);
        }
        let waits = request(&header, &mut data[wire::REPLY_BYTES..])
            .and_then(|request| locked(&ledger).stops(export, header.offset, &request));
        if let Some(released) = waits {
            let mut data = std::mem::take(&mut data);
            let (ledger, replies) = (ledger.clone(), replies.clone());
            tokio::spawn(async move {
                // If the ledger is reset meanwhile, the sender is dropped: the request
                // then ends without an error.
                let errno = released.await.unwrap_or(None);
                carry_out(&header, export, &mut data, &ledger, errno);
                // If the client has gone, the connection ends by itself.
                let _ = reply(&replies, &data).await;
            });
            continue;
        }
        carry_out(&header, export, &mut data, &ledger, None);
        reply(&replies, &data).await?;
        if data.capacity() > KEPT {
            data = Vec::new();
        }
    }
}

/// The request of this head, with `body` as its data. `None` if there is no such command.
fn request<'a>(header: &RequestHeader, body: &'a mut [u8]) -> Option<MediumRequest<'a>> {
    let length = u64::from(header.length);
    match header.command {
        command::READ => Some(MediumRequest::Read(body)),
        command::WRITE => Some(MediumRequest::Write(body)),
        command::FLUSH => Some(MediumRequest::Flush),
        command::TRIM => Some(MediumRequest::Discard(length)),
        command::WRITE_ZEROES => Some(MediumRequest::WriteZeroes(length)),
        _ => None,
    }
}

/// Executes a request, or fails it with `errno`, and builds the reply in place of its
/// data.
fn carry_out(
    header: &RequestHeader,
    export: usize,
    data: &mut Vec<u8>,
    ledger: &Mutex<Ledger>,
    errno: Option<Errno>,
) {
    let result = match request(header, &mut data[wire::REPLY_BYTES..]) {
        Some(request) => {
            let mut ledger = locked(ledger);
            let done = ledger.execute_or(export, header.offset, request, errno);
            // FUA: the write must be on the medium. A flush after it does the same.
            match done {
                Ok(()) if header.flags & flag::FUA != 0 => {
                    ledger.execute(export, header.offset, MediumRequest::Flush)
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
}

async fn reply<W: AsyncWrite + Unpin>(
    replies: &tokio::sync::Mutex<W>,
    data: &[u8],
) -> io::Result<()> {
    let mut replies = replies.lock().await;
    replies.write_all(data).await?;
    replies.flush().await
}

#[cfg(test)]
mod tests;

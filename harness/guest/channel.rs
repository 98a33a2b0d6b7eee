//! Frames on a machine's port for a session.

use halfway_protocol::session::{Frame, Frames, Message};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

/// The host's end of a session.
#[derive(Debug)]
pub struct Channel {
    /// What comes from the guest.
    pub reader: Reader,
    /// What goes to it.
    pub writer: Writer,
}

impl Channel {
    /// On the stream of [`Booted::shell`](super::boot::Booted::shell).
    pub fn new(stream: UnixStream) -> Self {
        let (read, write) = stream.into_split();
        Channel {
            reader: Reader {
                stream: read,
                frames: Frames::default(),
            },
            writer: Writer(write),
        }
    }
}

/// What comes from the guest.
#[derive(Debug)]
pub struct Reader {
    stream: OwnedReadHalf,
    frames: Frames,
}

impl Reader {
    /// The next frame; `None`: QEMU is gone. Nothing is lost where the future is
    /// dropped.
    ///
    /// # Errors
    /// Something else is talking.
    pub async fn next(&mut self) -> io::Result<Option<Frame>> {
        let mut chunk = [0; 16 << 10];
        loop {
            if let Some(frame) = self.frames.take().map_err(io::Error::other)? {
                return Ok(Some(frame));
            }
            match self.stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return Ok(None),
                Ok(count) => self.frames.push(&chunk[..count]),
            }
        }
    }
}

/// What goes to the guest.
#[derive(Debug)]
pub struct Writer(OwnedWriteHalf);

impl Writer {
    /// Sends a frame.
    ///
    /// # Errors
    /// QEMU is gone.
    pub async fn send(&mut self, frame: &Frame) -> io::Result<()> {
        self.0.write_all(&frame.encode()).await
    }

    /// Sends a message.
    ///
    /// # Errors
    /// QEMU is gone.
    pub async fn say(&mut self, message: Message) -> io::Result<()> {
        self.send(&Frame::Message(message)).await
    }
}

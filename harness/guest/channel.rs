//! Sends and receives a session's frames on a machine's port.

use halfway_protocol::session::{Frame, Frames, Message};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

/// The host's end of a session.
#[derive(Debug)]
pub struct Channel {
    /// The frames from the guest.
    pub reader: Reader,
    /// The frames to the guest.
    pub writer: Writer,
}

impl Channel {
    /// Uses the stream of [`crate::runner::Station::shell`].
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

/// Reads the frames from the guest.
#[derive(Debug)]
pub struct Reader {
    stream: OwnedReadHalf,
    frames: Frames,
}

impl Reader {
    /// The next frame, or `None` if QEMU has ended. Cancel safe: no data are lost if the
    /// future is dropped.
    ///
    /// # Errors
    /// The bytes are not frames of a session.
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

/// Writes the frames to the guest.
#[derive(Debug)]
pub struct Writer(OwnedWriteHalf);

impl Writer {
    /// Sends a frame.
    ///
    /// # Errors
    /// QEMU has ended.
    pub async fn send(&mut self, frame: &Frame) -> io::Result<()> {
        self.0.write_all(&frame.encode()).await
    }

    /// Sends a message.
    ///
    /// # Errors
    /// QEMU has ended.
    pub async fn say(&mut self, message: Message) -> io::Result<()> {
        self.send(&Frame::Message(message)).await
    }
}

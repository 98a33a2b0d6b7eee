//! A client for an NBD server, with one request at a time and nothing more.
//!
//! No existing crate is suitable: `nbd` has no FUA, no write-zeroes and no
//! errno of a failure, and libnbd's bindings need a C library. The protocol is
//! doc/proto.md of NetworkBlockDevice/nbd. The client uses its fixed newstyle
//! handshake and simple replies, which carry the errno that the target needs.

pub mod protocol;
mod wire;

use crate::scsi::transfer::{Storage, StorageError};
use protocol::{command, flag, option, reply, transmission};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a server may take to answer before it counts as lost. Faults answer
/// at once; on a busy host an honest request may take seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why there is no connection to an export.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The socket could not be connected, read or written.
    #[error("cannot talk to the NBD server at {}; is the storage daemon running?", .path.display())]
    Socket {
        /// Path of the server's socket.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        source: io::Error,
    },
    /// It is no NBD server, or one that lacks what this client needs.
    #[error("the server at {} does not speak NBD as we do: {why}", .path.display())]
    Protocol {
        /// Path of the server's socket.
        path: PathBuf,
        /// What was wrong, in words.
        why: String,
    },
    /// The server does not have the export.
    #[error("the NBD server at {} has no export {export:?}: {why}", .path.display())]
    Export {
        /// Path of the server's socket.
        path: PathBuf,
        /// Name of the export that was asked for.
        export: String,
        /// The server's message.
        why: String,
    },
}

/// Interrupts a [`Client`] that waits, from another thread.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<Mutex<Interrupted>>);

#[derive(Debug, Default)]
struct Interrupted {
    stream: Option<UnixStream>,
    for_good: bool,
}

impl Interrupt {
    /// Makes the request under way fail, and all later ones.
    pub fn interrupt(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.for_good = true;
        if let Some(stream) = state.stream.take() {
            // The stream may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn watch(&self, stream: &UnixStream) -> io::Result<()> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.for_good {
            return Err(io::ErrorKind::Interrupted.into());
        }
        state.stream = Some(stream.try_clone()?);
        Ok(())
    }
}

/// A client of one export. If the connection breaks, the request under way
/// fails, and the next one connects again.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    export: String,
    size: u64,
    connection: Option<Connection>,
    interrupt: Interrupt,
}

impl Client {
    /// Connects to `export` of the server that listens on `path`.
    pub fn connect(path: &Path, export: &str, interrupt: Interrupt) -> Result<Self, ConnectError> {
        let (connection, size) = Connection::open(path, export, &interrupt)?;
        Ok(Client {
            path: path.to_owned(),
            export: export.to_owned(),
            size,
            connection: Some(connection),
            interrupt,
        })
    }

    fn request(
        &mut self,
        command: u16,
        flags: u16,
        offset: u64,
        length: u32,
        payload: Payload<'_>,
    ) -> Result<(), StorageError> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                let (connection, size) =
                    Connection::open(&self.path, &self.export, &self.interrupt)
                        .map_err(io::Error::other)?;
                if size != self.size {
                    return Err(io::Error::other("the export has another size now").into());
                }
                none.insert(connection)
            }
        };
        match connection.request(command, flags, offset, length, payload) {
            Ok(0) => Ok(()),
            Ok(errno) => Err(StorageError::Refused(errno)),
            Err(error) => {
                self.connection = None;
                Err(error.into())
            }
        }
    }
}

impl Storage for Client {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&mut self, offset: u64, data: &mut [u8]) -> Result<(), StorageError> {
        let length = data.len() as u32;
        self.request(command::READ, 0, offset, length, Payload::In(data))
    }

    fn write(&mut self, offset: u64, data: &[u8], force: bool) -> Result<(), StorageError> {
        let flags = if force { flag::FUA } else { 0 };
        let length = data.len() as u32;
        self.request(command::WRITE, flags, offset, length, Payload::Out(data))
    }

    fn zero(&mut self, offset: u64, bytes: u32, deallocate: bool) -> Result<(), StorageError> {
        let flags = if deallocate { 0 } else { flag::NO_HOLE };
        self.request(command::WRITE_ZEROES, flags, offset, bytes, Payload::None)
    }

    fn trim(&mut self, offset: u64, bytes: u32) -> Result<(), StorageError> {
        self.request(command::TRIM, 0, offset, bytes, Payload::None)
    }

    fn flush(&mut self) -> Result<(), StorageError> {
        self.request(command::FLUSH, 0, 0, 0, Payload::None)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.connection {
            // A polite goodbye; the server may be gone.
            let _ = connection.send(command::DISCONNECT, 0, 0, 0, &[]);
        }
    }
}

enum Payload<'a> {
    None,
    In(&'a mut [u8]),
    Out(&'a [u8]),
}

#[derive(Debug)]
struct Connection {
    stream: UnixStream,
    transmission: u16,
    cookie: u64,
}

impl Connection {
    fn open(path: &Path, export: &str, interrupt: &Interrupt) -> Result<(Self, u64), ConnectError> {
        let socket = |source| ConnectError::Socket {
            path: path.to_owned(),
            source,
        };
        let stream = UnixStream::connect(path).map_err(socket)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(socket)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(socket)?;
        interrupt.watch(&stream).map_err(socket)?;
        let mut connection = Connection {
            stream,
            transmission: 0,
            cookie: 0,
        };
        let size = connection
            .handshake(export)
            .map_err(|refused| match refused {
                Refused::Io(source) => socket(source),
                Refused::Protocol(why) => ConnectError::Protocol {
                    path: path.to_owned(),
                    why,
                },
                Refused::Export(why) => ConnectError::Export {
                    path: path.to_owned(),
                    export: export.to_owned(),
                    why,
                },
            })?;
        Ok((connection, size))
    }

    /// The fixed newstyle handshake, then `NBD_OPT_GO`. Returns the size of the
    /// export in bytes.
    fn handshake(&mut self, export: &str) -> Result<u64, Refused> {
        let magic = self.take::<16>()?;
        if protocol::u64_at(&magic, 0) != protocol::MAGIC
            || protocol::u64_at(&magic, 8) != protocol::OPTION_MAGIC
        {
            return Err(Refused::Protocol("it greets otherwise".to_owned()));
        }
        let flags = u16::from_be_bytes(self.take()?);
        if flags & protocol::FIXED_NEWSTYLE == 0 {
            return Err(Refused::Protocol("its handshake is an old one".to_owned()));
        }
        let flags = flags & (protocol::FIXED_NEWSTYLE | protocol::NO_ZEROES);
        self.stream.write_all(&u32::from(flags).to_be_bytes())?;

        let mut data = (export.len() as u32).to_be_bytes().to_vec();
        data.extend(export.as_bytes());
        data.extend([0, 0]); // no information asked for but what must come
        self.stream
            .write_all(&wire::option_request(option::GO, &data))?;

        let mut size = None;
        loop {
            let header = wire::OptionReply::parse(&self.take()?)
                .filter(|header| header.option == option::GO)
                .ok_or_else(|| Refused::Protocol("its reply is none to our option".to_owned()))?;
            let mut data = vec![0; header.length as usize];
            self.stream.read_exact(&mut data)?;
            match header.kind {
                reply::ACK => break,
                reply::INFO => {
                    if let Some((bytes, flags)) = wire::export_information(&data) {
                        size = Some(bytes);
                        self.transmission = flags;
                    }
                }
                kind if kind >> 31 == 1 => {
                    let text = String::from_utf8_lossy(&data).into_owned();
                    return Err(Refused::Export(match text.is_empty() {
                        true => format!("error {}", kind & !(1 << 31)),
                        false => text,
                    }));
                }
                // Information that was not asked for.
                _ => {}
            }
        }
        size.ok_or_else(|| Refused::Protocol("it does not tell the export's size".to_owned()))
    }

    /// Sends a request and returns the errno of its reply, 0 for success.
    fn request(
        &mut self,
        command: u16,
        flags: u16,
        offset: u64,
        length: u32,
        payload: Payload<'_>,
    ) -> io::Result<u32> {
        let cannot = |bit| self.transmission & bit == 0;
        match command {
            // A server without a cache has nothing to flush.
            command::FLUSH if cannot(transmission::SEND_FLUSH) => return Ok(0),
            // A trim is only advice.
            command::TRIM if cannot(transmission::SEND_TRIM) => return Ok(0),
            command::WRITE_ZEROES if cannot(transmission::SEND_WRITE_ZEROES) => {
                return Ok(halfway_scsi::report::errno::ENOTSUP);
            }
            _ => {}
        }
        let out = match &payload {
            Payload::Out(data) => data,
            _ => &[][..],
        };
        // FUA is a flag of the command. If the server cannot do that, a flush
        // follows the write.
        let by_flush = flags & flag::FUA != 0 && cannot(transmission::SEND_FUA);
        let flags = if by_flush { flags & !flag::FUA } else { flags };
        self.send(command, flags, offset, length, out)?;
        let errno = self.answer()?;
        if errno == 0
            && let Payload::In(data) = payload
        {
            self.stream.read_exact(data)?;
        }
        if errno == 0 && by_flush {
            return self.request(command::FLUSH, 0, 0, 0, Payload::None);
        }
        Ok(errno)
    }

    fn send(
        &mut self,
        command: u16,
        flags: u16,
        offset: u64,
        length: u32,
        data: &[u8],
    ) -> io::Result<()> {
        self.cookie = self.cookie.wrapping_add(1);
        let header = wire::request(command, flags, self.cookie, offset, length);
        self.stream.write_all(&header)?;
        self.stream.write_all(data)
    }

    fn answer(&mut self) -> io::Result<u32> {
        let (errno, cookie) = wire::simple_reply(&self.take()?)
            .ok_or_else(|| io::Error::other("the NBD server's reply is none"))?;
        if cookie != self.cookie {
            return Err(io::Error::other("the NBD server answers another request"));
        }
        Ok(errno)
    }

    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

/// Why a handshake failed.
enum Refused {
    Io(io::Error),
    Protocol(String),
    Export(String),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Refused::Io(error)
    }
}

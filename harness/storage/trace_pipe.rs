//! The FIFO through which QEMU's trace log arrives.
//!
//! QEMU flushes the log after each line, and writes the lines of a request before the
//! guest sees its completion. So once the guest has reported the end of its I/O, reading
//! until the FIFO is empty gets every line about it.

use super::account::Account;
use super::locked;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::net::unix::pipe;

/// How many bytes the FIFO should hold. QEMU waits while it is full.
const CAPACITY: usize = 1 << 20;

/// The longest line in bytes. QEMU writes none that is longer.
const LONGEST_LINE: usize = 64 << 10;

/// The reading end of the FIFO, and the journal that its lines go to.
#[derive(Debug)]
pub struct TracePipe {
    fifo: OwnedFd,
    /// The beginning of a line whose end has not arrived yet.
    partial: Vec<u8>,
    /// The journal made from the lines.
    pub log: Account,
}

impl TracePipe {
    /// Makes the FIFO at `path` and opens it for reading, without blocking. The lines
    /// that arrive go to `log`.
    pub fn create(path: &Path, log: Account) -> io::Result<Self> {
        let mode = Mode::RUSR | Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0)?;
        // Open it for writing too. Then it reports no end of file before QEMU has opened
        // it, and QEMU does not wait for a reader.
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fifo = rustix::fs::open(path, flags, Mode::empty())?;
        // Sizes above /proc/sys/fs/pipe-max-size are refused. The default size works too,
        // but is slower.
        let _ = rustix::pipe::fcntl_setpipe_size(&fifo, CAPACITY);
        Ok(TracePipe {
            fifo,
            partial: Vec::new(),
            log,
        })
    }

    /// Another descriptor of the same FIFO, for [`keep_reading`].
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        self.fifo.try_clone()
    }

    /// Reads everything that is there, whether or not the runtime has been notified of
    /// it.
    pub fn drain(&mut self) -> io::Result<()> {
        let mut buffer = [0; 64 << 10];
        loop {
            match rustix::io::read(&self.fifo, &mut buffer) {
                Ok(0) | Err(Errno::AGAIN) => return Ok(()),
                Ok(count) => self.take_in(&buffer[..count]),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    fn take_in(&mut self, mut bytes: &[u8]) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.partial.extend(&bytes[..end]);
            self.log.line(&String::from_utf8_lossy(&self.partial));
            self.partial.clear();
            bytes = &bytes[end + 1..];
        }
        if self.partial.len() + bytes.len() <= LONGEST_LINE {
            self.partial.extend(bytes);
        }
    }
}

/// Keeps the FIFO from filling up, which would make QEMU wait.
pub async fn keep_reading(receiver: pipe::Receiver, trace: Arc<Mutex<TracePipe>>) {
    let mut buffer = vec![0; 64 << 10];
    while receiver.readable().await.is_ok() {
        // Hold the lock from reading to parsing, so that lines cannot overtake each
        // other.
        let mut trace = locked(&trace);
        match receiver.try_read(&mut buffer) {
            Ok(count) => trace.take_in(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // The same error occurs again, and is reported, when the journal is
            // collected.
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfway_case::Controller;
    use halfway_case::observation::Member;
    use std::fs::{File, OpenOptions};
    use std::io::Write;

    const NAMING: &str = "blk_co_preadv blk 0xb1 bs 0x5 offset 0 bytes 512 flags 0x0\n";
    const REQUEST: &str = "virtio_blk_handle_read vdev 0x1 req 0xa sector 8 nsectors 8\n\
        blk_co_preadv blk 0xb1 bs 0x5 offset 4096 bytes 4096 flags 0x8\n\
        virtio_blk_req_complete vdev 0x1 req 0xa status 0\n";

    /// The FIFO, with one disk identified, and QEMU's end of it.
    fn pipe(dir: &Path) -> (TracePipe, File) {
        let path = dir.join("fifo");
        let mut pipe = TracePipe::create(&path, Account::new(Controller::VirtioBlk)).unwrap();
        let mut qemu = OpenOptions::new().write(true).open(&path).unwrap();
        pipe.log.watch_host();
        qemu.write_all(NAMING.as_bytes()).unwrap();
        pipe.drain().unwrap();
        assert!(pipe.log.identify(Member::Log, 0, 512));
        (pipe, qemu)
    }

    #[test]
    fn a_line_may_come_in_pieces_and_what_is_no_line_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let (mut pipe, mut qemu) = pipe(dir.path());
        let noise = "?".repeat(LONGEST_LINE + 10) + "\n";
        for piece in (noise + REQUEST).as_bytes().chunks(1000) {
            qemu.write_all(piece).unwrap();
            pipe.drain().unwrap();
        }
        assert_eq!(pipe.log.take(|_| None).unwrap().len(), 1);
        assert!(pipe.partial.is_empty());
    }

    /// A writer to a full FIFO blocks unless it is read meanwhile, and nobody collects
    /// here.
    #[test]
    fn it_never_fills_up() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let dir = tempfile::tempdir().unwrap();
        let count = 2 * CAPACITY / REQUEST.len();
        let entries = runtime.block_on(async {
            let (pipe, mut qemu) = pipe(dir.path());
            let receiver = pipe::Receiver::from_owned_fd(pipe.descriptor().unwrap()).unwrap();
            let trace = Arc::new(Mutex::new(pipe));
            let reader = tokio::spawn(keep_reading(receiver, trace.clone()));
            let writer = tokio::task::spawn_blocking(move || {
                for _ in 0..count {
                    qemu.write_all(REQUEST.as_bytes()).unwrap();
                }
            });
            writer.await.unwrap();
            reader.abort();
            let mut trace = locked(&trace);
            trace.drain().unwrap();
            trace.log.take(|_| None).unwrap()
        });
        assert_eq!(entries.len(), count);
        assert!(entries.iter().all(|entry| entry.result == Some(0)));
    }
}

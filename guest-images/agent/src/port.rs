//! A virtio-serial port, found by its name, that carries one JSON value per line.

use crate::refuse::{Refuse, refusal};
use crate::sysfs;
use halfway_protocol::message::Refusal;
use serde::Serialize;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

/// The longest line that is accepted, in bytes. Whoever sends more is not the harness.
const LONGEST: u64 = 16 << 20;

/// How long to wait before checking again whether the host has connected. A read from an
/// unconnected port returns nothing at once.
pub const UNCONNECTED: Duration = Duration::from_millis(10);

/// Waits for the device node of the port with that name.
///
/// # Errors
/// There is no such port within `patience`.
pub fn find(name: &str, patience: Duration) -> Result<PathBuf, Refusal> {
    let end = Instant::now() + patience;
    loop {
        let ports = fs::read_dir("/sys/class/virtio-ports")
            .into_iter()
            .flatten();
        for port in ports.flatten() {
            if sysfs::read(port.path().join("name")).is_ok_and(|found| found == name) {
                return Ok(PathBuf::from("/dev").join(port.file_name()));
            }
        }
        if Instant::now() > end {
            return Err(refusal(
                format!("looking for the virtio-serial port {name}"),
                "the kernel shows no such port: is virtio_console loaded, and is the port on \
                 QEMU's command line?",
            ));
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// A port that carries one value per line.
pub struct Port {
    reader: BufReader<File>,
    writer: File,
    line: Vec<u8>,
    out: Vec<u8>,
}

impl Port {
    /// Finds and opens the port with that name.
    ///
    /// # Errors
    /// There is no such port within `patience`, or the kernel refuses to open it.
    pub fn open(name: &str, patience: Duration) -> Result<Self, Refusal> {
        let path = find(name, patience)?;
        let doing = || format!("opening {}", path.display());
        let writer = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .refuse(doing)?;
        let reader = BufReader::with_capacity(64 << 10, writer.try_clone().refuse(doing)?);
        Ok(Self {
            reader,
            writer,
            line: Vec::new(),
            out: Vec::new(),
        })
    }

    /// The next line, without its line break. A line that the host left unfinished when
    /// it disconnected is dropped. `None` if the device has gone.
    pub fn next_line(&mut self) -> Option<&[u8]> {
        self.line.clear();
        loop {
            let left = LONGEST - self.line.len() as u64;
            match (&mut self.reader)
                .take(left)
                .read_until(b'\n', &mut self.line)
            {
                Ok(_) if self.line.ends_with(b"\n") => {
                    self.line.pop();
                    return Some(&self.line);
                }
                Ok(_) if self.line.len() as u64 >= LONGEST => return Some(&self.line),
                Ok(_) => {
                    self.line.clear();
                    thread::sleep(UNCONNECTED);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
    }

    /// Sends a value. Blocks while no host is connected.
    pub fn send<T: Serialize>(&mut self, value: &T) {
        self.out.clear();
        if let Err(error) = serde_json::to_writer(&mut self.out, value) {
            eprintln!("halfway-agent: writing an answer: {error}");
            return;
        }
        self.out.push(b'\n');
        if let Err(error) = self.writer.write_all(&self.out) {
            eprintln!("halfway-agent: sending an answer: {error}");
        }
    }
}

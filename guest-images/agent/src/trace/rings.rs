//! The ring buffers of a tracing instance: a switch for all, and a file for each CPU.

use super::format::Format;
use super::ring::{self, PageLayout};
use crate::refuse::{Refuse, refusal};
use crate::sysfs;
use halfway_protocol::message::Refusal;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Where tracefs is mounted.
pub const ROOT: &str = "/sys/kernel/tracing";

/// The trace clock. It is the clock of the kernel's log, made consistent between CPUs, so
/// that events and messages can be put into one order.
const CLOCK: &str = "global";

/// The open rings of an instance. The kernel fills them only between [`Rings::start`] and
/// [`Rings::stop`].
pub struct Rings {
    root: PathBuf,
    switch: File,
    rings: Vec<File>,
    layout: PageLayout,
    page: Vec<u8>,
}

impl Rings {
    /// Opens the rings of the instance in `root`, switched off, with `kib` KiB for each
    /// CPU.
    ///
    /// # Errors
    /// The kernel has no tracefs, or not the expected one.
    pub fn open(root: &Path, kib: u32) -> Result<Self, Refusal> {
        let write = |name: &str, text: &str| {
            let path = root.join(name);
            sysfs::write(&path, text).refuse(|| format!("writing {text:?} to {}", path.display()))
        };
        write("tracing_on", "0")?;
        write("trace_clock", CLOCK)?;
        write("buffer_size_kb", &kib.to_string())?;
        let header = Path::new(ROOT).join("events/header_page");
        let layout = PageLayout::new(&format(&header)?).ok_or_else(|| {
            refusal(
                format!("reading {}", header.display()),
                "it does not say where the data begins",
            )
        })?;
        let switch = root.join("tracing_on");
        Ok(Self {
            switch: OpenOptions::new()
                .write(true)
                .open(&switch)
                .refuse(|| format!("opening {}", switch.display()))?,
            rings: rings(root)?,
            page: vec![0; layout.size],
            layout,
            root: root.to_owned(),
        })
    }

    /// Empties the rings and switches them on.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn start(&mut self) -> Result<(), Refusal> {
        self.switch("0")?;
        self.drain(|_| ())?;
        self.switch("1")
    }

    /// Switches the rings off, and passes each filled page to `each`, CPU by CPU.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn stop(&mut self, each: impl FnMut(ring::Page)) -> Result<(), Refusal> {
        self.switch("0")?;
        self.drain(each)
    }

    fn switch(&mut self, to: &str) -> Result<(), Refusal> {
        self.switch
            .write_all(to.as_bytes())
            .refuse(|| format!("writing {to} to {}/tracing_on", self.root.display()))
    }

    fn drain(&mut self, mut each: impl FnMut(ring::Page)) -> Result<(), Refusal> {
        for ring in &mut self.rings {
            loop {
                match ring.read(&mut self.page) {
                    Ok(0) => break,
                    Ok(length) => each(ring::page(&self.page[..length], &self.layout)),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error).refuse(|| "reading the trace".into()),
                }
            }
        }
        Ok(())
    }
}

/// Reads a format file.
///
/// # Errors
/// It does not exist.
pub fn format(path: &Path) -> Result<Format, Refusal> {
    sysfs::text(path)
        .map(|text| Format::parse(&text))
        .refuse(|| format!("reading {}", path.display()))
}

/// The ring of each CPU, as a file. A read takes pages out of it.
fn rings(root: &Path) -> Result<Vec<File>, Refusal> {
    let doing = || format!("opening the rings below {}/per_cpu", root.display());
    let mut rings = Vec::new();
    for cpu in fs::read_dir(root.join("per_cpu")).refuse(doing)? {
        let ring = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(cpu.refuse(doing)?.path().join("trace_pipe_raw"))
            .refuse(doing)?;
        rings.push(ring);
    }
    Ok(rings)
}

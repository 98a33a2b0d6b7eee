//! The control device of device-mapper, and what can be done to dm devices through it.

use super::abi::{Buffer, DmCommand, NOFLUSH, SUSPEND, TABLE};
use crate::kmsg::Kmsg;
use crate::refuse::{Refuse, refusal};
use halfway_protocol::message::{DmStatus, Refusal, Target};
use halfway_protocol::trace::Dev;
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

const NODE: &str = "/dev/mapper/control";

/// How long a device may stay busy after its last user has closed it. A kernel worker may
/// drop the last reference to an open file (`fput`).
const BUSY: Duration = Duration::from_millis(500);

/// The open control device.
pub struct Control {
    device: File,
    /// A reader of the kernel log with a position of its own. Device-mapper gives its
    /// reasons only there.
    reasons: Kmsg,
}

impl Control {
    /// Opens the control device. Makes its node if devtmpfs has not.
    ///
    /// # Errors
    /// The kernel has no device-mapper.
    pub fn open() -> Result<Self, Refusal> {
        if !fs::exists(NODE).unwrap_or(false) {
            make_node()?;
        }
        let device = OpenOptions::new()
            .read(true)
            .write(true)
            .open(NODE)
            .refuse(|| format!("opening {NODE}"))?;
        Ok(Self {
            device,
            reasons: Kmsg::open()?,
        })
    }

    /// Creates a device with that table and resumes it.
    ///
    /// # Errors
    /// The kernel refuses a step. What was made before is removed.
    pub fn create(&mut self, name: &str, table: &[Target]) -> Result<Dev, Refusal> {
        self.call(DmCommand::Create, Buffer::new(name, 0), || {
            format!("creating {name}")
        })?;
        self.load(name, table)
            .and_then(|()| self.resume(name))
            .inspect_err(|_| {
                // Only the first error is reported.
                let _ = self.remove(name);
            })
    }

    /// Loads a table into the inactive slot.
    ///
    /// # Errors
    /// The kernel refuses the table. Its log says why.
    pub fn load(&mut self, name: &str, table: &[Target]) -> Result<(), Refusal> {
        let buffer = Buffer::new(name, 0).and_then(|buffer| buffer.with_table(table));
        self.call(DmCommand::Load, buffer, || {
            format!("loading the table of {name}")
        })
        .map(drop)
    }

    /// Suspends a device.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn suspend(&mut self, name: &str, noflush: bool) -> Result<(), Refusal> {
        let flags = SUSPEND | if noflush { NOFLUSH } else { 0 };
        self.call(DmCommand::Suspend, Buffer::new(name, flags), || {
            format!("suspending {name}")
        })
        .map(drop)
    }

    /// Resumes a device, and returns its number.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn resume(&mut self, name: &str) -> Result<Dev, Refusal> {
        self.call(DmCommand::Suspend, Buffer::new(name, 0), || {
            format!("resuming {name}")
        })
        .map(|answer| answer.dev())
    }

    /// Sends a message to the target at `sector`.
    ///
    /// # Errors
    /// The target refuses it.
    pub fn message(&mut self, name: &str, sector: u64, message: &str) -> Result<(), Refusal> {
        let buffer = Buffer::new(name, 0).map(|buffer| buffer.with_message(sector, message));
        self.call(DmCommand::Message, buffer, || {
            format!("sending {message:?} to {name}")
        })
        .map(drop)
    }

    /// The status of each target. `DM_NOFLUSH_FLAG` is set so that targets that would
    /// commit first do not wait for I/O.
    ///
    /// # Errors
    /// There is no such device.
    pub fn status(&mut self, name: &str) -> Result<DmStatus, Refusal> {
        self.told(name, NOFLUSH)
    }

    /// Like [`Self::status`], but with the table of each target instead of its status.
    ///
    /// # Errors
    /// There is no such device.
    pub fn table(&mut self, name: &str) -> Result<DmStatus, Refusal> {
        self.told(name, TABLE)
    }

    fn told(&mut self, name: &str, flags: u32) -> Result<DmStatus, Refusal> {
        let mut room = 4 << 10;
        loop {
            let buffer = Buffer::new(name, flags).map(|buffer| buffer.with_room(room));
            let answer = self.call(DmCommand::TableStatus, buffer, || {
                format!("asking for the status of {name}")
            })?;
            if !answer.full() {
                return Ok(answer.status());
            }
            room *= 2;
        }
    }

    /// The number of the device with that name, or `None` if there is none.
    ///
    /// # Errors
    /// The kernel refuses to answer.
    pub fn find(&mut self, name: &str) -> Result<Option<Dev>, Refusal> {
        let found = self.call(DmCommand::DeviceStatus, Buffer::new(name, 0), || {
            format!("looking for the dm device {name}")
        });
        match found {
            Ok(answer) => Ok(Some(answer.dev())),
            Err(refusal) if refusal.errno == Some(libc::ENXIO) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// Removes a device.
    ///
    /// # Errors
    /// There is no such device, or it stays in use.
    pub fn remove(&mut self, name: &str) -> Result<(), Refusal> {
        let end = Instant::now() + BUSY;
        loop {
            let removed = self.call(DmCommand::Remove, Buffer::new(name, 0), || {
                format!("removing {name}")
            });
            match removed {
                Err(refusal) if refusal.errno == Some(libc::EBUSY) && Instant::now() < end => {
                    thread::sleep(Duration::from_millis(1));
                }
                other => return other.map(drop),
            }
        }
    }

    fn call(
        &mut self,
        command: DmCommand,
        buffer: Result<Buffer, super::abi::TooLong>,
        doing: impl Fn() -> String,
    ) -> Result<Buffer, Refusal> {
        let mut buffer = buffer.map_err(|error| refusal(doing(), error.0))?;
        self.reasons.forget()?;
        // SAFETY: the buffer begins with a `struct dm_ioctl` whose `data_size` is the
        // length of the whole buffer. The kernel reads and writes no further. The buffer
        // is not used elsewhere during the call.
        let result = unsafe {
            libc::ioctl(
                self.device.as_raw_fd(),
                command.request() as libc::Ioctl,
                buffer.as_mut_ptr(),
            )
        };
        if result >= 0 {
            return Ok(buffer);
        }
        let mut refused = Err(io::Error::last_os_error()).refuse(&doing);
        if let Err(refusal) = &mut refused {
            refusal.detail = self.reason();
        }
        refused
    }

    /// What device-mapper, and md beneath it, has logged since the call began.
    fn reason(&mut self) -> String {
        let log = self.reasons.take().unwrap_or_default();
        let said: Vec<_> = log
            .iter()
            .map(|message| message.text.as_str())
            .filter(|text| text.contains("device-mapper") || text.starts_with("md"))
            .collect();
        said.join("; ")
    }
}

/// Makes the control node from its number in `/proc/misc`, for a guest whose devtmpfs has
/// not made it.
fn make_node() -> Result<(), Refusal> {
    const MISC_MAJOR: u32 = 10;
    let misc = fs::read_to_string("/proc/misc").refuse(|| "reading /proc/misc".into())?;
    let minor = misc.lines().find_map(|line| {
        let (minor, name) = line.trim().split_once(' ')?;
        (name == "device-mapper").then(|| minor.parse().ok())?
    });
    let Some(minor) = minor else {
        return Err(refusal(
            "looking for device-mapper",
            "the kernel has none: is the module dm-mod loaded?",
        ));
    };
    let _ = fs::create_dir("/dev/mapper");
    mknodat(
        CWD,
        NODE,
        FileType::CharacterDevice,
        Mode::RUSR | Mode::WUSR,
        makedev(MISC_MAJOR, minor),
    )
    .refuse(|| format!("making {NODE}"))
}

//! Answers the calls of the harness.

use crate::disks::Disks;
use crate::dm::{self, Control};
use crate::io::Engine;
use crate::kmsg::Kmsg;
use crate::port::Port;
use crate::program::{self, Program};
use crate::refuse::{Refuse, refusal};
use crate::trace::{Reach, Tracer};
use crate::watch::Watcher;
use crate::{end, scsi, shell, sysfs};
use halfway_protocol::bio::BioTrace;
use halfway_protocol::io::IoRequest;
use halfway_protocol::message::{Answer, Call, Refusal, Reply, Request, Seen};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Component, Path};
use std::time::Duration;

/// The state that is kept from call to call. What needs a kernel feature is opened at its
/// first use, so that a kernel without the feature refuses only those calls.
#[derive(Default)]
pub struct Agent {
    disks: Disks,
    control: Option<Control>,
    tracer: Option<Tracer>,
    reach: Option<Reach>,
    kmsg: Option<Kmsg>,
    /// Another reader of the kernel log. It also gets what is logged between two cases.
    whole_log: Option<Kmsg>,
    watcher: Option<Result<Watcher, Refusal>>,
    /// Whether the current watch includes bios.
    watching_bios: bool,
    io: Engine,
    program: Program,
}

impl Agent {
    /// Answers calls until the port has gone.
    pub fn serve(&mut self, port: &mut Port) {
        while let Some(line) = port.next_line() {
            let answer = match serde_json::from_slice::<Call>(line) {
                Ok(call) => Answer {
                    id: call.id,
                    result: self.survive(call.request),
                },
                Err(error) => Answer {
                    id: 0,
                    result: Err(refusal("reading a line as a call", error.to_string())),
                },
            };
            port.send(&answer);
        }
    }

    /// Handles a request. A panic becomes a refusal, because the guest would end with its
    /// first process.
    fn survive(&mut self, request: Request) -> Result<Reply, Refusal> {
        catch_unwind(AssertUnwindSafe(|| self.handle(request)))
            .unwrap_or_else(|panic| Err(refusal("handling a call", told(&*panic))))
    }

    fn handle(&mut self, request: Request) -> Result<Reply, Refusal> {
        match request {
            Request::Disks => return self.disks.list().map(Reply::Disks),
            Request::DmCreate { name, table } => {
                let table = dm::resolve(table, &mut self.disks)?;
                let dev = self.control()?.create(&name, &table)?;
                sysfs::without_scheduler(&kernel_name(dev.1));
                return Ok(Reply::Created(dev, sysfs::limits(&kernel_name(dev.1))));
            }
            Request::DmFind { name } => {
                let Some(dev) = self.control()?.find(&name)? else {
                    let doing = format!("looking for the dm device {name}");
                    return Err(refusal(doing, "there is none"));
                };
                return Ok(Reply::Created(dev, sysfs::limits(&kernel_name(dev.1))));
            }
            Request::DmLoad { name, table } => {
                let table = dm::resolve(table, &mut self.disks)?;
                self.control()?.load(&name, &table)?;
            }
            Request::DmSuspend { name, noflush } => self.control()?.suspend(&name, noflush)?,
            Request::DmResume { name } => {
                self.control()?.resume(&name)?;
            }
            Request::DmMessage {
                name,
                sector,
                message,
            } => {
                let message = dm::numbered(&message, &mut self.disks)?;
                self.control()?.message(&name, sector, &message)?;
            }
            Request::DmStatus { name } => return self.control()?.status(&name).map(Reply::Status),
            Request::DmTable { name } => return self.control()?.table(&name).map(Reply::Status),
            Request::DmRemove { name } => self.control()?.remove(&name)?,
            Request::Attribute {
                device,
                attribute,
                value,
            } => {
                return self
                    .attribute(&device, &attribute, value.as_deref())
                    .map(Reply::Text);
            }
            Request::ScsiReset { disk, offline } => {
                scsi::reset(&self.block_device(&disk)?, offline)?;
            }
            Request::Watch { bios } => {
                self.kmsg()?.forget()?;
                self.watch_bios(bios);
                self.tracer()?.watch()?;
            }
            Request::Collect => {
                let (trace, lost) = self.tracer()?.collect()?;
                let log = self.kmsg()?.take()?;
                let bios = self.collect_bios();
                return Ok(Reply::Seen(Seen {
                    trace,
                    lost,
                    log,
                    bios,
                }));
            }
            Request::KernelLog => {
                let log = opened(&mut self.whole_log, Kmsg::from_boot)?;
                return log.take().map(Reply::Log);
            }
            Request::Reach { filters } => {
                opened(&mut self.reach, || Reach::open(&filters))?.start()?;
            }
            Request::Reached => {
                let Some(reach) = &mut self.reach else {
                    return Err(refusal("collecting functions", "none were recorded"));
                };
                let (functions, lost) = reach.collect()?;
                return Ok(Reply::Reached(functions, lost));
            }
            Request::IoStart(request) => self.start(request)?,
            Request::IoWait {
                deadline_ms,
                quiet_ms,
            } => {
                let deadline = Duration::from_millis(deadline_ms);
                let quiet = quiet_ms.map(Duration::from_millis);
                return self.io.wait(deadline, quiet).map(Reply::Io);
            }
            Request::Intervention { number } => self.io.intervention(number),
            Request::ProgramStart { device, argv, env } => {
                let device = format!("/dev/{}", self.block_device(&device)?);
                let argv: Vec<String> = argv
                    .iter()
                    .map(|word| word.replace("{}", &device))
                    .collect();
                self.program.start(&argv, &env)?;
            }
            Request::ProgramWait { deadline_ms } => {
                let deadline = Duration::from_millis(deadline_ms);
                return self.program.wait(deadline).map(Reply::Program);
            }
            Request::ProgramEnd => self.program.end()?,
            Request::WriteFile { path, text } => program::write_file(&path, &text)?,
            Request::Mount { device, filesystem } => {
                let device = format!("/dev/{}", self.block_device(&device)?);
                program::mount_at(&device, &filesystem)?;
            }
            Request::Unmount => program::unmount_it()?,
            Request::Sabotage { how } => match end::sabotage(how)? {},
            Request::Shell { port } => shell::run(&port)?,
            Request::PowerOff => match end::power_off()? {},
        }
        Ok(Reply::Done)
    }

    /// Begins or ends the watch of bios. An error is reported by [`Self::collect_bios`],
    /// so that everything else goes on without bios.
    fn watch_bios(&mut self, bios: Option<u32>) {
        self.watching_bios = bios.is_some();
        let changed = match (bios, &mut self.watcher) {
            (None, Some(Ok(watcher))) => watcher.silence(),
            (None, _) => Ok(()),
            (Some(entries), slot) => match slot.get_or_insert_with(Watcher::open) {
                Ok(watcher) => watcher.watch(entries),
                Err(_) => Ok(()),
            },
        };
        if let Err(refusal) = changed {
            self.watcher = Some(Err(refusal));
        }
    }

    fn collect_bios(&mut self) -> Option<Result<BioTrace, Refusal>> {
        let watcher = self.watcher.as_mut().filter(|_| self.watching_bios)?;
        Some(match watcher {
            Ok(watcher) => watcher.collect(),
            Err(refusal) => Err(refusal.clone()),
        })
    }

    fn start(&mut self, request: IoRequest) -> Result<(), Refusal> {
        let name = self.block_device(&request.device)?;
        self.io.start(request, &format!("/dev/{name}"))
    }

    fn attribute(
        &mut self,
        device: &str,
        attribute: &str,
        value: Option<&str>,
    ) -> Result<String, Refusal> {
        let below = Path::new(attribute)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if !below {
            return Err(refusal(
                format!("looking for the attribute {attribute:?}"),
                "it must be a path below /sys/block/X, without \"..\"",
            ));
        }
        let path = Path::new("/sys/block")
            .join(self.block_device(device)?)
            .join(attribute);
        if let Some(value) = value {
            sysfs::write(&path, value)
                .refuse(|| format!("writing {value:?} to {}", path.display()))?;
        }
        sysfs::read(&path).refuse(|| format!("reading {}", path.display()))
    }

    /// The kernel name of a disk with that serial number, or of a dm device with that
    /// name.
    fn block_device(&mut self, name: &str) -> Result<String, Refusal> {
        if let Some((disk, _)) = self.disks.known(name) {
            return Ok(disk.to_owned());
        }
        // On a kernel without device-mapper, look only among the disks.
        if let Ok(control) = self.control()
            && let Some(dev) = control.find(name)?
        {
            return Ok(kernel_name(dev.1));
        }
        match self.disks.find(name)? {
            Some((disk, _)) => Ok(disk.to_owned()),
            None => Err(refusal(
                format!("looking for the device {name:?}"),
                format!(
                    "it is neither a dm device nor the serial number of a disk ({})",
                    self.disks.serials()
                ),
            )),
        }
    }

    fn control(&mut self) -> Result<&mut Control, Refusal> {
        opened(&mut self.control, Control::open)
    }

    fn tracer(&mut self) -> Result<&mut Tracer, Refusal> {
        opened(&mut self.tracer, Tracer::open)
    }

    fn kmsg(&mut self) -> Result<&mut Kmsg, Refusal> {
        opened(&mut self.kmsg, Kmsg::open)
    }
}

/// The value in `slot`. Opens it if the slot is empty.
fn opened<T>(
    slot: &mut Option<T>,
    open: impl FnOnce() -> Result<T, Refusal>,
) -> Result<&mut T, Refusal> {
    match slot {
        Some(there) => Ok(there),
        None => Ok(slot.insert(open()?)),
    }
}

/// The kernel name of the dm device with that minor number.
fn kernel_name(minor: u32) -> String {
    format!("dm-{minor}")
}

/// The message of a panic.
fn told(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!(
        "the agent panicked: {}",
        text.unwrap_or("without a message")
    )
}

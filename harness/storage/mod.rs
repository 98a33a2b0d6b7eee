//! The disks of a machine: their content, their faults, and the requests that reached
//! them.
//!
//! Each disk (a leg, or the mirror's log) is a chain of nodes inside the QEMU process
//! that ends in the harness:
//!
//! ```text
//! virtio-blk-pci, or another controller's disk (serial leg0)
//!                                       device journal: QEMU's trace log
//!   raw node      leg0
//!   blkdebug node leg0-debug-K          faults of reads and writes, over QMP
//!   nbd node      leg0-medium
//!     unix socket
//! NBD server in the harness             medium journal: the server itself
//!   medium: computed until it is written; faults of flushes, discards and
//!           write-zeroes
//! ```
//!
//! For legs on the SCSI target of our own, a storage daemon has the nodes, and the
//! target, which runs in the harness, keeps the device journal (`target`).
//!
//! The two journals see different things, and neither replaces the other:
//!
//! * The **device journal** ([`Layer::Device`](halfway_case::observation::Layer)) has
//!   every read and write that the guest's driver put on the ring, in order, with the
//!   answer that it got, faults included. It does not have flushes, discards and
//!   write-zeroes, because QEMU traces neither their kind nor their range, and it does
//!   not have the data. On controllers other than virtio-blk it has what the device model
//!   asked of its medium instead, and whether that was let through (`backend_log`).
//! * The **medium journal** has every command that blkdebug let through, with its result,
//!   in the order in which they took effect on the content. It does not have what
//!   blkdebug refused. A request may differ from the guest's where QEMU splits or pads
//!   it, but QEMU does neither to whole sectors below 32 MiB. A flush arrives twice,
//!   because both blkdebug and the block layer pass it on. QEMU's own requests are there
//!   too: a read of sector 0 of each disk when QEMU starts, a flush when a fault is
//!   armed, and several when QEMU ends.
//!
//! Entries are numbered within their layer; the layers have no common clock. The device
//! entry and the medium entry of a request are matched by disk, command and range.
//!
//! Where to look: [`medium`] has the content, [`journal`] the ledger that the server in
//! [`nbd`] works on; [`trace_log`], `backend_log` and `trace_pipe` make the device
//! journal; [`blkdebug`] has the faults, and [`controller`] how a disk is attached.
//! disk is attached.

mod account;
mod backend_log;
pub mod blkdebug;
mod controller;
mod dirty_log;
mod journal;
mod medium;
mod nbd;
mod target;
mod trace_line;
mod trace_log;
mod trace_pipe;

pub use blkdebug::{ArmError, Arming, Behaviour, FaultError, Qmp};

use account::Account;
use halfway_case::Fitting;
use halfway_case::observation::{self, Command, Entry, Member};
use halfway_case::{Controller, Ending, Fault, Hold, Io, Legs, OnError};
use halfway_protocol::content::SECTOR;
use halfway_protocol::io::{Op, Path as Via};
use halfway_target::Target;
use journal::{Ledger, Refusal};
use medium::Medium;
use nbd::Violation;
use qapi::ExecuteError;
use qapi::qmp::human_monitor_command;
use rustix::io::Errno;
use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use target::TargetFront;
use tokio::net::UnixListener;
use tokio::net::unix::pipe;
use tokio::task::AbortHandle;
use trace_log::TraceError;
use trace_pipe::TracePipe;

/// An error of the disks.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The operating system refused something.
    #[error("cannot {doing} {path}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The path that it was done with.
        path: PathBuf,
        /// The operating system's error.
        #[source]
        source: io::Error,
    },
    /// A directory whose name QEMU cannot take.
    #[error(
        "the directory {path} cannot hold a machine's sockets: its name {why}; set TMPDIR to another"
    )]
    Directory {
        /// The path of the directory.
        path: PathBuf,
        /// What is wrong with its name.
        why: &'static str,
    },
    /// A disk that has no sectors or too many, or that is named twice.
    #[error("{0} cannot be made: a disk has at least one sector and exists once")]
    Member(Member),
    /// The fault cannot be armed on this disk.
    #[error(transparent)]
    Fault(#[from] FaultError),
    /// QEMU could not change the armed faults.
    #[error(transparent)]
    Arm(#[from] ArmError),
    /// The monitor failed a command while the disks were identified.
    #[error("cannot find out which of QEMU's block backends is {member}")]
    Monitor {
        /// The disk that was being identified.
        member: Member,
        /// The error of the monitor.
        #[source]
        source: ExecuteError,
    },
    /// The machine stopped because a disk failed, and could not be continued.
    #[error("the machine stopped because a disk failed, and does not go on")]
    GoOn(#[source] ExecuteError),
    /// A disk could not be unplugged, or not be plugged again.
    #[error("{member} was to be unplugged, or plugged again: {why}")]
    Plug {
        /// The disk that was to be plugged or unplugged.
        member: Member,
        /// What happened instead.
        why: String,
    },
    /// The trace log does not show which block backend belongs to a disk.
    #[error("cannot find out which of QEMU's block backends is {member}: {why}")]
    Identify {
        /// The disk that was looked for.
        member: Member,
        /// What was seen instead.
        why: String,
    },
    /// The trace log cannot be turned into a journal.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The SCSI target could not be started.
    #[error("the SCSI target does not come up")]
    Target(#[from] halfway_target::StartError),
    /// QEMU and the SCSI target do not understand each other.
    #[error("the SCSI target and QEMU do not get along: {0}")]
    Vhost(String),
    /// QEMU broke the NBD protocol.
    #[error("a disk's connection to QEMU broke")]
    Nbd(#[from] Violation),
}

/// The disks of one machine. Dropping it ends their service and removes their files.
#[derive(Debug)]
pub struct Storage {
    controller: Controller,
    on_error: OnError,
    socket: PathBuf,
    ledger: Arc<Mutex<Ledger>>,
    front: Front,
    violations: Arc<Mutex<Vec<Violation>>>,
    arming: Vec<Arming>,
    tasks: Vec<AbortHandle>,
}

/// What lies between the guest and the block nodes, and keeps the device journal.
#[derive(Debug)]
enum Front {
    /// A controller that QEMU emulates, with QEMU's trace log.
    Emulated {
        fifo: PathBuf,
        trace: Arc<Mutex<TracePipe>>,
    },
    /// The SCSI target of our own.
    Target(TargetFront),
}

/// The serial number by which the guest finds a disk: `leg0`, `leg1`, …, `log`. It is
/// also the disk's name as an NBD export, a block node and a device of QEMU.
pub fn serial(member: Member) -> String {
    match member {
        Member::Leg(leg) => format!("leg{leg}"),
        Member::Log => "log".to_owned(),
    }
}

/// Continues a machine that stopped because a disk failed. QEMU then sends the request to
/// the disk again.
pub async fn go_on(qmp: &impl Qmp) -> Result<(), StorageError> {
    let done = qmp.execute(qapi::qmp::cont {}).await;
    done.map(drop).map_err(StorageError::GoOn)
}

/// Whether legs on `controller` need a storage daemon.
pub fn needs_daemon(controller: Controller) -> bool {
    controller == Controller::Target
}

impl Storage {
    /// Makes disks of that many sectors, with the legs as `fitting` says, and begins to
    /// serve them. QEMU may be started as soon as this returns. The socket and the FIFO
    /// are made in `private_dir`, which must belong to this machine alone.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(
        private_dir: &Path,
        fitting: impl Into<Fitting>,
        members: &[(Member, u64)],
    ) -> Result<Self, StorageError> {
        let fitting = fitting.into();
        let controller = fitting.controller;
        check_directory(private_dir)?;
        check_members(members)?;
        let media: Vec<Medium> = members
            .iter()
            .map(|(member, sectors)| {
                let on = controller::of(controller, *member);
                Medium::new(*member, (on.profile().limits.capacity)(*sectors), 0)
            })
            .collect();
        let exports = media
            .iter()
            .map(|medium| nbd::Export {
                name: serial(medium.member()),
                bytes: medium.size(),
            })
            .collect();
        let failed = |doing, path: &Path| {
            let path = path.to_owned();
            move |source| StorageError::Io {
                doing,
                path,
                source,
            }
        };

        // From here on, `Drop` removes what was made if something fails.
        let front = match needs_daemon(controller) {
            true => {
                let members = members.iter().map(|(member, _)| *member);
                Front::Target(TargetFront::new(private_dir, fitting, members))
            }
            false => {
                let fifo = private_dir.join(FIFO);
                let pipe = TracePipe::create(&fifo, Account::new(controller))
                    .map_err(failed("make the FIFO", &fifo))?;
                let trace = Arc::new(Mutex::new(pipe));
                Front::Emulated { fifo, trace }
            }
        };
        let mut storage = Storage {
            controller,
            on_error: fitting.on_error,
            socket: private_dir.join(SOCKET),
            ledger: Arc::new(Mutex::new(Ledger::new(media))),
            front,
            violations: Arc::default(),
            arming: members
                .iter()
                .map(|(member, _)| Arming::new(*member))
                .collect(),
            tasks: Vec::new(),
        };
        if let Front::Emulated { fifo, trace } = &storage.front {
            let receiver = locked(trace)
                .descriptor()
                .and_then(pipe::Receiver::from_owned_fd)
                .map_err(failed("watch the FIFO", fifo))?;
            let trace = trace.clone();
            storage.spawn(trace_pipe::keep_reading(receiver, trace));
        }
        let listener = UnixListener::bind(&storage.socket)
            .map_err(failed("listen on the socket", &storage.socket))?;
        let ledger = storage.ledger.clone();
        let violations = storage.violations.clone();
        storage.spawn(nbd::serve(listener, exports, ledger, violations));
        Ok(storage)
    }

    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.push(tokio::spawn(task).abort_handle());
    }

    /// The arguments of the storage daemon, if the legs need one: the block nodes, which
    /// have the faults, and the exports. The daemon must run before QEMU starts.
    pub fn daemon_args(&self) -> Option<Vec<String>> {
        let Front::Target(front) = &self.front else {
            return None;
        };
        let mut args = self.nodes("--blockdev");
        args.extend(front.exports());
        Some(args)
    }

    /// Begins to serve what QEMU will connect to. If there is a storage daemon, call this
    /// once it runs and before [`Storage::qemu_args`].
    pub async fn serve(&mut self) -> Result<(), StorageError> {
        if let Front::Target(front) = &mut self.front {
            front.start().await?;
        }
        Ok(())
    }

    /// The disks' block nodes, each as an argument after `option`.
    fn nodes(&self, option: &str) -> Vec<String> {
        let socket = self.socket.to_string_lossy();
        let members = self.arming.iter().map(Arming::member);
        let nodes = members.flat_map(|member| blkdebug::initial_nodes(member, &socket));
        let nodes = nodes.flat_map(|node| {
            let json = serde_json::to_string(&node).expect("node options are plain JSON");
            [option.to_owned(), json]
        });
        nodes.collect()
    }

    /// QEMU's arguments for the disks and their controllers.
    pub fn qemu_args(&self) -> Vec<String> {
        if let Front::Target(front) = &self.front {
            return front.qemu_args();
        }
        let members: Vec<Member> = self.arming.iter().map(Arming::member).collect();
        let devices = controller::arguments(self.controller, self.on_error, &members);
        let devices = devices
            .into_iter()
            .flat_map(|device| ["-device".to_owned(), device]);
        self.nodes("-blockdev").into_iter().chain(devices).collect()
    }

    /// QEMU's arguments that share the guest's memory with the SCSI target, if there is
    /// one. `mebibytes` is the size of the memory.
    pub fn memory_args(&self, mebibytes: u32) -> Vec<String> {
        match self.front {
            Front::Emulated { .. } => Vec::new(),
            Front::Target(_) => Target::shared_memory_args(mebibytes).into(),
        }
    }

    /// QEMU's arguments for the device journal. They use QEMU's log file (`-D`).
    pub fn trace_args(&self) -> Vec<String> {
        let Front::Emulated { fifo, .. } = &self.front else {
            return Vec::new();
        };
        let events = account::events(self.controller)
            .into_iter()
            .flat_map(|event| ["-trace".to_owned(), format!("enable={event}")]);
        let file = fifo.to_string_lossy().into_owned();
        events.chain(["-D".to_owned(), file]).collect()
    }

    /// Finds out which block backend in QEMU's trace log belongs to which disk. Call this
    /// after QEMU has started and before the first [`Storage::collect`], and again after
    /// a disk was plugged. The guest need not have booted.
    ///
    /// For each disk, QEMU is told to read from the device of that name. Exactly one
    /// backend must then read in the trace log, and the read must arrive at the disk's
    /// medium. Legs of the SCSI target are known by name.
    pub async fn identify(&mut self, qmp: &impl Qmp) -> Result<(), StorageError> {
        let Front::Emulated { trace, .. } = &self.front else {
            return Ok(());
        };
        for index in 0..self.arming.len() {
            let member = self.arming[index].member();
            self.drain()?;
            let before = locked(&self.ledger).entries().len();
            locked(trace).log.watch_host();
            let device = controller::backend_path(self.controller, member);
            let answer = qmp
                .execute(human_monitor_command {
                    cpu_index: None,
                    command_line: format!("qemu-io -d {device} \"read -q 0 {SECTOR}\""),
                })
                .await
                .map_err(|source| StorageError::Monitor { member, source })?;
            self.drain()?;
            let failed = |why| StorageError::Identify { member, why };
            if !answer.trim().is_empty() {
                return Err(failed(answer.trim().to_owned()));
            }
            if !locked(trace).log.identify(member, 0, SECTOR as u64) {
                let why = "not exactly one backend of its own read what QEMU was told to read";
                return Err(failed(why.to_owned()));
            }
            let arrived = locked(&self.ledger).entries()[before..]
                .iter()
                .any(|entry| {
                    entry.member == member
                        && entry.command == Command::Read
                        && (entry.sector, entry.sectors) == (0, 1)
                });
            if !arrived {
                return Err(failed("the read did not reach its medium".to_owned()));
            }
        }
        Ok(())
    }

    /// Begins a case: the disks hold the content of `seed`, and the journals are empty.
    /// The legs form groups of `ways` consecutive legs. All legs of a group lead to the
    /// content of its first leg, as paths lead to one disk, and each has faults and a
    /// journal of its own.
    ///
    /// The armed faults stay. Arm them before this call: QEMU flushes when it swaps
    /// nodes, and that flush must not be taken for the guest's.
    pub fn begin(&mut self, seed: u64, ways: u8) -> Result<(), StorageError> {
        self.drain()?;
        match &self.front {
            Front::Emulated { trace, .. } => locked(trace).log.clear(),
            Front::Target(front) => front.begin(),
        }
        locked(&self.ledger).reset(seed, ways);
        Ok(())
    }

    /// Arms exactly these faults on the running guest. This takes a few milliseconds for
    /// each leg whose faults change, and nothing for the others.
    ///
    /// The sectors of the faults are those of the dm device; `legs` says where it lies on
    /// each leg. The faults of the `log` have no sector, since it is always read and
    /// written as a whole. `qmp` is the monitor of the process that has the block nodes:
    /// that of the storage daemon, if there is one.
    ///
    /// After an [`ArmError`], or if the future was dropped before its end, the armed
    /// faults are unknown and the machine must be ended.
    pub async fn arm(
        &mut self,
        qmp: &impl Qmp,
        legs: &Legs,
        faults: &[Fault],
        log: &[Fault],
    ) -> Result<(), StorageError> {
        let lost = |fault: &&Fault| {
            let leg = Member::Leg(fault.leg);
            self.arming.iter().all(|arming| arming.member() != leg)
        };
        if let Some(fault) = faults.iter().find(lost) {
            return Err(FaultError::NoSuchLeg(fault.leg).into());
        }
        let mut wanted = Vec::new();
        for arming in &self.arming {
            wanted.push(match (arming.member(), &self.front) {
                (Member::Log, _) => Behaviour {
                    rules: blkdebug::rules_of_log(log)?,
                    max_transfer: None,
                },
                (Member::Leg(leg), Front::Emulated { .. }) => Behaviour {
                    rules: blkdebug::rules(legs, faults, leg)?,
                    max_transfer: legs.max_transfer,
                },
                (Member::Leg(leg), Front::Target(front)) => {
                    let plan = target::FaultPlan::of(faults, leg)?;
                    front.report(leg, &plan);
                    Behaviour {
                        rules: blkdebug::rules(legs, &plan.faults, leg)?,
                        max_transfer: None,
                    }
                }
            });
        }
        let mut refusals = refusals(legs, faults)?;
        let log_flushes = log.iter().filter(|fault| !blkdebug::plays(fault));
        refusals.extend(log_flushes.map(|fault| refusal(Member::Log, fault, None)));
        // No refusals meanwhile: QEMU flushes when it swaps nodes, and that flush is not
        // the guest's.
        locked(&self.ledger).refuse(Vec::new());
        for (arming, behaviour) in self.arming.iter_mut().zip(wanted) {
            arming.arm(qmp, behaviour).await?;
        }
        locked(&self.ledger).refuse(refusals);
        Ok(())
    }

    /// Holds at its disk the first request that each of `holds` describes, until
    /// [`Storage::release`] or [`Storage::release_all`].
    ///
    /// # Errors
    /// There is no such leg or sector.
    pub fn hold(&mut self, legs: &Legs, holds: &[Hold], op: Op) -> Result<(), StorageError> {
        for hold in holds {
            let sector = blkdebug::sector_on(legs, hold.leg, hold.sector)?;
            let errno = (hold.then == Ending::Eio).then_some(Errno::IO);
            locked(&self.ledger).hold(Member::Leg(hold.leg), op.into(), sector, errno);
        }
        Ok(())
    }

    /// Whether QEMU has cancelled a request of the guest to `member` since the case
    /// began.
    pub fn has_given_up(&self, member: Member) -> Result<bool, StorageError> {
        self.drain()?;
        Ok(match &self.front {
            Front::Emulated { trace, .. } => locked(trace).log.has_given_up(member),
            Front::Target(_) => false,
        })
    }

    /// The ids in QEMU of the devices that disappear with a disk.
    pub fn goes(&self, member: Member) -> Vec<String> {
        controller::unplugged_devices(self.controller, member)
    }

    /// Unplugs a disk. QEMU cancels the guest's requests in flight there, and waits until
    /// the media have ended all of them (`scsi_device_purge_requests` in
    /// hw/scsi/scsi-bus.c). So whoever holds a request must release it meanwhile. Returns
    /// what was done, in words.
    pub async fn unplug(&self, qmp: &impl Qmp, member: Member) -> Result<String, StorageError> {
        if let Front::Emulated { trace, .. } = &self.front {
            locked(trace).log.unplugging(member);
        }
        let id = self.goes(member).swap_remove(0);
        let done = format!("device_del {id}");
        match qmp.execute(qapi::qmp::device_del { id }).await {
            Ok(_) => Ok(done),
            Err(error) => Err(StorageError::Plug {
                member,
                why: error.to_string(),
            }),
        }
    }

    /// Whether QEMU has begun, since the case began, to cancel a request on behalf of its
    /// guest. Most device models then stop until the medium has ended the request.
    pub fn gives_up(&self) -> Result<bool, StorageError> {
        self.drain()?;
        Ok(match &self.front {
            Front::Emulated { trace, .. } => locked(trace).log.gives_up(),
            Front::Target(_) => false,
        })
    }

    /// Plugs an unplugged disk again, with the same properties. [`Storage::identify`]
    /// must follow.
    pub async fn plug(&self, qmp: &impl Qmp, member: Member) -> Result<(), StorageError> {
        let devices = controller::disk(self.controller, self.on_error, member).into_iter();
        let commands = devices.map(|device| format!("device_add {device}"));
        for command_line in commands.chain(controller::attach(self.controller, member)) {
            let added = qmp.execute(human_monitor_command {
                cpu_index: None,
                command_line,
            });
            let why = match added.await {
                Ok(answer) if answer.trim().is_empty() => continue,
                Ok(answer) => answer.trim().to_owned(),
                Err(error) => error.to_string(),
            };
            return Err(StorageError::Plug { member, why });
        }
        Ok(())
    }

    /// The legs that keep a command unanswered.
    pub fn silent(&self) -> Vec<u8> {
        match &self.front {
            Front::Emulated { .. } => Vec::new(),
            Front::Target(front) => front.silent(),
        }
    }

    /// Whether all requests that are to be held are held.
    pub fn all_held(&self) -> bool {
        locked(&self.ledger).all_held()
    }

    /// Whether leg 0 has read what `io` reads, whole, since the case began.
    pub fn has_read(&self, legs: &Legs, io: &Io) -> bool {
        let offset = legs.offset.first().copied().unwrap_or(0);
        let range = (io.sector + offset, io.sectors);
        locked(&self.ledger).entries().iter().any(|entry| {
            (entry.member, entry.command) == (Member::Leg(0), Command::Read)
                && (entry.sector, entry.sectors) == range
        })
    }

    /// Releases the request of the hold with this index.
    pub fn release(&self, index: usize) {
        locked(&self.ledger).release(index);
    }

    /// Releases all requests that are held, and holds no more.
    pub fn release_all(&self) {
        locked(&self.ledger).release_all();
    }

    /// Ends a case. Returns the requests that reached the disks since [`Storage::begin`],
    /// the device journal first, and the content of the disks. On each leg that the case
    /// uses, the range of its I/O is examined. On other disks nothing is, so that
    /// everything written to them is reported as stray.
    ///
    /// The journal is complete for all I/O whose end the guest has reported. The result
    /// of other entries may be `None`.
    pub fn collect(
        &mut self,
        legs: &Legs,
        io: &Io,
    ) -> Result<(Vec<Entry>, Vec<observation::Medium>), StorageError> {
        self.drain()?;
        if let Some(violation) = locked(&self.violations).first() {
            return Err(violation.clone().into());
        }
        let mut refusals: Vec<_> = self.arming.iter().map(Arming::refusals).collect();
        let refusal = |entry: &Entry| {
            let mut of_member = refusals
                .iter_mut()
                .filter(|one| one.member() == entry.member);
            of_member.find_map(|one| one.of(entry))
        };
        let mut entries = match &self.front {
            Front::Emulated { trace, .. } => locked(trace).log.take(refusal)?,
            Front::Target(front) => match front.trouble() {
                Some(trouble) => return Err(StorageError::Vhost(trouble)),
                None => front.take(),
            },
        };
        let mut ledger = locked(&self.ledger);
        entries.extend(ledger.take());
        let media = ledger
            .media()
            .iter()
            .map(|medium| {
                let (sector, sectors) = examined(medium.member(), legs, io);
                medium.examine(sector, sectors)
            })
            .collect();
        Ok((entries, media))
    }

    /// The mirror's log as its disk holds it. `None` if there is no such disk.
    pub fn dirty_log(&self) -> Option<observation::DirtyLog> {
        let ledger = locked(&self.ledger);
        let mut media = ledger.media().iter();
        let log = media.find(|medium| medium.member() == Member::Log);
        log.map(dirty_log::of)
    }

    /// Reads QEMU's trace log up to now.
    fn drain(&self) -> Result<(), StorageError> {
        let Front::Emulated { fifo, trace } = &self.front else {
            return Ok(());
        };
        locked(trace).drain().map_err(|source| StorageError::Io {
            doing: "read QEMU's trace log from",
            path: fifo.clone(),
            source,
        })
    }
}

/// The faults that the media play themselves, as refusals.
fn refusals(legs: &Legs, faults: &[Fault]) -> Result<Vec<Refusal>, FaultError> {
    let own = faults.iter().filter(|fault| !blkdebug::plays(fault));
    own.map(|fault| {
        let sector = blkdebug::place(legs, fault)?;
        let covered = (fault.op != Op::Flush).then_some(sector);
        Ok(refusal(Member::Leg(fault.leg), fault, covered))
    })
    .collect()
}

fn refusal(member: Member, fault: &Fault, sector: Option<u64>) -> Refusal {
    Refusal {
        member,
        command: fault.op.into(),
        sector,
        times: fault.times,
        errno: Errno::from_raw_os_error(fault.errno),
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        // The socket may not exist. The machine's directory is removed in any case.
        let _ = fs::remove_file(&self.socket);
        if let Front::Emulated { fifo, .. } = &self.front {
            let _ = fs::remove_file(fifo);
        }
    }
}

const SOCKET: &str = "nbd.sock";
const FIFO: &str = "trace.fifo";

/// The longest path of a socket in bytes: `sun_path` of `struct sockaddr_un` without its
/// terminating zero.
const LONGEST_SOCKET: usize = 107;

fn check_directory(path: &Path) -> Result<(), StorageError> {
    let why = match path.to_str() {
        None => "is not UTF-8",
        // `-D` takes it for a placeholder (`valid_filename_template` in util/log.c).
        Some(name) if name.contains('%') => "has a % in it",
        Some(name) if name.len() + 1 + SOCKET.len() > LONGEST_SOCKET => "is too long",
        Some(_) => return Ok(()),
    };
    Err(StorageError::Directory {
        path: path.to_owned(),
        why,
    })
}

fn check_members(members: &[(Member, u64)]) -> Result<(), StorageError> {
    let mut seen = HashSet::new();
    let largest = i64::MAX as u64 / SECTOR as u64;
    for (member, sectors) in members {
        if !seen.insert(*member) || !(1..=largest).contains(sectors) {
            return Err(StorageError::Member(*member));
        }
    }
    Ok(())
}

/// What of a disk an I/O is about: first sector and count. The page cache writes
/// whole pages of the dm device.
fn examined(member: Member, legs: &Legs, io: &Io) -> (u64, u64) {
    const PAGE: u64 = 8;
    let (from, end) = (io.sector, io.sector.saturating_add(io.sectors));
    let (from, end) = match io.path {
        Via::Direct => (from, end),
        Via::Buffered => (from / PAGE * PAGE, end.next_multiple_of(PAGE)),
    };
    match member {
        Member::Leg(leg) if leg < legs.count => match legs.offset.get(usize::from(leg)) {
            Some(offset) => (offset.saturating_add(from), end - from),
            None => (0, 0),
        },
        _ => (0, 0),
    }
}

/// Locks a mutex, also after a panic elsewhere, which leaves nothing half done here.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

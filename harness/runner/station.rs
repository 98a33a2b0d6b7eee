//! A machine with its disks and its agent, ready for cases.

use super::needs;
use super::programs;
use super::stack;
use crate::guest::boot::Booted;
use crate::guest::{self, BootError, CallError, Guest};
use crate::machine::command::{self, Boot};
use crate::machine::daemon::{self, Daemon};
use crate::machine::{Booting, Machine, StartError};
use crate::storage::{self, Storage, StorageError};
use halfway_case::Fitting;
use halfway_case::observation::{KernelText, Member};
use halfway_case::{Controller, Fault, Legs};
use halfway_protocol::facility::Facility;
use halfway_protocol::message::{Disk, Hello, Reply, Request, Target};
use std::path::Path;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::time::Instant;

/// Why there is no station.
#[derive(Debug, thiserror::Error)]
pub enum StationError {
    /// QEMU could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The guest did not come up.
    #[error(transparent)]
    Boot(#[from] BootError),
    /// The disks failed.
    #[error("the disks failed: {0}")]
    Storage(#[from] StorageError),
    /// The agent failed.
    #[error("the guest came up and then failed: {0}")]
    Guest(#[from] CallError),
    /// A disk is missing in the guest.
    #[error("the guest has no disk with the serial number {0}; is its driver there?")]
    NoDisk(String),
    /// The agent could not prepare the guest.
    #[error("the guest came up with trouble: {}", .0.join("; "))]
    Trouble(Vec<String>),
    /// The kernel was built without something that every case needs.
    #[error("{}; `halfway doctor --kernel` has the whole list", .0.join("; "))]
    Lacking(Vec<String>),
    /// The private directory could not be made.
    #[error("failed to make a private directory")]
    Directory(#[source] std::io::Error),
}

impl StationError {
    /// Whether another try may go better: a boot may stall, a missing QEMU
    /// stays missing.
    pub fn may_pass(&self) -> bool {
        match self {
            StationError::Start(StartError::Run { .. } | StartError::Ended { .. })
            | StationError::Boot(BootError::Stranger(_))
            | StationError::NoDisk(_)
            | StationError::Lacking(_)
            | StationError::Directory(_) => false,
            StationError::Start(_)
            | StationError::Boot(_)
            | StationError::Trouble(_)
            | StationError::Storage(_)
            | StationError::Guest(_) => true,
        }
    }
}

/// How often a guest is asked for disks that it does not have yet.
const SEARCH: Duration = Duration::from_millis(50);

/// A machine with its disks and its agent.
pub struct Station {
    /// The machine. Before `storage`, so that QEMU ends before its disks do.
    pub machine: Machine,
    /// The agent's client.
    pub guest: Guest,
    /// The disks' host side.
    pub storage: Storage,
    /// The process behind it, where there is one: it ends after what it serves.
    daemon: Option<Daemon>,
    /// What the agent said of the guest.
    pub hello: Hello,
    /// The disks' guest side.
    pub disks: Vec<(Member, Disk)>,
    /// `max_sectors_kb` of each leg, where a case has left it changed.
    pub limited: Vec<Option<u32>>,
    /// The interactive shell's stream, where one was asked for.
    pub shell: Option<UnixStream>,
    /// From QEMU's start to the agent's hello.
    pub boot_time: Duration,
    /// What the kernel said until its disks were found.
    pub boot_text: KernelText,
    /// How far its console was read.
    console_read: u64,
}

/// What a new station needs.
#[derive(Clone)]
pub struct Blueprint<'a> {
    /// What it boots.
    pub boot: &'a Boot,
    /// What its legs are.
    pub fitting: Fitting,
    /// Its disks.
    pub members: &'a [(Member, u64)],
    /// How long the guest may show no progress, and keep a call waiting.
    pub patience: Duration,
    /// The idle mirror that it keeps, if it is to keep one.
    pub spare: Option<Target>,
    /// Whether it needs a port for an interactive shell.
    pub shell: bool,
}

impl<'a> Blueprint<'a> {
    /// Of a machine without disks, whose legs would be on `controller`.
    pub fn bare(boot: &'a Boot, controller: Controller, patience: Duration) -> Self {
        Blueprint {
            boot,
            fitting: controller.into(),
            members: &[],
            patience,
            spare: None,
            shell: false,
        }
    }
}

impl Station {
    /// Starts a machine in `directory`; `starting` is told the command line
    /// before.
    pub async fn start(
        blueprint: &Blueprint<'_>,
        directory: tempfile::TempDir,
        starting: impl FnOnce(Vec<String>),
    ) -> Result<Self, StationError> {
        let mut storage = Storage::new(directory.path(), blueprint.fitting, blueprint.members)?;
        let daemon = match storage.daemon_args() {
            None => None,
            Some(args) => {
                let program = daemon::program(&blueprint.boot.qemu);
                Some(Daemon::start(&program, directory.path(), &args).await?)
            }
        };
        storage.serve().await?;
        let mut disks = storage.memory_args(blueprint.boot.memory_mib);
        disks.extend(storage.qemu_args());
        disks.extend(storage.trace_args());
        starting(shown(blueprint, directory.path(), &disks));
        let booting = Booting::start(blueprint.boot, directory, &disks, blueprint.shell).await?;
        let Booted {
            machine,
            guest,
            hello,
            shell,
            took,
        } = guest::boot(booting, blueprint.patience).await?;
        let mut station = Station {
            machine,
            guest,
            storage,
            daemon,
            hello,
            disks: Vec::new(),
            limited: vec![None; blueprint.members.len()],
            shell,
            boot_time: took,
            boot_text: KernelText::default(),
            console_read: 0,
        };
        let lacking = station.hello.lacking.iter();
        let lacking = lacking.filter(|facility| Facility::OF_EVERY_CASE.contains(facility));
        let lacking: Vec<_> = lacking.map(|facility| needs::lacks(*facility)).collect();
        if !lacking.is_empty() {
            return Err(StationError::Lacking(lacking));
        }
        if !station.hello.trouble.is_empty() {
            return Err(StationError::Trouble(station.hello.trouble.clone()));
        }
        if !blueprint.members.is_empty() {
            station.find_disks(blueprint).await?;
            station.storage.identify(station.machine.qmp()).await?;
            if blueprint.fitting.multipathd {
                programs::start_udev(&station.guest).await?;
            }
            if let Some(table) = &blueprint.spare {
                station.keep_a_spare(table.clone()).await?;
            }
        }
        station.boot_text = station.kernel_text().await?;
        Ok(station)
    }

    /// All that the kernel has said since it was last asked.
    pub async fn kernel_text(&mut self) -> Result<KernelText, CallError> {
        let log = self.guest.kernel_log().await?;
        let console = self.new_console();
        Ok(KernelText { console, log })
    }

    /// What the console has said since it was last read.
    pub fn new_console(&mut self) -> String {
        let console = self.machine.console();
        let read = std::mem::replace(&mut self.console_read, console.mark());
        console.since(read)
    }

    /// Sees to it that exactly these faults are armed; see [`Storage::arm`].
    pub async fn arm(
        &mut self,
        legs: &Legs,
        faults: &[Fault],
        log: &[Fault],
    ) -> Result<(), StorageError> {
        let qmp = self.daemon.as_ref().map(Daemon::qmp);
        let qmp = qmp.unwrap_or_else(|| self.machine.qmp());
        self.storage.arm(qmp, legs, faults, log).await
    }

    /// Sets `max_sectors_kb` of a leg; `None` gives it its own back.
    pub fn limit(
        &self,
        leg: u8,
        kib: Option<u32>,
    ) -> impl Future<Output = Result<Reply, CallError>> + use<> {
        let member = Member::Leg(leg);
        let mut disks = self.disks.iter();
        let own = disks.find(|(known, _)| *known == member);
        let limits = own.map(|(_, disk)| disk.limits.clone()).unwrap_or_default();
        // The kernel refuses what the hardware does not do; nothing is split by it then.
        let most = Some(limits.max_hw_sectors_kb).filter(|most| *most > 0);
        let kib = kib.map(|kib| kib.min(most.unwrap_or(kib)));
        self.guest.call(Request::Attribute {
            device: storage::serial(member),
            attribute: "queue/max_sectors_kb".to_owned(),
            value: Some(kib.unwrap_or(limits.max_sectors_kb).to_string()),
        })
    }

    /// Makes an idle mirror that stays for the machine's life. dm's bio slabs
    /// then survive from case to case: since 6.12 their destruction waits for
    /// an RCU barrier, which takes as long as a whole case.
    async fn keep_a_spare(&self, table: Target) -> Result<(), StationError> {
        let table = vec![table];
        let name = stack::SPARE.to_owned();
        self.guest.call(Request::DmCreate { name, table }).await?;
        Ok(())
    }

    /// Disks that a bus has to be searched for, as SCSI and USB have it, may be
    /// there only some time after their driver.
    async fn find_disks(&mut self, blueprint: &Blueprint<'_>) -> Result<(), StationError> {
        let since = Instant::now();
        loop {
            let disks = self.guest.disks().await?;
            let found = blueprint.members.iter().map(|(member, _)| {
                let serial = storage::serial(*member);
                let disk = disks.iter().find(|disk| disk.serial == serial);
                match disk {
                    Some(disk) => Ok((*member, disk.clone())),
                    None => Err(serial),
                }
            });
            match found.collect::<Result<Vec<_>, _>>() {
                Ok(found) => {
                    self.disks = found;
                    return Ok(());
                }
                Err(serial) if since.elapsed() > blueprint.patience => {
                    return Err(StationError::NoDisk(serial));
                }
                Err(_) => tokio::time::sleep(SEARCH).await,
            }
        }
    }
}

fn shown(blueprint: &Blueprint<'_>, directory: &Path, disks: &[String]) -> Vec<String> {
    let args = command::arguments(blueprint.boot, directory, disks, blueprint.shell);
    command::shown(&blueprint.boot.qemu, &args)
}

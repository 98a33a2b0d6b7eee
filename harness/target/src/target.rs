//! A target: its HBAs, and QEMU's arguments for them.

use crate::journal::{Entry, Journal};
use crate::nbd::{Client, ConnectError, Interrupt};
use crate::scsi::transfer::Storage;
use crate::scsi::unit::{Identity, Unit};
use crate::vhost::hba::Hba;
use crate::vhost::worker::Worker;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::Receiver;

/// An HBA with one logical unit behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HbaConfig {
    /// Name of QEMU's device and of the serving thread: a single word.
    pub id: String,
    /// The socket that QEMU connects to. It is made here, and removed at the
    /// end. At most 107 bytes, and without a comma, at which QEMU would split
    /// it.
    pub socket: PathBuf,
    /// The storage daemon's NBD socket, which must exist already.
    pub nbd: PathBuf,
    /// Name of the export on that socket.
    pub export: String,
    /// What the logical unit says of itself.
    pub unit: Identity,
}

/// Why a target could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The storage could not be reached, or lacks the export.
    #[error(transparent)]
    Storage(#[from] ConnectError),
    /// The export has no block, or does not end with a whole block.
    #[error("export {export:?} has {bytes} bytes, which are not whole blocks of {block}")]
    Size {
        /// Name of the export.
        export: String,
        /// Size of the export in bytes.
        bytes: u64,
        /// The block size that was asked for, in bytes.
        block: u32,
    },
    /// A serial number that SCSI cannot carry.
    #[error("{0:?} is no serial number: 1 to 64 printable ASCII characters are")]
    Serial(String),
    /// QEMU's socket could not be made.
    #[error("cannot listen on {}", .path.display())]
    Listen {
        /// Path of that socket.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        source: io::Error,
    },
}

/// A running target. Dropping it ends its threads and removes its sockets,
/// also in the middle of a request.
pub struct Target {
    hbas: Vec<Hba>,
    configs: Vec<HbaConfig>,
}

impl Target {
    /// Connects to the storage and begins to serve. QEMU may be started as soon
    /// as this returns. The receiver gets an entry for each command.
    pub fn start(configs: Vec<HbaConfig>) -> Result<(Self, Receiver<Entry>), StartError> {
        let (journal, entries) = Journal::new();
        let mut target = Target {
            hbas: Vec::new(),
            configs: Vec::new(),
        };
        for (number, config) in configs.into_iter().enumerate() {
            let hba = start(&config, journal.of(number))?;
            target.hbas.push(hba);
            target.configs.push(config);
        }
        Ok((target, entries))
    }

    /// The HBAs, in the order of their configuration.
    pub fn hbas(&self) -> &[Hba] {
        &self.hbas
    }

    /// QEMU's arguments for the HBAs: a device for each, on the machine's
    /// default PCI bus. They need guest memory that is shared:
    /// [`shared_memory_args`](Self::shared_memory_args).
    pub fn qemu_args(&self) -> Vec<String> {
        let args = self.configs.iter().flat_map(|config| {
            let HbaConfig { id, socket, .. } = config;
            let socket = socket.display();
            [
                "-chardev".to_owned(),
                format!("socket,id={id}-socket,path={socket}"),
                "-device".to_owned(),
                format!(
                    "vhost-user-scsi-pci,id={id},chardev={id}-socket,num_queues=1,disable-legacy=on"
                ),
            ]
        });
        args.collect()
    }

    /// QEMU's arguments for guest memory that the target can reach. They are
    /// given once for a machine, however many targets it has. `mebibytes` must
    /// be the value of `-m`.
    pub fn shared_memory_args(mebibytes: u32) -> [String; 4] {
        [
            "-object".to_owned(),
            format!("memory-backend-memfd,id=shared-memory,size={mebibytes}M,share=on"),
            "-machine".to_owned(),
            "memory-backend=shared-memory".to_owned(),
        ]
    }
}

fn start(config: &HbaConfig, journal: Journal) -> Result<Hba, StartError> {
    let serial = &config.unit.serial;
    let printable = serial.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if !printable || !(1..=64).contains(&serial.len()) {
        return Err(StartError::Serial(serial.clone()));
    }
    let interrupt = Interrupt::default();
    let storage = Client::connect(&config.nbd, &config.export, interrupt.clone())?;
    let block = config.unit.block.bytes();
    let bytes = storage.size();
    if bytes == 0 || !bytes.is_multiple_of(block.into()) {
        return Err(StartError::Size {
            export: config.export.clone(),
            bytes,
            block,
        });
    }
    let worker = Worker {
        unit: Unit {
            identity: config.unit.clone(),
            blocks: bytes / u64::from(block),
        },
        storage,
        journal,
    };
    Hba::start(&config.id, &config.socket, worker, interrupt).map_err(|source| StartError::Listen {
        path: config.socket.clone(),
        source,
    })
}

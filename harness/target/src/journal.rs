//! What a target was asked, and what it answered.

use crate::scsi::cdb::{CDB_BYTES, ScsiCommand};
use crate::scsi::execute::Completion;
use halfway_scsi::Reply;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

/// A command, recorded once it is answered; if it never is, once that is
/// certain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Number of the answer, counted over all HBAs of the target.
    pub order: u64,
    /// Index of the HBA, from 0, in the order of their configuration.
    pub hba: usize,
    /// Operation code of the command (`cdb[0]`).
    pub opcode: u8,
    /// First logical block; `None` if the command is not about blocks.
    pub lba: Option<u64>,
    /// Number of logical blocks that the command asks for.
    pub blocks: u32,
    /// How many of these were transferred.
    pub good: u32,
    /// The errno of the storage; `None` if it did not fail.
    pub errno: Option<u32>,
    /// Status with sense data, or a response of the HBA.
    pub answer: Reply,
    /// Residual in bytes, as reported to the guest.
    pub residual: u32,
}

impl Entry {
    /// The entry of a command that was answered.
    pub(crate) fn new(cdb: &[u8; CDB_BYTES], answer: &Completion, residual: u32) -> Self {
        let command = ScsiCommand::parse(cdb).ok();
        let extent = command.and_then(|command| command.extent());
        Entry {
            order: 0,
            hba: 0,
            opcode: cdb[0],
            lba: extent.map(|extent| extent.lba),
            blocks: extent.map_or(0, |extent| extent.blocks),
            good: answer.good,
            errno: answer.errno,
            answer: answer.reply,
            residual,
        }
    }

    /// The entry of a request that could not be read or answered.
    pub(crate) fn malformed() -> Self {
        Entry {
            order: 0,
            hba: 0,
            opcode: 0,
            lba: None,
            blocks: 0,
            good: 0,
            errno: None,
            answer: Reply::Malformed,
            residual: 0,
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} hba{} {:#04x}", self.order, self.hba, self.opcode)?;
        if let Some(lba) = self.lba {
            write!(f, " {lba}+{} good {}", self.blocks, self.good)?;
        }
        if let Some(errno) = self.errno {
            write!(f, " errno {errno}")?;
        }
        write!(f, ": {} residual {}", self.answer, self.residual)
    }
}

/// Where the HBAs of a target record their commands.
#[derive(Clone, Debug)]
pub struct Journal {
    hba: usize,
    order: Arc<AtomicU64>,
    entries: Sender<Entry>,
}

impl Journal {
    /// A journal, and the receiver of its entries. The entries are queued
    /// without a bound until they are taken, and recording never blocks.
    pub fn new() -> (Self, Receiver<Entry>) {
        let (entries, receiver) = channel();
        let journal = Journal {
            hba: 0,
            order: Arc::default(),
            entries,
        };
        (journal, receiver)
    }

    /// The same journal for another HBA.
    #[must_use]
    pub fn of(&self, hba: usize) -> Self {
        Journal {
            hba,
            ..self.clone()
        }
    }

    /// Numbers an entry and delivers it.
    pub fn record(&self, entry: Entry) {
        let order = self.order.fetch_add(1, Ordering::Relaxed);
        // The receiver may be gone.
        let _ = self.entries.send(Entry {
            order,
            hba: self.hba,
            ..entry
        });
    }
}

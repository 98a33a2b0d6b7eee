//! What was asked of a target, and what it answered.

use crate::scsi::cdb::{CDB_BYTES, Command};
use crate::scsi::execute::Completion;
use halfway_scsi::Reply;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

/// A command, once it is answered (or, where it never is, once that is
/// certain).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Number of the answer, over all HBAs of the target.
    pub order: u64,
    /// Which HBA, from 0, in the order of their configuration.
    pub hba: usize,
    /// Operation code.
    pub opcode: u8,
    /// First logical block, where it is about blocks.
    pub lba: Option<u64>,
    /// Logical blocks.
    pub blocks: u32,
    /// Of these, how many were moved.
    pub good: u32,
    /// What the storage failed with.
    pub errno: Option<u32>,
    /// What was said.
    pub answer: Reply,
    /// Residual in bytes, as it was told.
    pub residual: u32,
}

impl Entry {
    /// Of a command that was answered.
    pub(crate) fn new(cdb: &[u8; CDB_BYTES], answer: &Completion, residual: u32) -> Self {
        let command = Command::parse(cdb).ok();
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

    /// Of a request that could not be read or answered.
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

/// Where the HBAs of a target write what they do.
#[derive(Clone, Debug)]
pub struct Journal {
    hba: usize,
    order: Arc<AtomicU64>,
    entries: Sender<Entry>,
}

impl Journal {
    /// A journal and what is written to it. Its entries wait, however many,
    /// until they are taken; nobody waits for their being taken.
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
        // Nobody may be listening any more.
        let _ = self.entries.send(Entry {
            order,
            hba: self.hba,
            ..entry
        });
    }
}

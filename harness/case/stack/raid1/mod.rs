//! dm-raid1 (`mirror`): its parameters, and the facts of it.

mod status;
mod table;
#[cfg(test)]
mod tests;

use super::target::{Devices, Remedy, Table, Target};
use super::{Multipath, Paths, Status};
use halfway_protocol::io::Op;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt::{Display, Formatter, Result};

/// A dm-raid1 (`mirror`) target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raid1 {
    /// Type of the dirty log.
    pub log: Log,
    /// Region size in sectors: a power of two, at least a page
    /// (`create_log_context` in drivers/md/dm-log.c).
    pub region_size: u32,
    /// What the log says of the legs when the table is loaded.
    pub sync: Sync,
    /// `handle_errors`: the mirror fails legs, and does not ignore their
    /// errors.
    pub handle_errors: bool,
    /// `keep_log`: the log is kept, and failed writes are not held. Only with
    /// `handle_errors` (`parse_features` in drivers/md/dm-raid1.c).
    pub keep_log: bool,
    /// If given, each leg is a dm-multipath of its own, else a disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paths: Option<Paths>,
}

/// Type of the mirror's dirty log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Log {
    /// In memory (`core`).
    Core,
    /// On a disk of its own (`disk`).
    Disk,
}

/// The mirror's state when the I/O starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sync {
    /// `nosync`: the legs are declared equal, and keep the tags that tell them
    /// apart.
    Nosync,
    /// The kernel has copied leg 0 to the others before the I/O.
    Synced,
    /// The kernel copies leg 0 to the others, and the I/O races the recovery of
    /// its own region. The recovery's request is held: on leg 0 its read, on
    /// another leg its write.
    Syncing,
}

impl Target for Raid1 {
    fn lower(&self) -> &'static str {
        "leg"
    }

    fn modules(&self) -> Vec<&'static str> {
        let beneath = self
            .paths
            .iter()
            .flat_map(|paths| paths.multipath.modules());
        ["dm_mirror"].into_iter().chain(beneath).collect()
    }

    fn table(&self, devices: &Devices) -> Table {
        table::mirror(self, devices)
    }

    fn resynchronised(&self, devices: &Devices) -> Option<Table> {
        Some(table::resynchronised(self, devices))
    }

    fn without_failed(&self, left: &Devices) -> Option<Table> {
        table::without_failed(self, left)
    }

    fn status(&self, line: &str) -> Option<Status> {
        status::parse(line)
    }

    fn has_copies(&self) -> bool {
        true
    }

    fn starts_in_sync_by_its_worker(&self) -> bool {
        true
    }

    fn uses_dm_io(&self) -> bool {
        true
    }

    fn takes_write_zeroes(&self) -> bool {
        false
    }

    fn tells_of_failures(&self) -> bool {
        self.handle_errors
    }

    fn region_size(&self) -> Option<u32> {
        Some(self.region_size)
    }

    fn sync(&self) -> Option<Sync> {
        Some(self.sync)
    }

    fn log(&self) -> Option<Log> {
        Some(self.log)
    }

    fn paths(&self) -> Option<&Paths> {
        self.paths.as_ref()
    }

    fn multipath(&self) -> Option<&Multipath> {
        self.paths.as_ref().map(|paths| &paths.multipath)
    }

    fn holds(&self, op: Op) -> bool {
        let holds_write = self.handle_errors && !self.keep_log && op != Op::Read;
        holds_write || self.waits_beneath()
    }

    fn waits_without_path(&self) -> bool {
        false
    }

    fn remedy(&self) -> Remedy {
        match self.waits_beneath() {
            true => Remedy::PathBeneath,
            false => Remedy::TableWithoutFailed,
        }
    }

    fn held_until(&self, op: Op) -> &'static str {
        match op {
            Op::Read => "holds the I/O until an operator reinstates a path, or gives up;",
            _ => "holds the write until an operator loads a table without the failed leg;",
        }
    }
}

impl Raid1 {
    fn waits_beneath(&self) -> bool {
        self.paths.as_ref().is_some_and(Paths::wait)
    }
}

impl Display for Raid1 {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "dm-raid1 with {}", self.log)?;
        write!(
            f,
            " and regions of {} sectors, {}",
            self.region_size, self.sync
        )?;
        match (self.handle_errors, self.keep_log) {
            (true, true) => f.write_str(", handle_errors, keep_log"),
            (true, false) => f.write_str(", handle_errors"),
            (false, _) => f.write_str(", no error handling"),
        }?;
        match &self.paths {
            Some(paths) => write!(f, ", each leg {} paths of {}", paths.count, paths.multipath),
            None => Ok(()),
        }
    }
}

impl Display for Log {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Log::Core => "a core log",
            Log::Disk => "a disk log",
        })
    }
}

impl Display for Sync {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Sync::Nosync => "nosync",
            Sync::Synced => "synchronised first",
            Sync::Syncing => "in recovery, of which a request is held",
        })
    }
}

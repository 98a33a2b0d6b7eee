//! dm-multipath: its parameters, and the facts of it.

mod status;
mod table;
#[cfg(test)]
mod tests;

use super::target::{Devices, Remedy, Table, Target};
use super::{Log, Paths, Status, Sync};
use halfway_protocol::io::Op;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt::{Display, Formatter, Result};

/// A dm-multipath target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Multipath {
    /// `queue_mode`: whether device-mapper works on bios or requests.
    pub queue_mode: QueueMode,
    /// How a path of a group is chosen.
    pub path_selector: PathSelector,
    /// How the paths form priority groups.
    pub path_grouping: PathGrouping,
    /// `queue_if_no_path`: with no path left the I/O waits for an operator.
    pub queue_if_no_path: bool,
    /// `pg_init_retries`: how often initialising a priority group is retried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pg_init_retries: Option<u32>,
    /// `pg_init_delay_msecs`: milliseconds before such a retry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pg_init_delay_msecs: Option<u32>,
    /// If given, a real multipathd in the guest makes and maintains the map,
    /// with this `no_path_retry`. Otherwise the harness does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_path_retry: Option<NoPathRetry>,
}

/// What multipathd does once no path is left (`no_path_retry` in
/// multipath.conf(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoPathRetry {
    /// I/O fails at once.
    Fail,
    /// I/O waits for a path.
    Queue,
    /// I/O waits for so many checks of the paths, and then fails.
    Checks(u32),
}

impl Multipath {
    /// Whether I/O waits once there is no path, for ever or for some time.
    pub fn waits(&self) -> bool {
        match self.no_path_retry {
            None => self.queue_if_no_path,
            Some(retry) => retry != NoPathRetry::Fail,
        }
    }

    /// The features in the table that say how a priority group is initialised.
    /// Without a hardware handler none ever is (`__pg_init_all_paths` in
    /// drivers/md/dm-mpath.c).
    pub fn initialising(&self) -> Vec<String> {
        let named = |name: &str, value: Option<u32>| value.map(|value| format!("{name} {value}"));
        let retries = named("pg_init_retries", self.pg_init_retries);
        let delay = named("pg_init_delay_msecs", self.pg_init_delay_msecs);
        retries.into_iter().chain(delay).collect()
    }
}

/// What dm-multipath works on (`parse_features` in drivers/md/dm-mpath.c).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum QueueMode {
    /// Bios: a failed bio is resubmitted.
    Bio,
    /// Requests. Since 4.20 the same as `mq`.
    Rq,
    /// Requests of blk-mq.
    Mq,
}

impl QueueMode {
    /// The mode's name in a table.
    pub fn name(self) -> &'static str {
        match self {
            QueueMode::Bio => "bio",
            QueueMode::Rq => "rq",
            QueueMode::Mq => "mq",
        }
    }

    /// Whether requests are resubmitted, not bios.
    pub fn is_request_based(self) -> bool {
        self != QueueMode::Bio
    }
}

/// How a path of a group is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PathSelector {
    /// The next path in turn.
    RoundRobin,
    /// The path with the fewest requests in flight.
    QueueLength,
    /// The path that will be done first, by the bytes in flight on it.
    ServiceTime,
    /// The path that will be done first, by its past service times (since 5.8).
    HistoricalServiceTime,
}

impl PathSelector {
    /// The kernel module that has the selector.
    fn module(self) -> &'static str {
        match self {
            PathSelector::RoundRobin => "dm_round_robin",
            PathSelector::QueueLength => "dm_queue_length",
            PathSelector::ServiceTime => "dm_service_time",
            PathSelector::HistoricalServiceTime => "dm_historical_service_time",
        }
    }

    /// The selector's name in a table.
    pub fn name(self) -> &'static str {
        match self {
            PathSelector::RoundRobin => "round-robin",
            PathSelector::QueueLength => "queue-length",
            PathSelector::ServiceTime => "service-time",
            PathSelector::HistoricalServiceTime => "historical-service-time",
        }
    }
}

/// How paths form priority groups, in the words of multipath.conf's
/// `path_grouping_policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PathGrouping {
    /// Each path is a group of its own; the first one is used as long as it
    /// works.
    Failover,
    /// Two neighbouring paths form a group; of an odd number the last is alone.
    Pairs,
    /// All paths are one group.
    Multibus,
}

impl PathGrouping {
    /// Number of paths in a group.
    pub fn size(self) -> u8 {
        match self {
            PathGrouping::Failover => 1,
            PathGrouping::Pairs => 2,
            PathGrouping::Multibus => u8::MAX,
        }
    }
}

impl Target for Multipath {
    fn lower(&self) -> &'static str {
        "path"
    }

    fn modules(&self) -> Vec<&'static str> {
        vec!["dm_multipath", self.path_selector.module()]
    }

    fn table(&self, devices: &Devices) -> Table {
        table::multipath(self, devices)
    }

    fn resynchronised(&self, _: &Devices) -> Option<Table> {
        None
    }

    fn without_failed(&self, _: &Devices) -> Option<Table> {
        None
    }

    fn status(&self, line: &str) -> Option<Status> {
        status::parse(line)
    }

    fn has_copies(&self) -> bool {
        false
    }

    fn starts_in_sync_by_its_worker(&self) -> bool {
        false
    }

    fn uses_dm_io(&self) -> bool {
        false
    }

    fn takes_write_zeroes(&self) -> bool {
        true
    }

    fn tells_of_failures(&self) -> bool {
        true
    }

    fn region_size(&self) -> Option<u32> {
        None
    }

    fn sync(&self) -> Option<Sync> {
        None
    }

    fn log(&self) -> Option<Log> {
        None
    }

    fn paths(&self) -> Option<&Paths> {
        None
    }

    fn multipath(&self) -> Option<&Multipath> {
        Some(self)
    }

    fn holds(&self, _: Op) -> bool {
        // Multipathd does the operator's part; that it has none is to be seen, too.
        self.queue_if_no_path || self.no_path_retry.is_some()
    }

    fn waits_without_path(&self) -> bool {
        self.waits()
    }

    fn remedy(&self) -> Remedy {
        match self.no_path_retry {
            Some(_) => Remedy::Multipathd,
            None => Remedy::ReinstatedPath,
        }
    }

    fn held_until(&self, _: Op) -> &'static str {
        match self.no_path_retry {
            Some(_) => "holds the I/O until multipathd reinstates a path, or gives up;",
            None => "holds the I/O until an operator reinstates a path, or gives up;",
        }
    }
}

impl Display for Multipath {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let mode = self.queue_mode.name();
        let grouping = match self.path_grouping {
            PathGrouping::Failover => "each path a priority group",
            PathGrouping::Pairs => "two paths a priority group",
            PathGrouping::Multibus => "all paths in one priority group",
        };
        let selector = self.path_selector.name();
        write!(f, "dm-multipath in {mode} mode with {selector}, {grouping}")?;
        if self.queue_if_no_path {
            f.write_str(", queue_if_no_path")?;
        }
        match self.no_path_retry {
            None => {}
            Some(NoPathRetry::Fail) => f.write_str(", of multipathd, no_path_retry fail")?,
            Some(NoPathRetry::Queue) => f.write_str(", of multipathd, no_path_retry queue")?,
            Some(NoPathRetry::Checks(checks)) => {
                write!(f, ", of multipathd, no_path_retry {checks}")?
            }
        }
        let mut features = self.initialising().into_iter();
        features.try_for_each(|feature| write!(f, ", {feature}"))
    }
}

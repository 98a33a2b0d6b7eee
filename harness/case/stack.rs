//! The device-mapper stack: the target, its parameters, and what is derived from them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The device-mapper stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "target")]
pub enum Stack {
    /// dm-raid1 over its legs.
    Raid1(Raid1),
    /// dm-multipath over paths to one disk.
    Multipath(Multipath),
}

impl Stack {
    /// The mirror, if the stack is one.
    pub fn raid1(&self) -> Option<&Raid1> {
        match self {
            Stack::Raid1(mirror) => Some(mirror),
            Stack::Multipath(_) => None,
        }
    }

    /// The word for a lower device of the stack's own target: leg or path.
    pub fn lower(&self) -> &'static str {
        match self {
            Stack::Raid1(_) => "leg",
            Stack::Multipath(_) => "path",
        }
    }

    /// Whether the lower devices are paths to one disk.
    pub fn shares_medium(&self) -> bool {
        matches!(self, Stack::Multipath(_))
    }

    /// What multipathd does once no path is left; `None` if there is no
    /// multipathd.
    pub fn no_path_retry(&self) -> Option<NoPathRetry> {
        match self {
            Stack::Multipath(multipath) => multipath.no_path_retry,
            Stack::Raid1(_) => None,
        }
    }

    /// The multipaths that are a mirror's legs, if they are.
    pub fn nested(&self) -> Option<&Paths> {
        self.raid1().and_then(|mirror| mirror.paths.as_ref())
    }

    /// The multipath through which I/O reaches the disks, if there is one: the
    /// stack itself, or what each leg is.
    pub fn multipath(&self) -> Option<&Multipath> {
        match self {
            Stack::Multipath(multipath) => Some(multipath),
            Stack::Raid1(_) => self.nested().map(|paths| &paths.multipath),
        }
    }

    /// The name of the disk with this index ([`Fault::leg`]).
    pub fn disk_name(&self, disk: u8) -> String {
        match self.nested() {
            Some(paths) => {
                let (leg, path) = (disk / paths.count, disk % paths.count);
                format!("leg {leg} path {path}")
            }
            None => format!("{} {disk}", self.lower()),
        }
    }
}

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

/// The dm-multipath that is each leg of a nested mirror, over several paths to
/// one disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paths {
    /// How many paths each leg has: 2 to 4.
    pub count: u8,
    /// The parameters of the multipath, the same for each leg.
    pub multipath: Multipath,
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

//! What the status line of any target says.

/// What the status line of a target says. What the target's line has no word for is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// A character for each lower device, in the order of the table: `A` is alive. The other
    /// letters are the target's own.
    pub health: Vec<char>,
    /// The regions whose sync the target keeps.
    pub regions: Option<Regions>,
    /// State of a log on a disk, a character: `A` is alive. `None` also for a log in memory.
    pub log: Option<char>,
    /// Index of the active group of paths, if one is active.
    pub active_group: Option<usize>,
}

/// How many regions are in sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Regions {
    /// Number of regions in sync.
    pub in_sync: u64,
    /// Number of regions in all.
    pub all: u64,
}

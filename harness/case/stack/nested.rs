//! Mirrors of multipaths: what each leg of such a mirror is.
//!
//! The stack's own target is the mirror ([`Raid1`](super::Raid1)), which knows nothing of what
//! its legs are. What it does is in its folder; this file has what the legs add.

use super::Multipath;
use serde::{Deserialize, Serialize};

/// The dm-multipath that is each leg of a nested mirror, over several paths to
/// one disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paths {
    /// How many paths each leg has: 2 to 4.
    pub count: u8,
    /// The parameters of the multipath, the same for each leg.
    pub multipath: Multipath,
}

impl Paths {
    /// Whether a leg without a path keeps its I/O waiting. The mirror above cannot know of that,
    /// and waits too.
    pub fn wait(&self) -> bool {
        self.multipath.queue_if_no_path
    }
}

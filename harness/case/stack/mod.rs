//! The device-mapper stack: its targets, each in a folder of its own, and what is asked of them.
//!
//! A target is a folder here with its parameters, table, status line, words and the facts that
//! [`Target`] asks of it, and its name in the list below. The code above asks facts, not which
//! target it is. What a correct kernel does with the target is in `harness/oracle/model`, and its
//! keys are in `harness/scenario/stack`, each in a file of the same name. `ARCHITECTURE.md` has
//! the walk-through.

mod multipath;
mod nested;
mod raid1;
mod status;
mod target;

pub use multipath::{Multipath, NoPathRetry, PathGrouping, PathSelector, QueueMode};
pub use nested::Paths;
pub use raid1::{Log, Raid1, Sync};
pub use status::{Regions, Status};
pub use target::{Devices, Lower, Remedy, Table, Target};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt::{Display, Formatter, Result};

/// Makes [`Stack`], [`TargetName`] and [`Stack::target`] from the list.
macro_rules! registry {
    ($($(#[$attribute:meta])* $variant:ident;)*) => {
        /// The device-mapper stack: its own target, the uppermost one but `linear`, with its
        /// parameters.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case", tag = "target")]
        pub enum Stack {
            $($(#[$attribute])* $variant($variant),)*
        }

        /// Target type of the stack.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "kebab-case")]
        #[schemars(rename = "Target")]
        pub enum TargetName {
            $($(#[$attribute])* $variant,)*
        }

        impl TargetName {
            /// All targets, in the order of the list.
            pub const ALL: &[TargetName] = &[$(TargetName::$variant,)*];
        }

        impl Stack {
            /// What is known of the stack's own target.
            pub fn target(&self) -> &dyn Target {
                match self {
                    $(Stack::$variant(target) => target,)*
                }
            }
        }
    };
}

registry! {
    /// dm-raid1, the `mirror` target.
    Raid1;
    /// dm-multipath, the `multipath` target.
    Multipath;
}

impl Stack {
    /// The word for a lower device of the stack's own target: leg or path.
    pub fn lower(&self) -> &'static str {
        self.target().lower()
    }

    /// Whether the lower devices are paths to one disk.
    pub fn shares_medium(&self) -> bool {
        !self.target().has_copies()
    }

    /// The health of each lower device in a status line, a character each: `A` is alive. `None`
    /// for a line of another shape.
    pub fn health(&self, line: &str) -> Option<Vec<char>> {
        self.target().status(line).map(|status| status.health)
    }

    /// What multipathd does once no path is left; `None` if there is no
    /// multipathd.
    pub fn no_path_retry(&self) -> Option<NoPathRetry> {
        let multipath = self.multipath().filter(|_| self.nested().is_none());
        multipath.and_then(|multipath| multipath.no_path_retry)
    }

    /// The multipaths that are a mirror's legs, if they are.
    pub fn nested(&self) -> Option<&Paths> {
        self.target().paths()
    }

    /// The multipath through which I/O reaches the disks, if there is one: the
    /// stack itself, or what each leg is.
    pub fn multipath(&self) -> Option<&Multipath> {
        self.target().multipath()
    }

    /// The name of the disk with this index ([`Fault::leg`](crate::Fault::leg)).
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

impl Display for Stack {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.target().fmt(f)
    }
}

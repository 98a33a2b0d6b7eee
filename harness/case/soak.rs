//! A random mix of I/O and failures, instead of one I/O.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A random mix of I/O and failures, made from the case's seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Soak {
    /// How long the soak goes on.
    pub length: Length,
    /// What lies on the device.
    #[serde(default)]
    pub filesystem: Filesystem,
    /// A part of the seed: soaks that differ only in this number do different
    /// things.
    pub round: u32,
}

/// What lies on the device that a soak works on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Filesystem {
    /// No file system: Halfway does the I/O itself.
    #[default]
    None,
    /// ext4, with fio on it.
    Ext4,
    /// XFS, with fio on it.
    Xfs,
}

impl Filesystem {
    /// The kernel's name of the file system.
    pub fn name(self) -> &'static str {
        match self {
            Filesystem::None => "none",
            Filesystem::Ext4 => "ext4",
            Filesystem::Xfs => "xfs",
        }
    }
}

/// How long a soak goes on: by I/Os or by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Length {
    /// After that many I/Os.
    Count(u32),
    /// After that many seconds, with as many I/Os as come back in them.
    Seconds(u32),
}

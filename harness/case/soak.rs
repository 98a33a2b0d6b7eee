//! A random mix of I/O and failures, instead of one I/O.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A random mix of I/O and failures, made from the case's seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Soak {
    /// How long it goes on.
    pub length: Length,
    /// What lies on the device.
    #[serde(default)]
    pub filesystem: Filesystem,
    /// A number that makes mixes differ that are alike otherwise.
    pub round: u32,
}

/// What lies on the device that a soak works on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Filesystem {
    /// Nothing: the I/O is that of Halfway.
    #[default]
    None,
    /// ext4, and fio on it.
    Ext4,
    /// XFS, and fio on it.
    Xfs,
}

impl Filesystem {
    /// The kernel's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Filesystem::None => "none",
            Filesystem::Ext4 => "ext4",
            Filesystem::Xfs => "xfs",
        }
    }
}

/// How long a soak goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Length {
    /// That many I/Os.
    Count(u32),
    /// As many I/Os as come back in that many seconds.
    Seconds(u32),
}

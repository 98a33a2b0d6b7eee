//! What takes time, told while it happens.

use std::fmt;

/// A stage of resolving a kernel; its `Display` is a line for a person.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Stage {
    /// Another process is fetching a kernel.
    Waiting,
    /// The archive's package lists are being brought up to date.
    Lists {
        /// The suites.
        suites: Vec<String>,
    },
    /// The newest version cannot be had, an older one is taken.
    Skipped {
        /// Version and reason.
        why: String,
    },
    /// The kernel's packages are being fetched.
    Download {
        /// The packages' version, as in "6.1.0-56-cloud-amd64 (6.1.192-2)".
        what: String,
        /// 0 to 100, of all bytes.
        percent: f32,
    },
    /// A package is being unpacked.
    Unpack {
        /// The package's file name.
        package: String,
    },
    /// The uncompressed kernel is being taken out of the boot image.
    Extract {
        /// The kernel's release.
        release: String,
    },
    /// A control's module is being built.
    Build {
        /// The control.
        control: String,
        /// The module.
        module: String,
    },
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stage::Waiting => write!(f, "waiting for another process that fetches a kernel"),
            Stage::Lists { suites } => {
                write!(f, "reading the package lists of {}", suites.join(", "))
            }
            Stage::Skipped { why } => write!(f, "skipping {why}"),
            Stage::Download { what, percent } => write!(f, "fetching {what}: {percent:.0} %"),
            Stage::Unpack { package } => write!(f, "unpacking {package}"),
            Stage::Build { control, module } => write!(f, "building {module} of {control}"),
            Stage::Extract { release } => write!(f, "extracting vmlinux of {release}"),
        }
    }
}

/// Called for every stage, and repeatedly during a download.
pub type Progress<'a> = dyn FnMut(&Stage) + 'a;

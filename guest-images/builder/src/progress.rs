//! Reports the stages of work that takes time.

use std::fmt;

/// A stage of the work. Its `Display` is a line for the user.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Stage {
    /// Waiting for another process that is fetching a kernel.
    Waiting,
    /// Updating the package lists of the archive.
    Lists {
        /// The suites whose lists are updated.
        suites: Vec<String>,
    },
    /// Skipping the newest version, because it is incomplete, and taking an older one.
    Skipped {
        /// The version and the reason.
        why: String,
    },
    /// Fetching packages from the archive.
    Download {
        /// The packages and their version, such as "6.1.0-56-cloud-amd64 (6.1.192-2)".
        what: String,
        /// How much of all bytes was fetched, from 0 to 100.
        percent: f32,
    },
    /// Unpacking a package.
    Unpack {
        /// The file name of the package.
        package: String,
    },
    /// Extracting the uncompressed kernel from the boot image.
    Extract {
        /// The release of the kernel.
        release: String,
    },
    /// Building a control's module.
    Build {
        /// The name of the control.
        control: String,
        /// The name of the module.
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

/// A function that is called for every stage, and repeatedly during a download.
pub type Progress<'a> = dyn FnMut(&Stage) + 'a;

//! All that a guest boots: a kernel, by name, from files or from a build tree,
//! and the initramfs with the agent and the drivers.
//!
//! The way through it: a [`KernelSpec`] says which kernel, [`resolve`] finds or
//! fetches it ([`Kernel`]), [`Modules::select`] picks the drivers with their
//! dependencies, and [`Initramfs::build`] packs them around [`AGENT`]. What is
//! costly to make lies in the user's [`Cache`]; a second use needs no network.
//!
//! | module | what is in it |
//! |---|---|
//! | `catalogue` | the named kernels, from `guest-images/kernels.toml` |
//! | `archive` | fetching a named kernel with the distribution's own client |
//! | `image` | what a bzImage says about itself, and the vmlinux inside it |
//! | `module` | kernel modules: finding, ordering, decompressing |
//! | `options` | what a kernel must be built with, and what for |
//! | `cpio`, `initramfs` | the archive format, and what goes in |
//! | `shell` | a person's tools for an interactive guest |
//! | `userland` | programs of the distribution, with their libraries |
//! | `controls` | modules that are broken on purpose |

mod archive;
mod cache;
mod catalogue;
pub mod controls;
mod cpio;
mod decompress;
mod file;
mod image;
mod initramfs;
mod kernel;
mod modinfo;
mod module;
pub mod options;
mod progress;
mod shell;
mod spec;
mod unpack;
mod userland;

pub use archive::ArchiveError;
pub use cache::{Cache, CacheError};
pub use catalogue::{Catalogue, Entry};
pub use file::FileError;
pub use image::ImageError;
pub use initramfs::{Extra, Initramfs, InitramfsError};
pub use kernel::{Kernel, KernelError, resolve};
pub use module::{ModuleError, Modules, ResolvedModule, default_modules};
pub use progress::{Progress, Stage};
pub use shell::{ShellError, shell_tools};
pub use spec::{KernelSpec, SpecError};
pub use userland::{Userland, UserlandError};

/// The guest's first process: `halfway-agent`, linked statically, as the build
/// made it (see `build.rs`).
pub static AGENT: &[u8] = include_bytes!(env!("HALFWAY_AGENT_BINARY"));

#[cfg(test)]
mod tests {
    /// A dynamic agent would die with "no init found" deep inside a guest.
    #[test]
    fn the_agent_needs_no_interpreter() {
        assert!(crate::image::is_static_elf(crate::AGENT));
    }
}

//! Everything that a guest boots: a kernel, given by name, by files or by a build tree,
//! and the initramfs with the agent and the drivers.
//!
//! A [`KernelSpec`] says which kernel is wanted. [`resolve`] finds or fetches it
//! ([`Kernel`]). [`Modules::select`] picks the drivers with their dependencies, and
//! [`Initramfs::build`] packs them with the [`AGENT`]. What takes time to make is kept in
//! the user's [`Cache`], and needs no network when it is used again.
//!
//! | module | what is in it |
//! |---|---|
//! | `catalogue` | the named kernels, from `guest-images/kernels.toml` |
//! | `archive` | fetches a named kernel with the distribution's own client |
//! | `image` | reads a bzImage, and extracts the vmlinux inside it |
//! | `module` | finds, orders and decompresses kernel modules |
//! | `options` | the options that a kernel must be built with, and their purpose |
//! | `cpio`, `initramfs` | the archive format, and what goes in |
//! | `shell` | the programs for an interactive guest |
//! | `userland` | programs of the distribution, with their libraries |
//! | `controls` | modules that are broken on purpose |
//! | [`program`] | runs other programs to their end |

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
mod modprobe;
mod module;
pub mod options;
pub mod program;
mod progress;
mod shell;
mod spec;
mod unpack;
mod userland;

pub use archive::ArchiveError;
pub use archive::PackagedKernel;
pub use cache::{Cache, CacheError};
pub use catalogue::{Catalogue, Entry};
pub use file::FileError;
pub use image::ImageError;
pub use initramfs::{Extra, Initramfs, InitramfsError};
pub use kernel::{Kernel, KernelError, packaged, resolve};
pub use module::{ModuleError, Modules, ResolvedModule, default_modules};
pub use program::ProgramError;
pub use progress::{Progress, Stage};
pub use shell::{SHELL_MODULES, ShellError, shell_tools};
pub use spec::{KernelSpec, SpecError};
pub use userland::{Userland, UserlandError};

/// The first process of a guest: `halfway-agent`, statically linked. `build.rs` builds
/// it.
pub static AGENT: &[u8] = include_bytes!(env!("HALFWAY_AGENT_BINARY"));

#[cfg(test)]
mod tests {
    /// A dynamic agent would fail in the guest with the misleading message "no init
    /// found".
    #[test]
    fn the_agent_needs_no_interpreter() {
        assert!(crate::image::is_static_elf(crate::AGENT));
    }
}

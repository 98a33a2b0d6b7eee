//! Why there is nothing to run cases on.

use crate::machine::QemuError;
use halfway_builder::controls::BuildError;
use halfway_builder::{CacheError, InitramfsError, KernelError, ModuleError, UserlandError};
use miette::Diagnostic;
use std::io;
use thiserror::Error;

/// There is nothing to run cases on.
#[derive(Debug, Error, Diagnostic)]
pub enum ProvisionError {
    /// The kernel cannot be had.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The kernel lacks a driver.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// The control's module cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The control's module is not used.
    #[error("no guest loads {module}: {control} would show nothing")]
    NotLoaded {
        /// The control.
        control: String,
        /// Its module.
        module: String,
    },
    /// The initramfs cannot be made.
    #[error(transparent)]
    Initramfs(#[from] InitramfsError),
    /// No cache directory.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// No programs for a guest.
    #[error(transparent)]
    Userland(#[from] UserlandError),
    /// QEMU, or its storage daemon, does not work.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Qemu(#[from] QemuError),
    /// The private directory cannot be made.
    #[error("failed to make a private directory below {}", std::env::temp_dir().display())]
    #[diagnostic(help("TMPDIR names another place; it must be writable and have a short path"))]
    Workshop(#[source] io::Error),
    /// Something of ours broke.
    #[error("the kernel's preparation broke off")]
    Broken,
}

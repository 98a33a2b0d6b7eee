//! Builds modules that are broken on purpose. A semantic patch of our own is applied to
//! the real source of exactly the kernel's version, and the module is built against the
//! kernel's own headers. There are also modules of our own, whose faults are parameters.
//! Nothing is installed, and files from the archive are not changed.
//!
//! | module | what is in it |
//! |---|---|
//! | `head` | the comment at the beginning of a control's file |
//! | `control` | a control, and the directory of all controls |
//! | `tools` | the programs of the host that building needs |
//! | `inputs` | headers and source in the cache |
//! | `root` | the kernel's own compiler, if the host has another one |
//! | `own` | the source of our own modules |
//! | `build` | builds a control's module, and keeps it in the cache |
//! | `abi` | checks that the kernel will accept it in place of its own |

mod abi;
mod build;
mod control;
mod head;
mod inputs;
pub mod own;
mod root;
mod tools;

pub use abi::AbiError;
pub use build::{BuildError, build, build_own};
pub use control::{CONTROLS, Control, ControlError};
pub use head::{HeadError, Symptom};
pub use root::RootError;
pub use tools::{MissingTool, require};

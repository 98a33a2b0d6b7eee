//! Modules that are broken on purpose: the real source of exactly the kernel's
//! version, a semantic patch of ours applied to it, built against the kernel's
//! own headers. Beside them modules of our own, whose faults are parameters.
//! Nothing is installed, and the archive's files stay as they are.
//!
//! | module | what is in it |
//! |---|---|
//! | `head` | the comment that a control's file opens with |
//! | `control` | a control, and where controls are found |
//! | `tools` | the programs of the host that building needs |
//! | `inputs` | headers and source in the cache |
//! | `root` | the kernel's own compiler, where the host has another one |
//! | `own` | the source of our own modules |
//! | `build` | from a control to a module in the cache |
//! | `abi` | whether the kernel will take it for its own |

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

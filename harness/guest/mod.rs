//! The client of the guest agent.
//!
//! * [`client`]: calls and answers over the agent's port.
//! * [`boot`]: from QEMU's start to the agent's hello, watched.

pub mod boot;
pub mod client;

pub use boot::{BootError, boot};
pub use client::{CallError, Guest};

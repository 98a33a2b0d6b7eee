//! The client of the guest agent.
//!
//! * `client`: calls and answers over the agent's port.
//! * [`channel`]: the frames of [`halfway_protocol::session`] on a machine's port.
//! * [`mod@boot`]: from QEMU's start to the agent's hello, watched.

pub mod boot;
pub mod channel;
pub(crate) mod client;

pub use boot::{BootError, boot};
pub use client::{CallError, Guest};

//! The protocol between the harness and the guest agent.
//!
//! It sends one JSON value per line over a virtio-serial port named [`PORT`]. The agent
//! begins with a [`Hello`]. After that it answers every [`Call`] with exactly one
//! [`Answer`] of the same id, in the order of the calls. So a client may send several
//! calls before it reads the first answer.
//!
//! * [`content`]: the content of every sector on a leg, which identifies itself.
//! * [`message`]: the calls and the answers.
//! * [`facility`]: kernel features that the agent uses and a kernel may lack.
//! * [`io`]: an I/O, the shape of its memory, and its result. [`layout`]: where it lies
//!   in the agent's memory. [`limits`]: the largest I/O.
//! * [`trace`]: block-layer trace events, typed. [`bio`]: bios and their vectors.
//! * [`session`]: a shell in the guest, on a port of its own.

pub mod bio;
pub mod content;
pub mod facility;
pub mod io;
pub mod layout;
pub mod limits;
pub mod message;
pub mod session;
pub mod trace;

pub use message::{Answer, Call, Hello, Reply, Request};

/// The name of the virtio-serial port that the agent listens on.
pub const PORT: &str = "halfway.agent.0";

/// The version of the protocol. Harness and agent must have the same version; they are
/// built from one tree.
pub const VERSION: u32 = 1;

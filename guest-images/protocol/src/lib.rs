//! What the harness and the guest agent say to each other.
//!
//! One JSON value a line over a virtio-serial port named [`PORT`]. The agent
//! opens with a [`Hello`]; from then on every [`Call`] is answered by exactly
//! one [`Answer`] with the same id, in the order of the calls, so a client may
//! send several calls before it reads the first answer.
//!
//! * [`content`]: what every sector on a leg says of itself.
//! * [`message`]: the calls and the answers.
//! * [`facility`]: what the agent uses of a kernel that may lack it.
//! * [`io`]: an I/O to do, the shape of its memory, and what came of it.
//!   [`layout`]: where it lies in the agent's memory. [`limits`]: what is too much.
//! * [`trace`]: block-layer trace events, typed. [`bio`]: bios and their vectors.

pub mod bio;
pub mod content;
pub mod facility;
pub mod io;
pub mod layout;
pub mod limits;
pub mod message;
pub mod trace;

pub use message::{Answer, Call, Hello, Reply, Request};

/// Name of the virtio-serial port that the agent listens on.
pub const PORT: &str = "halfway.agent.0";

/// Version of the protocol; harness and agent must agree on it exactly, since
/// they are built from one tree.
pub const VERSION: u32 = 1;

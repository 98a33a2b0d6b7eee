//! The kernel's block events, read from the binary ring buffer of tracefs.
//!
//! * [`format`]: parses the kernel's description of its records.
//! * [`ring`]: splits a page of the ring into records.
//! * [`rings`]: the files of a tracing instance.
//! * [`event`]: decodes a record into a [`halfway_protocol::trace::TraceEvent`].
//! * [`tracer`]: the block events.
//! * [`reach`]: the functions that are reached.
//! * [`symbols`]: names of functions by their address.
//!
//! All but `rings`, `tracer` and `reach` are pure.

pub mod event;
pub mod format;
mod reach;
mod ring;
pub mod rings;
mod symbols;
mod tracer;

pub use reach::Reach;
pub use tracer::{Tracer, available};

//! The kernel's block events, read from the binary ring buffer of tracefs.
//!
//! * [`format`]: parses the kernel's description of its records.
//! * [`ring`]: splits a page of the ring into records.
//! * [`rings`]: the files of a tracing instance.
//! * [`event`]: decodes a record into a [`halfway_protocol::trace::TraceEvent`].
//! * [`tracer`]: the block events.
//!
//! All but `rings` and `tracer` are pure.

pub mod event;
pub mod format;
mod ring;
pub mod rings;
mod tracer;

pub use tracer::{Tracer, available};

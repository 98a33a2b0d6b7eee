//! The kernel's block events, from the binary ring buffer of tracefs.
//!
//! * [`format`]: the kernel's description of its records, read.
//! * [`ring`]: a page of the ring into records.
//! * [`rings`]: the files of a tracing instance.
//! * [`event`]: a record into a [`halfway_protocol::trace::TraceEvent`].
//! * [`tracer`]: the block events. The rest, but for `rings`, is pure.

pub mod event;
pub mod format;
mod ring;
pub mod rings;
mod tracer;

pub use tracer::{Tracer, available};

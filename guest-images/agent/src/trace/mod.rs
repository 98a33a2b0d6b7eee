//! The kernel's block events, from the binary ring buffer of tracefs.
//!
//! * [`format`]: the kernel's description of its records, read.
//! * [`ring`]: a page of the ring into records.
//! * [`event`]: a record into a [`halfway_protocol::trace::TraceEvent`].
//! * [`tracer`]: the files. The rest is pure.

mod event;
mod format;
mod ring;
mod tracer;

pub use tracer::{Tracer, available};

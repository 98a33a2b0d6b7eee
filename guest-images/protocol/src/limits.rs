//! What the agent can do at most.
//!
//! The harness lets no scenario ask for more, and the agent refuses what is more: both
//! read it here, and [`crate::layout::Layout::new`] is where it is checked.

/// Requests of one I/O: `io_setup` makes room for as many.
pub const REQUESTS: usize = 1024;

/// Segments of one request (`UIO_MAXIOV` in include/uapi/linux/uio.h).
pub const SEGMENTS: usize = 1024;

/// Threads that submit the requests of one I/O.
pub const SUBMITTERS: u32 = 8;

/// Bytes of all requests of one I/O, where they do not overlap: 8 MiB.
pub const IO: usize = 8 << 20;

/// Bytes of memory of one I/O, with all that guards it. Requests that overlap hold up to
/// twice [`IO`], and small segments as much guard as data.
pub const MEMORY: usize = 40 << 20;

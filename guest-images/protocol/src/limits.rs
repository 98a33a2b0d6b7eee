//! The limits of the agent.
//!
//! The harness accepts no scenario that exceeds them, and the agent refuses such an I/O.
//! Both use these constants, and [`crate::layout::Layout::new`] checks them.

/// The largest number of requests in one I/O. `io_setup` makes room for as many.
pub const REQUESTS: usize = 1024;

/// The largest number of segments in one request (`UIO_MAXIOV` in
/// include/uapi/linux/uio.h).
pub const SEGMENTS: usize = 1024;

/// The largest number of threads that submit the requests of one I/O.
pub const SUBMITTERS: u32 = 8;

/// The largest total length of the requests of one I/O that do not overlap, in bytes: 8
/// MiB.
pub const IO: usize = 8 << 20;

/// The largest memory of one I/O with its guards, in bytes. Requests that overlap may
/// hold up to twice [`IO`], and small segments need as much guard as data.
pub const MEMORY: usize = 40 << 20;

//! virtio-scsi over vhost-user: an HBA as QEMU sees it.
//!
//! - [`request`]: from descriptors to a request, and its answer back into them.
//! - [`worker`]: executes requests.
//! - [`ring`]: a ring that signals each of its completions.
//! - [`device`]: the rings, and what happens to their requests.
//! - [`hba`]: the thread and the socket.

pub mod device;
pub mod hba;
pub mod request;
pub mod ring;
pub mod worker;

/// Guest memory, without a bitmap of what was written.
pub type Memory = vm_memory::GuestMemoryMmap<()>;

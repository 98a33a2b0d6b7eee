//! virtio-scsi over vhost-user: an HBA as QEMU sees it.
//!
//! * [`request`]: descriptors to a request, and its answer into them.
//! * [`worker`]: carries requests out.
//! * [`ring`]: a ring, none of whose completions is missed.
//! * [`device`]: the rings, and what happens to their requests.
//! * [`hba`]: the thread and the socket.

pub mod device;
pub mod hba;
pub mod request;
pub mod ring;
pub mod worker;

/// Guest memory; nobody asks what of it was written.
pub type Memory = vm_memory::GuestMemoryMmap<()>;

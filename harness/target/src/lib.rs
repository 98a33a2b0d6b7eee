//! A SCSI target that reports failures as real disks do: with sense data that
//! say where, and with the progress that was made before.
//!
//! No device that QEMU emulates tells its guest how far a failed request got.
//! So none makes the kernel call `blk_update_request` with fewer bytes than the
//! request has. That is partial completion, on which dm's resubmission was
//! reported to break. This target makes the kernel do it.
//!
//! ```text
//! guest kernel: sd, virtio_scsi
//!   | rings in shared memory
//! vhost::device  -- takes requests, one at a time --  vhost::worker
//!   |                                                   | cdb, data
//! vhost::hba: a socket and a thread for each HBA      scsi::execute
//!   | vhost-user                                        | blocks
//! qemu-system                                         scsi::transfer: how far?
//!                                                       | reads, writes
//! qemu-storage-daemon: NBD export -> raw -> blkdebug <- nbd::Client
//! ```
//!
//! As for any other leg, blkdebug in the storage daemon decides what fails, and
//! its rules are changed over QMP. blkdebug refuses a whole request with an
//! errno. [`scsi::transfer`] then finds the first bad block. The errno selects
//! *how* the failure is reported, through the table [`Reports`]. That table, and
//! how to search, are the unit's [`Policy`].
//!
//! A search by halves needs a bad block to stay bad. If a blkdebug rule wears
//! off (`once`), the block must be touched only once: [`Search::Stepwise`].
//! Reports that do not say where need no search; a command that fails with such
//! a report has transferred nothing.
//!
//! From the harness:
//!
//! ```no_run
//! use halfway_scsi::Reports;
//! use halfway_target::{HbaConfig, Identity, Policy, Search, Target};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (target, journal) = Target::start(vec![HbaConfig {
//!     id: "hba0".into(),
//!     socket: "/run/private/hba0".into(),
//!     nbd: "/run/private/nbd".into(),
//!     export: "leg0".into(),
//!     unit: Identity::new("leg0"),
//! }])?;
//! let mut qemu = target.qemu_args();
//! qemu.extend(Target::shared_memory_args(224));
//! // … start QEMU, arm a fault over the storage daemon's QMP, do I/O …
//! target.hbas()[0].set_policy(Policy {
//!     reports: Reports::default().with(5, "short-good+transport-failure".parse()?),
//!     search: Search::Bisect,
//!     ..Policy::default()
//! });
//! for entry in journal.try_iter() {
//!     println!("{entry}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The guest is not trusted: whatever lies in its rings is answered or dropped,
//! within bounds of time and memory. Dropping the [`Target`] ends its threads
//! and removes its sockets, also in the middle of a request. A ring that QEMU
//! stops (`stop`, a reset, a reboot) waits for the request under way.

pub mod journal;
pub mod nbd;
pub mod scsi;
mod target;
pub mod vhost;

pub use journal::Entry;
pub use scsi::execute::Policy;
pub use scsi::transfer::Search;
pub use scsi::unit::{BlockSize, Identity};
pub use target::{HbaConfig, StartError, Target};
pub use vhost::device::Presence;
pub use vhost::hba::Hba;

//! The SCSI target in front of a real storage daemon, beneath a real guest:
//! what the kernel makes of each report, as its own tracepoints tell it.
//!
//! A boot serves many questions, so a test asks several. The kernel is the
//! catalogue's default, or what `HALFWAY_TEST_KERNEL` names.
//!
//! * `daemon`, `rig`, `tools`: the storage, the guest above it, what is in it.
//! * `reports`: each report, on a disk alone.
//! * `stacks`: beneath dm-raid1 and dm-multipath.
//! * `life`: silence, stops, resets, ends.
//! * `sg3_utils`, `multipathd`: what other people's programs make of it.
//! * `shell`: a person's shell, in a kernel without terminals.
//! * `cost`: what it costs.

mod cost;
mod daemon;
mod life;
mod multipathd;
mod reports;
mod rig;
mod sg3_utils;
mod shell;
mod stacks;
mod tools;

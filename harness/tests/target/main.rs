//! Tests of the SCSI target with a real storage daemon and a real guest. The guest's
//! tracepoints show how its kernel handles each report.
//!
//! A boot takes time, so each test asks several questions. The kernel is the catalogue's
//! default, or the one that `HALFWAY_TEST_KERNEL` names.
//!
//! * `daemon`, `rig`, `tools`: the storage, the guest on it, and the guest's programs.
//! * `reports`: each report, on a single disk.
//! * `stacks`: the target beneath dm-raid1 and dm-multipath.
//! * `life`: silence, stops, resets, ends.
//! * `sg3_utils`, `multipathd`: programs of others that use the target.
//! * `shell`: the interactive shell, on a kernel without terminals.
//! * `cost`: what the target costs.

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

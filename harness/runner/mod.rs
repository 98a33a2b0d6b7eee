//! Places cases on machines, survives their ends, and speaks in events.
//!
//! * [`event`]: what is said; the only thing that reports know.
//! * [`plan`]: what is to be run.
//! * `place`: cases on machines, with retries.
//! * [`station`]: a machine with its disks and its agent, ready for cases.
//! * `perform`: one case on one station.
//! * `deeds`: what the harness does for an I/O, told to the guest.
//! * `operator`: what is done about I/O that the target holds.
//! * `interlude`: what is done while requests are held; `stops`: while the machine
//!   stands still.
//! * `soak`, `soak_files`: a random mix of I/O and failures on one station, or of
//!   failures beneath a file system.
//! * [`stack`]: device-mapper tables.
//! * `needs`: the drivers that a guest must have; [`images`]: the initramfs with them.

mod deeds;
pub mod event;
pub mod images;
mod interlude;
mod multipathd;
pub mod needs;
mod operator;
mod perform;
mod place;
pub mod plan;
mod refusals;
mod relief;
mod soak;
mod soak_files;
pub mod stack;
pub mod station;
mod stops;
mod unplug;

pub use event::Event;
pub use halfway_protocol::facility::Facility;
pub use images::Images;
pub use needs::Needs;
pub use perform::{Manner, clear_away, perform, set_up};
pub use place::{RunError, must_end, run};
pub use plan::{Plan, case_seed};
pub use station::{Station, StationError};

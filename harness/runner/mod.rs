//! Places cases on machines, survives their ends, and speaks in events.
//!
//! * [`event`]: what is said; the only thing that reports know.
//! * [`plan`]: what is to be run.
//! * `place`: cases on machines, with retries.
//! * [`station`]: a machine with its disks and its agent, ready for cases; [`boots`]: it is
//!   started, more than once if need be.
//! * `perform`: one case on one station, in a [`Manner`]; `set_up`: its stack, `request`:
//!   its I/O; `interruption`: why it ended before its end.
//! * `interventions`: what the harness does for an I/O, told to the guest.
//! * `operator`: what is done about I/O that the target holds; `waiting`: how that is
//!   seen; `multipathd`: where a real one does it, `programs`: how it is run.
//! * `meanwhile`: what is done while requests are held, `unplug` among it; `unit_resets`: what
//!   is done about a disk that does not answer; `stops`: while the machine stands still.
//! * `soak`, `soak_files`: a random mix of I/O and failures on one station, or of
//!   failures beneath a file system; `soak_actions`: what both do to the stack.
//! * [`stack`]: device-mapper tables.
//! * [`needs`]: the drivers that a guest must have; [`images`]: the initramfs with them.
//! * `refusals`: what a kernel has refused to set up, and is not asked again.
//!
//! No module uses another one that uses it. What is performed follows from the case alone
//! ([`facts`](halfway_case::facts) and [`Target`](halfway_case::stack::Target)): of the oracle
//! only `place` asks what is right, and `soak` whether a watched bio was changed.

pub mod boots;
pub mod event;
pub mod images;
mod interruption;
mod interventions;
mod manner;
mod meanwhile;
mod multipathd;
pub mod needs;
mod operator;
mod perform;
mod place;
pub mod plan;
mod programs;
mod refusals;
mod request;
mod set_up;
mod soak;
mod soak_actions;
mod soak_files;
pub mod stack;
pub mod station;
mod stops;
mod unit_resets;
mod unplug;
mod waiting;

pub use event::Event;
pub use halfway_protocol::facility::Facility;
pub use manner::Manner;
pub use needs::Needs;
pub use perform::perform;
pub use place::{RunError, must_end, run};
pub use plan::{Plan, PlannedCase, case_seed};
pub use set_up::{clear_away, set_up};
pub use station::{Station, StationError};

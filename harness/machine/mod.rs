//! One QEMU and everything that dies with it.
//!
//! A machine is a type with states: [`Booting`] until the guest agent has said
//! hello (which the `guest` module waits for), [`Machine`] while it serves
//! cases, [`Wreck`] when it is gone. Each state has only the operations that
//! make sense in it.
//!
//! * [`command`]: the one place where a QEMU command line is built.
//! * `qemu`: what a QEMU says of itself, before a machine is made of it.
//! * `daemon`: the storage daemon, for legs that have one.
//! * `accel`: KVM or TCG, by trial.
//! * `clock`: the rate of the time stamp counter, for emulated guests.
//! * `process`: child processes that never outlive the harness.
//! * `janitor`: what cleans up when the harness itself is killed.
//! * `pipe`: what the guest's console and QEMU's stderr say, from the first
//!   byte on.
//! * `qmp`: QMP with a watchdog.

pub(crate) mod accel;
pub(crate) mod clock;
pub mod command;
pub(crate) mod daemon;
pub(crate) mod janitor;
mod life;
pub(crate) mod pipe;
mod process;
pub(crate) mod qemu;
mod qmp;

pub use accel::{Accel, AccelChoice};
use command::file;
pub use daemon::Daemon;
pub use janitor::Workshop;
pub use life::{Booting, Machine, StartError, Wreck};
pub use qemu::{Qemu, QemuError};
pub use qmp::{GreetError, Qmp};

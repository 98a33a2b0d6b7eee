//! A machine: one QEMU, and everything that ends with it.
//!
//! Each state of a machine is a type: [`Booting`] until the guest agent has said hello
//! (the `guest` module waits for that), [`Machine`] while it serves cases, [`Wreck`]
//! after its end. Each type has only the operations that make sense in its state.
//!
//! * [`command`]: builds the QEMU command line; nothing else does.
//! * [`qemu`]: asks a QEMU binary for its version and devices before a machine is
//!   started.
//! * [`daemon`]: the storage daemon, for legs that need one.
//! * [`accel`]: chooses KVM or TCG, by a trial.
//! * [`clock`]: the rate of the time stamp counter, for emulated guests.
//! * [`process`]: child processes that never outlive the harness.
//! * [`janitor`]: cleans up when the harness itself is killed.
//! * [`pipe`]: reads the guest's console and QEMU's stderr, from the first byte on.
//! * [`qmp`]: QMP with a watchdog.

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

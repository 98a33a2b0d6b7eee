//! A shell in a guest, for a person or for a script.
//!
//! * [`channel`]: the frames of [`halfway_protocol::session`] on a machine's port.
//! * [`session`]: connects the user to the guest's shell until either ends.
//! * [`terminal`]: the user's terminal, and how it is restored.
//! * [`bench`]: what the guest's commands ask of the host: change the faults, do the
//!   case's I/O, build the stack anew.
//! * `help`: the help text. `texts`: what the other commands print.

pub mod bench;
mod help;
pub mod session;
pub mod terminal;
mod texts;

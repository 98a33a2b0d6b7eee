//! A shell in a guest, for a person or for a script of theirs.
//!
//! * [`session`]: joins the user to the guest's shell until either ends.
//! * [`terminal`]: the user's terminal, and how it is given back.
//! * [`bench`]: what the guest's commands ask of the host: the faults, the case's
//!   I/O, the stack anew.
//! * `help`: what is there, in a few lines. `texts`: what the commands show.

pub mod bench;
mod help;
pub mod session;
pub mod terminal;
mod texts;

//! The logical unit: commands in, answers out. No sockets, no guest memory.
//!
//! - [`cdb`]: from bytes to a typed [`cdb::ScsiCommand`].
//! - [`unit`]: what the logical unit is: names, ports, block size.
//! - [`execute`]: executes a command.
//! - [`transfer`]: finds the first bad block of a command that fails.
//! - [`inquiry`], [`mode`], [`supported`], [`ports`]: what the unit says of
//!   itself.

pub mod cdb;
pub mod execute;
pub mod inquiry;
pub mod mode;
pub mod ports;
pub mod supported;
pub mod transfer;
pub mod unit;

//! Device-mapper through its ioctls on `/dev/mapper/control`
//! (include/uapi/linux/dm-ioctl.h), without libdevmapper and without udev.
//!
//! * [`abi`]: the bytes that go in and come out, pure.
//! * [`control`]: the control device.
//! * [`table`]: disks by serial number in a table's parameters.

mod abi;
mod control;
mod table;

pub use control::Control;
pub use table::{numbered, resolve};

//! Uses device-mapper by its ioctls on `/dev/mapper/control`
//! (include/uapi/linux/dm-ioctl.h), without libdevmapper and without udev.
//!
//! * [`abi`]: the bytes of the ioctls, pure.
//! * [`control`]: the control device.
//! * [`table`]: replaces serial numbers of disks in a table's parameters.

mod abi;
mod control;
mod table;

pub use control::Control;
pub use table::{numbered, resolve};

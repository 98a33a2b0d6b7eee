//! What the IDE controllers share: QEMU's `ide-hd`, and a bus from which no
//! disk can be unplugged.

use crate::profile::Disk;

/// Why no disk is unplugged: nothing in hw/ide/qdev.c, hw/block/fdc.c and
/// hw/sd/core.c sets a hotplug handler for the bus.
pub const NOT_FROM_THIS_BUS: &str = "QEMU takes no disk from this controller's bus";

/// The `-device` argument of an `ide-hd`; `place` says where it is attached,
/// such as `bus=hba.0`.
pub fn hd(disk: &Disk<'_>, place: &str) -> Vec<String> {
    vec![format!(
        "ide-hd,{place},{},serial={},{},{}",
        disk.drive(),
        disk.id,
        disk.cached(),
        disk.on_errors(),
    )]
}

//! Names of the errors that a leg may answer with.

/// The errors that reach a leg on every controller. The NBD protocol has no
/// others (proto.md of the NBD project, "Error values"), and blkdebug inside
/// QEMU passes these on as well.
pub const NAMES: [(&str, i32); 8] = [
    ("EPERM", 1),
    ("EIO", 5),
    ("ENOMEM", 12),
    ("EINVAL", 22),
    ("ENOSPC", 28),
    ("EOVERFLOW", 75),
    ("ENOTSUP", 95),
    ("ESHUTDOWN", 108),
];

/// The name of an errno that a scenario can ask for.
pub fn errno_name(errno: i32) -> Option<&'static str> {
    let (name, _) = NAMES.iter().find(|(_, number)| *number == errno)?;
    Some(name)
}

/// The number (Linux, x86) behind a name that a scenario can ask for.
pub fn errno_from_name(name: &str) -> Option<i32> {
    let (_, number) = NAMES.iter().find(|(known, _)| *known == name)?;
    Some(*number)
}

//! The source of the modules that are our own, as `make` wants it.

/// The driver that completes requests partially.
pub const LEG: &str = "halfway-leg";

/// Files of the directory that they are built in.
pub(super) const SOURCE: [(&str, &str); 3] = [
    ("Kbuild", include_str!("../../../controls/modules/Kbuild")),
    (
        "halfway-leg.c",
        include_str!("../../../controls/modules/halfway-leg.c"),
    ),
    (
        "halfway-policy.c",
        include_str!("../../../controls/modules/halfway-policy.c"),
    ),
];

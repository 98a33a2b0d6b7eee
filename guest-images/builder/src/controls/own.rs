//! The source of our own modules, in the form that `make` needs.

/// The disk driver that completes requests partially.
pub const LEG: &str = "halfway-leg";

/// The files of the directory in which they are built.
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

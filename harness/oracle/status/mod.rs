//! Status lines of device-mapper targets.

pub mod mirror;
pub mod multipath;

use halfway_case::Stack;

/// The health of each lower device, a character each: `A` is alive. `None` for
/// a line of another shape.
pub fn health(stack: &Stack, line: &str) -> Option<Vec<char>> {
    match stack {
        Stack::Raid1(_) => mirror::parse(line).map(|status| status.health),
        Stack::Multipath(_) => multipath::parse(line).map(|status| status.health()),
    }
}

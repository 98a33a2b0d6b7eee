//! Cases in which a driver gives up a request because its disk takes too long.
//!
//! What each driver does then is in its controller's profile. The drivers that
//! retry the request were measured on QEMU 7.2 with Linux 5.10, 6.1, 6.12 and
//! 7.3. Why the others are refused was read in the source, except for
//! lsi53c895a and am53c974, which were measured with 6.1.

use crate::{Case, Meanwhile};
use halfway_controllers::{AfterTimeout, Timeout};

/// How the driver gives up a request of `case`; `None` if it does not.
pub fn of_case(case: &Case) -> Option<Timeout> {
    let timeout = case.legs.controller.profile().timeout.ok();
    timeout.filter(|_| case.meanwhile() == Meanwhile::Timeout)
}

/// Whether a request of `case` is given up by its driver and retried.
pub fn asks_again(case: &Case) -> bool {
    of_case(case).is_some_and(|driver| matches!(driver.then, AfterTimeout::AskedAgain { .. }))
}

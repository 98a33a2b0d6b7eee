//! Legs whose failures stop the machine (`rerror=stop,werror=stop`) until they
//! are repaired. A correct kernel sees nothing of them, as of any fault that
//! wears off beneath device-mapper.

use super::Unknown;
use halfway_case::{Case, OnError, Times};

pub fn knows_stops(case: &Case) -> Result<(), Unknown> {
    if case.legs.on_error == OnError::Report {
        return Ok(());
    }
    if !case.holds.is_empty() || !case.other_faults.is_empty() {
        return Err(Unknown(
            "a disk stops the machine, and requests are held or the set-up fails; QEMU does not \
             stop while a request is held",
        ));
    }
    if case.faults.len() > 1 {
        return Err(Unknown(
            "several faults stop the machine; which of them share a stop depends on timing",
        ));
    }
    if case.faults.iter().any(|fault| fault.times == Times::Always) {
        return Err(Unknown(
            "a fault that lasts would stop the machine for ever: set `times`, after so many stops \
             it is mended",
        ));
    }
    Ok(())
}

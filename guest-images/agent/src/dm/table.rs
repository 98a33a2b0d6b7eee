//! Replaces serial numbers of disks and names of dm devices in a table's parameters.

use crate::disks::{self, Disks};
use crate::refuse::refusal;
use halfway_protocol::message::{Refusal, Target};
use halfway_protocol::trace::Dev;

/// Replaces each `{SERIAL}` in the table's parameters by a device number: that of the
/// device that a stack uses for this disk, or that of the dm device with this name.
///
/// # Errors
/// Neither a disk nor a dm device has this name.
pub fn resolve(table: Vec<Target>, disks: &mut Disks) -> Result<Vec<Target>, Refusal> {
    let mut resolved = table;
    for target in &mut resolved {
        target.params = numbered(&target.params, disks)?;
    }
    Ok(resolved)
}

/// Like [`resolve`], for any text.
///
/// # Errors
/// Neither a disk nor a dm device has this name.
pub fn numbered(text: &str, disks: &mut Disks) -> Result<String, Refusal> {
    substitute(text, |serial| {
        if disks.known(serial).is_none()
            && let Some(dev) = disks::stacked(serial)
        {
            return Ok(dev);
        }
        if let Some(dev) = disks.upper(serial)? {
            return Ok(dev);
        }
        Err(refusal(
            format!("looking for the disk with the serial number {serial:?}"),
            format!("the guest has: {}", disks.serials()),
        ))
    })
}

fn substitute<E>(params: &str, mut dev: impl FnMut(&str) -> Result<Dev, E>) -> Result<String, E> {
    let mut out = String::with_capacity(params.len());
    let mut rest = params;
    while let Some((before, opened)) = rest.split_once('{') {
        out.push_str(before);
        let Some((serial, after)) = opened.split_once('}') else {
            out.push('{');
            rest = opened;
            break;
        };
        out.push_str(&dev(serial)?.to_string());
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(
        "core 2 1024 nosync 2 {leg0} 0 {leg1} 8",
        Ok("core 2 1024 nosync 2 254:0 0 254:16 8")
    )]
    #[case("nothing", Ok("nothing"))]
    #[case("{leg0", Ok("{leg0"))]
    #[case("0 {leg2} 0", Err("leg2"))]
    fn serials(#[case] params: &str, #[case] expected: Result<&str, &str>) {
        let found = substitute(params, |serial| match serial {
            "leg0" => Ok(Dev(254, 0)),
            "leg1" => Ok(Dev(254, 16)),
            other => Err(other.to_owned()),
        });
        assert_eq!(found.as_deref(), expected.map_err(String::from).as_deref());
    }
}

//! The text of `halfway-help`: the case, its disks and the commands.

use crate::runner::stack;
use crate::storage;
use halfway_case::Case;
use halfway_case::observation::Member;
use halfway_protocol::message::Disk;
use std::fmt::Write;

/// What a person finds in the guest, and how to leave it.
pub fn text(case: &Case, disks: &[(Member, Disk)]) -> String {
    let used = |(member, _): &&(Member, Disk)| match member {
        Member::Leg(leg) => *leg < case.legs.count,
        Member::Log => case.has_log_disk(),
    };
    let name = |member: &Member| match member {
        Member::Leg(leg) => case.stack.disk_name(*leg),
        Member::Log => storage::serial(Member::Log),
    };
    let mut text = "This is a shell in the guest. What is there:\n".to_owned();
    let mut line = |what: &str, is: &str| {
        let _ = writeln!(text, "  {what:<28}{is}");
    };
    line(&format!("/dev/mapper/{}", stack::top(case)), "the stack");
    for (member, disk) in disks.iter().filter(used) {
        line(&format!("/dev/{}", disk.name), &name(member));
    }
    for (what, is) in [
        ("dmsetup status, dmesg", "what the kernel says"),
        ("halfway-fault", "is the fault armed, what has it failed?"),
        ("halfway-fault disarm|arm", "takes it away, or arms it anew"),
        ("halfway-io", "does the case's I/O, and judges it"),
        ("halfway-reset", "builds the stack anew, as it was"),
        ("halfway-help", "says this again, and what the case is"),
        ("exit, Ctrl-]", "ends the guest (Ctrl-] also if it hangs)"),
    ] {
        line(what, is);
    }
    text
}

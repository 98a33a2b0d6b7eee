//! Child processes that never outlive the harness.

use rustix::process::{Pid, Signal};
use std::io;
use std::os::unix::process::CommandExt;
use tokio::process::Command;

/// Makes the child end with the thread that starts it, and puts it into a process group
/// of its own. So Ctrl-C reaches only the harness, which decides what to do.
///
/// The parent-death signal follows the *thread* that forked (prctl(2)). So this must be
/// called on the harness's only long-lived thread; its runtime is single-threaded.
pub fn bound_to_us(command: &mut Command) -> &mut Command {
    let parent = rustix::process::getpid();
    command.process_group(0).kill_on_drop(true);
    let std = command.as_std_mut();
    // SAFETY: between fork and exec, only async-signal-safe system calls are made, and
    // nothing is allocated.
    unsafe {
        std.pre_exec(move || {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            // The parent may have ended before the signal was set up.
            if rustix::process::getppid() != Some(parent) {
                return Err(io::Error::from_raw_os_error(3));
            }
            Ok(())
        });
    }
    command
}

/// Kills the process group that `pid` leads. It is no error if the group no longer
/// exists.
pub fn kill_group(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = rustix::process::kill_process_group(pid, Signal::KILL);
    }
}

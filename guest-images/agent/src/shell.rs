//! An interactive shell on a virtio-serial port of its own.

use crate::port;
use crate::refuse::Refuse;
use halfway_protocol::message::Refusal;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Names the dm devices in /dev/mapper, as udev would. A name that is there, or a
/// device that goes meanwhile, is nothing to stop for.
fn name_devices() {
    const NAMES: &str = "/dev/mapper";
    let _ = fs::create_dir(NAMES);
    for device in fs::read_dir("/sys/block").into_iter().flatten().flatten() {
        if let Ok(name) = fs::read_to_string(device.path().join("dm/name")) {
            let device = Path::new("..").join(device.file_name());
            let _ = symlink(device, Path::new(NAMES).join(name.trim_end()));
        }
    }
}

/// Runs `/bin/sh` on the port with that name until it ends.
///
/// # Errors
/// No such port, or no shell in the image.
pub fn run(port: &str) -> Result<(), Refusal> {
    name_devices();
    let path = port::find(port, Duration::from_secs(5))?;
    let doing = || format!("starting a shell on {}", path.display());
    let port = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .refuse(doing)?;
    let mut command = Command::new("/bin/sh");
    command
        .arg("-i")
        .env_clear()
        .envs([
            ("PATH", "/bin:/sbin:/usr/bin:/usr/sbin"),
            ("HOME", "/"),
            ("TERM", "linux"),
            ("PS1", "halfway# "),
        ])
        .stdin(port.try_clone().refuse(doing)?)
        .stdout(port.try_clone().refuse(doing)?)
        .stderr(port);
    // SAFETY: setsid and signal are async-signal-safe and touch no memory.
    unsafe {
        command.pre_exec(|| {
            libc::setsid();
            // The agent ignores it, and a shell would inherit that.
            libc::signal(libc::SIGCHLD, libc::SIG_DFL);
            Ok(())
        });
    }
    let mut shell = command.spawn().refuse(doing)?;
    // With SIGCHLD ignored this waits until the shell ends, and then fails.
    let _ = shell.wait();
    Ok(())
}

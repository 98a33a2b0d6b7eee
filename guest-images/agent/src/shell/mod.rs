//! A shell for a person, or for a script of theirs, on a virtio-serial port of its
//! own ([`halfway_protocol::session`]).
//!
//! It is served by a process beside the first one, which goes on answering the
//! harness. The agent's program is that process too, and the commands that the
//! host answers, under their names.
//!
//! * [`session`]: the process that serves. [`start`]: the shell, on a terminal or on
//!   pipes. [`ask`]: a command that the host answers.

mod ask;
mod session;
mod start;

use crate::port;
use crate::refuse::{Refuse, refusal};
use halfway_protocol::message::Refusal;
use halfway_protocol::session::COMMANDS;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// What the serving process is called.
const SESSION: &str = "halfway-session";

/// Names the dm devices in /dev/mapper, as udev would. A device that goes meanwhile
/// is nothing to stop for, and other people's names are left alone.
fn name_devices() {
    const NAMES: &str = "/dev/mapper";
    let _ = fs::create_dir(NAMES);
    for name in fs::read_dir(NAMES).into_iter().flatten().flatten() {
        // Only ours are links; a device may be another one by now.
        if name.path().is_symlink() {
            let _ = fs::remove_file(name.path());
        }
    }
    for device in fs::read_dir("/sys/block").into_iter().flatten().flatten() {
        if let Ok(name) = fs::read_to_string(device.path().join("dm/name")) {
            let device = Path::new("..").join(device.file_name());
            let _ = symlink(device, Path::new(NAMES).join(name.trim_end()));
        }
    }
}

/// Begins to serve a session on the port with that name.
///
/// # Errors
/// No such port, or no shell in the image.
pub fn run(port: &str) -> Result<(), Refusal> {
    let doing = || format!("serving a shell on {port}");
    if !Path::new(start::SHELL).exists() {
        return Err(refusal(doing(), "there is none in this guest"));
    }
    name_devices();
    let path = port::find(port, Duration::from_secs(5))?;
    Command::new("/init")
        .arg0(SESSION)
        .arg(path)
        .env_clear()
        .spawn()
        .refuse(doing)
        .map(drop)
}

/// What this program does where it is called by another name than the agent's: the
/// exit status. `None`: it is the agent.
pub fn called() -> Option<u8> {
    let mut words: Vec<String> = std::env::args().collect();
    let first = words.first_mut()?;
    *first = Path::new(first).file_name()?.to_str()?.to_owned();
    match first.as_str() {
        SESSION => Some(session::serve(Path::new(words.get(1)?))),
        name if COMMANDS.contains(&name) => {
            let status = ask::ask(&words);
            // What the host did may have made others of the devices.
            name_devices();
            Some(status)
        }
        _ => None,
    }
}

//! A shell for a person or a script, on a virtio-serial port of its own
//! ([`halfway_protocol::session`]).
//!
//! A second process serves it, while the first one goes on answering the harness. This
//! process is the agent's program under another name, and so are the commands that the
//! host answers.
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

/// The name of the serving process.
const SESSION: &str = "halfway-session";

/// Makes links to the dm devices in /dev/mapper, as udev would. It is no error if a
/// device disappears meanwhile, and names that others have made are not touched.
fn name_devices() {
    const NAMES: &str = "/dev/mapper";
    let _ = fs::create_dir(NAMES);
    for name in fs::read_dir(NAMES).into_iter().flatten().flatten() {
        // Only our own names are links. Remove them, since a device may have another
        // number by now.
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
/// There is no such port, or no shell in the image.
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

/// Runs this program under another name than the agent's, and returns the exit status.
/// `None` if it was started as the agent.
pub fn called() -> Option<u8> {
    let mut words: Vec<String> = std::env::args().collect();
    let first = words.first_mut()?;
    *first = Path::new(first).file_name()?.to_str()?.to_owned();
    match first.as_str() {
        SESSION => Some(session::serve(Path::new(words.get(1)?))),
        name if COMMANDS.contains(&name) => {
            let status = ask::ask(&words);
            // The host may have created other devices meanwhile.
            name_devices();
            Some(status)
        }
        _ => None,
    }
}

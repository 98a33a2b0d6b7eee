//! Programs that run in a guest, and udev.

use crate::guest::client::strange;
use crate::guest::{CallError, Guest};
use crate::storage;
use halfway_case::observation::Member;
use halfway_protocol::message::{ProgramState, Refusal, Reply, Request};
use std::time::Duration;

/// How long a program may take that does something and ends.
const PROGRAM: Duration = Duration::from_secs(90);

/// In the place of Debian's rules: what a disk is called, and no look at its
/// content, which would be an I/O that the case does not ask for.
const RULES: &str = "ACTION!=\"remove\", SUBSYSTEM==\"block\", KERNEL==\"sd*\", \
    ENV{DEVTYPE}==\"disk\", \
    IMPORT{program}=\"/lib/udev/scsi_id --export --whitelisted -d $devnode\"\n";

/// Has udev run, which multipathd asks for what a disk is.
pub async fn start_udev(guest: &Guest) -> Result<(), CallError> {
    for (path, text) in [
        ("/run/lock/halfway", ""),
        ("/var/run/multipathd/halfway", ""),
        ("/etc/udev/udev.conf", ""),
        ("/etc/udev/rules.d/60-persistent-storage.rules", RULES),
        ("/etc/udev/rules.d/60-persistent-storage-dm.rules", ""),
    ] {
        write(guest, path, text).await?;
    }
    run(guest, "/lib/systemd/systemd-udevd --daemon")
        .await
        .map(drop)
}

/// Waits until udev has nothing to do.
pub async fn settle(guest: &Guest) -> Result<(), CallError> {
    run(guest, "/bin/udevadm settle -t 60").await.map(drop)
}

/// Writes a file in the guest.
pub async fn write(guest: &Guest, path: &str, text: &str) -> Result<(), CallError> {
    let (path, text) = (path.to_owned(), text.to_owned());
    guest
        .call(Request::WriteFile { path, text })
        .await
        .map(drop)
}

/// Starts a program.
pub async fn begin(guest: &Guest, command: &str) -> Result<(), CallError> {
    let started = guest.call(Request::ProgramStart {
        device: storage::serial(Member::Leg(0)),
        argv: command.split(' ').map(str::to_owned).collect(),
        env: Vec::new(),
    });
    started.await.map(drop)
}

/// What a program has said when it has ended, and its status.
pub async fn ended(guest: &Guest, command: &str) -> Result<(i32, String), CallError> {
    let wait = Request::ProgramWait {
        deadline_ms: PROGRAM.as_millis() as u64,
    };
    match guest.call_within(wait, 2 * PROGRAM).await? {
        Reply::Program(ProgramState::Ended { status, output }) => Ok((status, output)),
        Reply::Program(ProgramState::Running) => {
            Err(refused(format!("waiting for {command} to end"), ""))
        }
        other => Err(strange(other)),
    }
}

/// Runs a program that must succeed, and gives what it has said.
pub async fn run(guest: &Guest, command: &str) -> Result<String, CallError> {
    begin(guest, command).await?;
    match ended(guest, command).await? {
        (0, output) => Ok(output),
        (status, output) => {
            let doing = format!("running {command}, which ended with status {status}");
            Err(refused(doing, output.trim()))
        }
    }
}

/// That the guest did not do something.
pub fn refused(doing: String, detail: &str) -> CallError {
    CallError::Refused(Refusal {
        doing,
        errno: None,
        detail: detail.to_owned(),
    })
}

//! Starts the shell: on a pseudo terminal for a person; on pipes for a script, or if the
//! kernel has no pseudo terminals.

use crate::refuse::Refuse;
use halfway_protocol::message::Refusal;
use halfway_protocol::session::{Frame, Size, Terminal};
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount};
use rustix::process::{Pid, ioctl_tiocsctty, setsid};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::stdio;
use rustix::termios::{self, InputModes, OptionalActions, Winsize};
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// The path of the shell.
pub const SHELL: &str = "/bin/sh";

/// The kind of frame that carries a piece of output to the host.
pub type OutputFrame = fn(Vec<u8>) -> Frame;

/// A running shell.
pub struct Shell {
    /// Its process id.
    pub pid: Pid,
    /// Where its input is written to.
    pub input: File,
    /// Where its output is read from, each with the kind of frame that carries it.
    pub outputs: Vec<(File, OutputFrame)>,
    /// Why it has no terminal, although one was asked for.
    pub without_terminal: Option<String>,
}

/// Starts the shell.
///
/// # Errors
/// It cannot be started.
pub fn start(terminal: Option<Terminal>) -> Result<Shell, Refusal> {
    let Some(terminal) = terminal else {
        return on_pipes(command("dumb"), None);
    };
    let mut command = command(&terminal.kind);
    command.arg("-i");
    match open(terminal.size) {
        Ok((host, guest)) => on_terminal(command, host, guest),
        Err(refusal) => on_pipes(command, Some(refusal.to_string())),
    }
}

fn command(terminal: &str) -> Command {
    let mut command = Command::new(SHELL);
    command.env_clear().current_dir("/").envs([
        ("PATH", "/bin:/sbin:/usr/bin:/usr/sbin"),
        ("HOME", "/"),
        ("TERM", terminal),
        ("PS1", "halfway:\\w# "),
    ]);
    command
}

/// Opens a new pseudo terminal. Returns its two sides.
fn open(size: Size) -> Result<(OwnedFd, OwnedFd), Refusal> {
    const PTS: &str = "/dev/pts";
    let doing = || "opening a pseudo terminal, which CONFIG_UNIX98_PTYS gives".to_owned();
    let _ = fs::create_dir(PTS);
    match mount("devpts", PTS, "devpts", MountFlags::empty(), None) {
        Ok(()) | Err(Errno::BUSY) => {}
        Err(error) => return Err(error).refuse(doing),
    }
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let host = openpt(flags).refuse(doing)?;
    unlockpt(&host).refuse(doing)?;
    let guest = ioctl_tiocgptpeer(&host, flags).refuse(doing)?;
    let mut modes = termios::tcgetattr(&guest).refuse(doing)?;
    // So that a whole UTF-8 character is erased, not a byte.
    modes.input_modes |= InputModes::IUTF8;
    termios::tcsetattr(&guest, OptionalActions::Now, &modes).refuse(doing)?;
    resize(&host, size);
    Ok((host, guest))
}

/// Sets the size of a terminal. Does nothing if this is not a terminal.
pub fn resize(terminal: impl std::os::fd::AsFd, size: Size) {
    let size = Winsize {
        ws_row: size.rows,
        ws_col: size.columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let _ = termios::tcsetwinsize(terminal, size);
}

fn on_terminal(mut command: Command, host: OwnedFd, guest: OwnedFd) -> Result<Shell, Refusal> {
    let doing = || format!("starting {SHELL} on a terminal");
    command
        .stdin(guest.try_clone().refuse(doing)?)
        .stdout(guest.try_clone().refuse(doing)?)
        .stderr(guest);
    // SAFETY: both are system calls that touch no memory.
    unsafe {
        command.pre_exec(|| {
            setsid()?;
            Ok(ioctl_tiocsctty(stdio::stdin())?)
        });
    }
    let child = command.spawn().refuse(doing)?;
    let output = File::from(host.try_clone().refuse(doing)?);
    Ok(Shell {
        pid: Pid::from_child(&child),
        input: host.into(),
        outputs: vec![(output, Frame::Output)],
        without_terminal: None,
    })
}

fn on_pipes(mut command: Command, without_terminal: Option<String>) -> Result<Shell, Refusal> {
    let doing = || format!("starting {SHELL}");
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child: Child = command.spawn().refuse(doing)?;
    let pid = Pid::from_child(&child);
    let input = child.stdin.take().map(OwnedFd::from);
    let output = child.stdout.take().map(OwnedFd::from);
    let errors = child.stderr.take().map(OwnedFd::from);
    let file = |pipe: Option<OwnedFd>| File::from(pipe.expect("all three are pipes"));
    Ok(Shell {
        pid,
        input: file(input),
        outputs: vec![(file(output), Frame::Output), (file(errors), Frame::Errors)],
        without_terminal,
    })
}

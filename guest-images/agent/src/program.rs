//! Runs programs in the guest, one at a time, and mounts the file system that they work
//! on.

use crate::refuse::{Refuse, refusal};
use halfway_protocol::message::{ProgramState, Refusal};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The directory where file systems are mounted.
const MOUNT: &str = "/mnt";

/// The file that a program's output goes to.
const OUTPUT: &str = "/tmp/program.out";

/// How many of the last bytes of a program's output are reported.
const TOLD: usize = 4096;

/// How often to check whether the program has ended.
const LOOK: Duration = Duration::from_millis(5);

/// The program that is running, if there is one.
#[derive(Default)]
pub struct Program {
    child: Option<Child>,
}

impl Program {
    /// Starts a program. Its environment has only a path and `env`.
    ///
    /// # Errors
    /// Another program is running, or there is no such program.
    pub fn start(&mut self, argv: &[String], env: &[(String, String)]) -> Result<(), Refusal> {
        let doing = || format!("starting {}", argv.join(" "));
        let (Some((program, arguments)), None) = (argv.split_first(), &self.child) else {
            return Err(refusal(doing(), "there is none, or another one still runs"));
        };
        let output = File::create(OUTPUT).refuse(doing)?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .env("PATH", "/bin:/sbin:/usr/bin:/usr/sbin")
            .envs(env.iter().map(|(name, value)| (name, value)))
            .current_dir("/tmp")
            .stdin(Stdio::null())
            .stdout(output.try_clone().refuse(doing)?)
            .stderr(output);
        // SAFETY: signal is async-signal-safe and touches no memory.
        unsafe {
            command.pre_exec(|| {
                libc::signal(libc::SIGCHLD, libc::SIG_DFL);
                Ok(())
            });
        }
        keep_children(true);
        match command.spawn() {
            Ok(child) => self.child = Some(child),
            Err(error) => {
                keep_children(false);
                return Err(error).refuse(doing);
            }
        }
        Ok(())
    }

    /// Asks the program to end.
    ///
    /// # Errors
    /// No program is running.
    pub fn end(&mut self) -> Result<(), Refusal> {
        let doing = || "ending a program".to_owned();
        let Some(child) = &self.child else {
            return Err(refusal(doing(), "there is none"));
        };
        kill_process(Pid::from_child(child), Signal::TERM).refuse(doing)
    }

    /// Waits for the program to end.
    ///
    /// # Errors
    /// No program is running.
    pub fn wait(&mut self, deadline: Duration) -> Result<ProgramState, Refusal> {
        let doing = || "waiting for a program".to_owned();
        let Some(child) = &mut self.child else {
            return Err(refusal(doing(), "none runs"));
        };
        let since = Instant::now();
        let status = loop {
            match child.try_wait().refuse(doing)? {
                Some(status) => break status,
                None if since.elapsed() >= deadline => return Ok(ProgramState::Running),
                None => thread::sleep(LOOK),
            }
        };
        self.child = None;
        keep_children(false);
        let output = fs::read(OUTPUT).refuse(doing)?;
        let from = output.len().saturating_sub(TOLD);
        Ok(ProgramState::Ended {
            status: status.code().unwrap_or(-status.signal().unwrap_or(0)),
            output: String::from_utf8_lossy(&output[from..]).into_owned(),
        })
    }
}

/// Sets whether ended children stay until they are waited for. If not, the kernel reaps
/// them, and their status is lost. Orphans that have ended meanwhile are reaped here.
fn keep_children(keep: bool) {
    let handler = if keep { libc::SIG_DFL } else { libc::SIG_IGN };
    // SAFETY: neither handler is code of this program, and waitpid gets no address.
    unsafe {
        libc::signal(libc::SIGCHLD, handler);
        while !keep && libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) > 0 {}
    }
}

/// Writes a file, and makes the directories that lead to it.
pub fn write_file(path: &str, text: &str) -> Result<(), Refusal> {
    let doing = || format!("writing {path}");
    if let Some(directory) = Path::new(path).parent() {
        fs::create_dir_all(directory).refuse(doing)?;
    }
    fs::write(path, text).refuse(doing)
}

/// Mounts a block device at `/mnt`.
pub fn mount_at(device: &str, filesystem: &str) -> Result<(), Refusal> {
    let doing = || format!("mounting {filesystem} of {device} at {MOUNT}");
    fs::create_dir_all(MOUNT).refuse(doing)?;
    mount(device, MOUNT, filesystem, MountFlags::empty(), None).refuse(doing)
}

/// Unmounts what is mounted at `/mnt`.
pub fn unmount_it() -> Result<(), Refusal> {
    unmount(MOUNT, UnmountFlags::empty()).refuse(|| format!("unmounting {MOUNT}"))
}

//! The life of a machine.

use super::command::{self, Boot, file};
use super::pipe::Listener;
use super::process;
use super::qmp::{GreetError, Qmp};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::net::{UnixListener, UnixStream};
use tokio::process::{Child, Command};

/// How long QEMU may take from exec until its monitor answers.
const START: Duration = Duration::from_secs(20);

/// Why QEMU could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The binary is not there or cannot be run.
    #[error("failed to run {program}: is QEMU installed? (`ci/setup` installs it)", program = .program.display())]
    Run {
        /// The binary.
        program: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The private directory, a socket or a pipe could not be made.
    #[error("failed to prepare {}", .path.display())]
    Prepare {
        /// What was being made.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// QEMU, or its storage daemon, ended at once.
    #[error("{who} ended before its monitor answered ({status}): {stderr}")]
    Ended {
        /// Which of them.
        who: &'static str,
        /// Its exit status.
        status: String,
        /// What it said.
        stderr: String,
    },
    /// Its monitor failed.
    #[error(transparent)]
    Monitor(#[from] GreetError),
    /// Nothing came from it.
    #[error("{who}'s monitor did not answer within {} s of its start: {stderr}", START.as_secs())]
    Late {
        /// Which of them.
        who: &'static str,
        /// What it said.
        stderr: String,
    },
}

struct Parts {
    child: Child,
    qmp: Qmp,
    console: Listener,
    stderr: Listener,
    /// Goes with it.
    _directory: TempDir,
    started: Instant,
}

/// A machine whose guest has not yet said hello.
pub struct Booting {
    parts: Parts,
    agent: UnixStream,
    shell: Option<UnixStream>,
}

impl Booting {
    /// Starts QEMU in `directory` (private to this machine, and gone with it).
    ///
    /// `disks` are the arguments of the legs; `shell` asks for a port for an
    /// interactive shell.
    pub async fn start(
        boot: &Boot,
        directory: TempDir,
        disks: &[String],
        shell: bool,
    ) -> Result<Self, StartError> {
        let at = |name: &str| directory.path().join(name);
        let prepare = |path: PathBuf| move |source| StartError::Prepare { path, source };
        let listen = |name: &str| UnixListener::bind(at(name)).map_err(prepare(at(name)));

        let monitor = listen(file::QMP)?;
        let agent = listen(file::AGENT)?;
        let shell_listener = if shell {
            Some(listen(file::SHELL)?)
        } else {
            None
        };
        let console = Listener::at(&at(file::CONSOLE)).map_err(prepare(at(file::CONSOLE)))?;

        let args = command::arguments(boot, directory.path(), disks, shell);
        let mut command = Command::new(&boot.qemu);
        command
            .args(&args)
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let started = Instant::now();
        let mut child = process::bound_to_us(&mut command)
            .spawn()
            .map_err(|source| StartError::Run {
                program: boot.qemu.clone(),
                source,
            })?;
        let stderr = Listener::to(child.stderr.take().expect("stderr is piped"), None);

        let meet = async {
            let (monitor, _) = monitor.accept().await?;
            let (agent, _) = agent.accept().await?;
            let shell = match shell_listener {
                Some(listener) => Some(listener.accept().await?.0),
                None => None,
            };
            Ok::<_, io::Error>((monitor, agent, shell))
        };
        let met = self::meet("QEMU", &mut child, &stderr, directory.path(), meet).await;
        let (monitor, agent, shell) = met?;
        let qmp = Qmp::greet(monitor).await?;
        let parts = Parts {
            child,
            qmp,
            console,
            stderr,
            _directory: directory,
            started,
        };
        Ok(Booting {
            parts,
            agent,
            shell,
        })
    }

    /// What to watch while it boots: the stream that the agent will say hello
    /// on, the guest's console, and QEMU's end.
    pub fn watch(
        &mut self,
    ) -> (
        &mut UnixStream,
        &mut Listener,
        impl Future<Output = String> + '_,
    ) {
        let child = &mut self.parts.child;
        let ended = async move { describe(child.wait().await.ok()) };
        (&mut self.agent, &mut self.parts.console, ended)
    }

    /// Time since QEMU was started.
    pub fn elapsed(&self) -> Duration {
        self.parts.started.elapsed()
    }

    /// The guest has said hello: the machine serves.
    pub fn up(self) -> (Machine, UnixStream, Option<UnixStream>) {
        (Machine { parts: self.parts }, self.agent, self.shell)
    }

    /// Gives the boot up.
    pub async fn end(self) -> Wreck {
        Machine { parts: self.parts }.end().await
    }
}

/// A machine whose guest serves cases.
pub struct Machine {
    parts: Parts,
}

impl Machine {
    /// QEMU's monitor.
    pub fn qmp(&self) -> &Qmp {
        &self.parts.qmp
    }

    /// The guest's console.
    pub fn console(&self) -> &Listener {
        &self.parts.console
    }

    /// QEMU's stderr.
    pub fn stderr(&self) -> &Listener {
        &self.parts.stderr
    }

    /// QEMU's process id, 0 once it has ended.
    pub fn pid(&self) -> u32 {
        self.parts.child.id().unwrap_or(0)
    }

    /// How QEMU ended, if it has.
    pub fn try_ended(&mut self) -> Option<String> {
        self.parts
            .child
            .try_wait()
            .ok()
            .flatten()
            .map(|status| describe(Some(status)))
    }

    /// Waits at most `patience` for QEMU to end by itself.
    pub async fn ended_within(&mut self, patience: Duration) -> Option<String> {
        let status = tokio::time::timeout(patience, self.parts.child.wait())
            .await
            .ok()?;
        Some(describe(status.ok()))
    }

    /// Kills QEMU in mid-work: a stuck monitor cannot be asked to quit.
    pub fn kill(&mut self) {
        process::kill_group(self.pid());
    }

    /// Ends the machine and keeps what it said.
    pub async fn end(mut self) -> Wreck {
        let status = self.try_ended();
        self.kill();
        let _ = self.parts.child.wait().await;
        // What was written before the end is read before the pipes are closed.
        tokio::task::yield_now().await;
        Wreck {
            console: self.parts.console.since(0),
            stderr: self.parts.stderr.since(0),
            status,
        }
    }
}

/// Waits until a process that was just started has connected to us, as `met`
/// says; `directory` is where the sockets are.
pub(super) async fn meet<T>(
    who: &'static str,
    child: &mut Child,
    stderr: &Listener,
    directory: &Path,
    met: impl Future<Output = io::Result<T>>,
) -> Result<T, StartError> {
    let said = || stderr.since(0).trim().to_owned();
    tokio::select! {
        met = met => met.map_err(|source| StartError::Prepare { path: directory.to_owned(), source }),
        status = child.wait() => {
            // Its last words may still be on their way to us.
            tokio::time::sleep(Duration::from_millis(50)).await;
            Err(StartError::Ended { who, status: describe(status.ok()), stderr: said() })
        }
        () = tokio::time::sleep(START) => Err(StartError::Late { who, stderr: said() }),
    }
}

/// What is left of a machine.
#[derive(Clone, Debug)]
pub struct Wreck {
    /// The guest's console, or its end where it is long.
    pub console: String,
    /// QEMU's stderr.
    pub stderr: String,
    /// How QEMU ended, where it did so before it was killed.
    pub status: Option<String>,
}

fn describe(status: Option<ExitStatus>) -> String {
    use std::os::unix::process::ExitStatusExt;
    match status {
        None => "unknown status".to_owned(),
        Some(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit status {code}"),
            (None, Some(signal)) => format!("killed by signal {signal}"),
            (None, None) => status.to_string(),
        },
    }
}

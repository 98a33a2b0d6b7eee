//! The states of a machine, from its start to its end.

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
    /// The binary does not exist or cannot be executed.
    #[error("failed to run {program}: is QEMU installed? (`ci/setup` installs it)", program = .program.display())]
    Run {
        /// The path of the binary.
        program: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The private directory, a socket or a pipe could not be made.
    #[error("failed to prepare {}", .path.display())]
    Prepare {
        /// The path that could not be made.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// QEMU, or its storage daemon, ended before its monitor answered.
    #[error("{who} ended before its monitor answered ({status}): {stderr}")]
    Ended {
        /// The name of the program.
        who: &'static str,
        /// Its exit status, in words.
        status: String,
        /// What it printed on stderr.
        stderr: String,
    },
    /// The handshake with the monitor failed.
    #[error(transparent)]
    Monitor(#[from] GreetError),
    /// QEMU, or its storage daemon, did not connect to its monitor's socket in time.
    #[error("{who}'s monitor did not answer within {} s of its start: {stderr}", START.as_secs())]
    Late {
        /// The name of the program.
        who: &'static str,
        /// What it printed on stderr.
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

/// A machine whose guest has not said hello yet.
pub struct Booting {
    parts: Parts,
    agent: UnixStream,
    shell: Option<UnixStream>,
}

impl Booting {
    /// Starts QEMU in `directory`, which belongs to this machine alone and is removed
    /// with it.
    ///
    /// `disks` are the arguments for the legs. `shell` asks for a port for an interactive
    /// shell.
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

    /// What to watch during the boot: the stream on which the agent says hello, the
    /// guest's console, and the end of QEMU.
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

    /// The time since QEMU was started.
    pub fn elapsed(&self) -> Duration {
        self.parts.started.elapsed()
    }

    /// Call this when the guest has said hello: the machine can serve cases.
    pub fn up(self) -> (Machine, UnixStream, Option<UnixStream>) {
        (Machine { parts: self.parts }, self.agent, self.shell)
    }

    /// Ends a machine that has not booted.
    pub async fn end(self) -> Wreck {
        Machine { parts: self.parts }.end().await
    }
}

/// A machine whose guest serves cases.
pub struct Machine {
    parts: Parts,
}

impl Machine {
    /// The connection to QEMU's monitor.
    pub fn qmp(&self) -> &Qmp {
        &self.parts.qmp
    }

    /// What the guest prints on its console.
    pub fn console(&self) -> &Listener {
        &self.parts.console
    }

    /// What QEMU prints on stderr.
    pub fn stderr(&self) -> &Listener {
        &self.parts.stderr
    }

    /// QEMU's process id, 0 once it has ended.
    pub fn pid(&self) -> u32 {
        self.parts.child.id().unwrap_or(0)
    }

    /// The exit status of QEMU, if it has ended.
    pub fn try_ended(&mut self) -> Option<String> {
        self.parts
            .child
            .try_wait()
            .ok()
            .flatten()
            .map(|status| describe(Some(status)))
    }

    /// Waits up to `patience` for QEMU to end by itself.
    pub async fn ended_within(&mut self, patience: Duration) -> Option<String> {
        let status = tokio::time::timeout(patience, self.parts.child.wait())
            .await
            .ok()?;
        Some(describe(status.ok()))
    }

    /// Kills QEMU at once. It is not asked to quit, because its monitor may be stuck.
    pub fn kill(&mut self) {
        process::kill_group(self.pid());
    }

    /// Ends the machine, and keeps what it printed.
    pub async fn end(mut self) -> Wreck {
        let status = self.try_ended();
        self.kill();
        let _ = self.parts.child.wait().await;
        // Read what was written before the end, before the pipes are closed.
        tokio::task::yield_now().await;
        Wreck {
            console: self.parts.console.since(0),
            stderr: self.parts.stderr.since(0),
            status,
        }
    }
}

/// Waits until a process that was just started has connected, as `met` checks.
/// `directory` holds the sockets.
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
            // Its last messages may not have arrived yet.
            tokio::time::sleep(Duration::from_millis(50)).await;
            Err(StartError::Ended { who, status: describe(status.ok()), stderr: said() })
        }
        () = tokio::time::sleep(START) => Err(StartError::Late { who, stderr: said() }),
    }
}

/// What is left of a machine after its end.
#[derive(Clone, Debug)]
pub struct Wreck {
    /// What the guest printed on its console. If that is long, only the end of it.
    pub console: String,
    /// What QEMU printed on stderr.
    pub stderr: String,
    /// The exit status of QEMU, if it ended before it was killed.
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

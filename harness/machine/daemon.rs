//! The storage daemon of a machine: QEMU's block layer in a process of its own,
//! for legs whose front is not QEMU.

use super::file;
use super::life::{self, StartError};
use super::pipe::Listener;
use super::process;
use super::qmp::Qmp;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::net::UnixListener;
use tokio::process::{Child, Command};

const NAME: &str = "qemu-storage-daemon";

/// The storage daemon that belongs to a QEMU: the one beside it, or the one
/// that the system finds.
pub fn program(qemu: &Path) -> PathBuf {
    let beside = qemu.parent().map(|directory| directory.join(NAME));
    match beside.filter(|path| path.is_absolute() && path.exists()) {
        Some(path) => path,
        None => NAME.into(),
    }
}

/// A running storage daemon. It ends when this is dropped, and with the
/// harness, however that ends.
pub struct Daemon {
    _process: Child,
    qmp: Qmp,
    /// Reads on, or the daemon would wait once it has said much.
    _stderr: Listener,
}

impl Daemon {
    /// Starts it in `directory`, the machine's own. `args` are its nodes and
    /// exports, which are there once this returns.
    pub async fn start(
        program: &Path,
        directory: &Path,
        args: &[String],
    ) -> Result<Self, StartError> {
        let socket = directory.join(file::DAEMON_QMP);
        let monitor = UnixListener::bind(&socket).map_err(|source| StartError::Prepare {
            path: socket.clone(),
            source,
        })?;
        let mut command = Command::new(program);
        // It does them in their order: it comes to us when all is done.
        command
            .args(args)
            .arg("--chardev")
            .arg(format!(
                "socket,id=qmp,path={},server=off",
                socket.display()
            ))
            .args(["--monitor", "chardev=qmp"])
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = process::bound_to_us(&mut command)
            .spawn()
            .map_err(|source| StartError::Run {
                program: program.to_owned(),
                source,
            })?;
        let stderr = Listener::to(child.stderr.take().expect("stderr is piped"), None);
        let meet = async { Ok(monitor.accept().await?.0) };
        let stream = life::meet(NAME, &mut child, &stderr, directory, meet).await?;
        Ok(Daemon {
            _process: child,
            qmp: Qmp::greet(stream).await?,
            _stderr: stderr,
        })
    }

    /// Its monitor.
    pub fn qmp(&self) -> &Qmp {
        &self.qmp
    }
}

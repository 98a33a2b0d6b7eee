//! The storage daemon of a machine: QEMU's block layer in a process of its own. It is
//! used for legs that are attached to the SCSI target instead of QEMU.

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

/// The path of the storage daemon that belongs to a QEMU: the one in the same directory,
/// or else the one in `PATH`.
pub fn program(qemu: &Path) -> PathBuf {
    let beside = qemu.parent().map(|directory| directory.join(NAME));
    match beside.filter(|path| path.is_absolute() && path.exists()) {
        Some(path) => path,
        None => NAME.into(),
    }
}

/// A running storage daemon. It ends when this is dropped, and also when the harness ends
/// in any way.
pub struct Daemon {
    _process: Child,
    qmp: Qmp,
    /// Reads on, or the daemon would wait once it has said much.
    _stderr: Listener,
}

impl Daemon {
    /// Starts the daemon in `directory`, the machine's private directory. `args` define
    /// its nodes and exports. They exist when this returns.
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
        // The daemon executes its options in order. The monitor is last, so it connects
        // when all else is done.
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

    /// The daemon's monitor.
    pub fn qmp(&self) -> &Qmp {
        &self.qmp
    }
}

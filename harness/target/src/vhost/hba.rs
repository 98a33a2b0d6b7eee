//! An HBA: a socket that QEMU connects to, and the thread that serves it.

use super::Memory;
use super::device::{Device, Presence, Setting, WAKE};
use super::worker::Worker;
use crate::nbd::{Client, Interrupt};
use crate::scsi::execute::Policy;
use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use vhost::vhost_user::{Error as VhostError, Listener};
use vhost_user_backend::{Error as DaemonError, ShutdownHandle, VhostUserDaemon};
use vm_memory::GuestMemoryAtomic;
use vmm_sys_util::epoll::{ControlOperation, Epoll, EpollEvent, EventSet};
use vmm_sys_util::event::{
    EventConsumer, EventFlag, EventNotifier, new_event_consumer_and_notifier,
};

/// A running HBA. Dropping it closes its connection, ends its threads and
/// removes its socket.
pub struct Hba {
    socket: PathBuf,
    shared: Arc<Shared>,
    interrupt: Interrupt,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    device: Arc<Device<Client>>,
    end: (EventConsumer, EventNotifier),
    ending: AtomicBool,
    connection: Mutex<Option<ShutdownHandle>>,
    trouble: Mutex<Vec<String>>,
}

impl Hba {
    /// Listens on `socket` and serves one connection after the other.
    /// `interrupt` interrupts the worker's storage.
    pub fn start(
        name: &str,
        socket: &Path,
        worker: Worker<Client>,
        interrupt: Interrupt,
    ) -> io::Result<Self> {
        let flags = EventFlag::NONBLOCK | EventFlag::CLOEXEC;
        let shared = Arc::new(Shared {
            device: Arc::new(Device::new(worker)?),
            end: new_event_consumer_and_notifier(flags)?,
            ending: AtomicBool::new(false),
            connection: Mutex::default(),
            trouble: Mutex::default(),
        });
        let listener = UnixListener::bind(socket)?;
        let mut hba = Hba {
            socket: socket.to_owned(),
            shared: Arc::clone(&shared),
            interrupt,
            thread: None,
        };
        let name = name.to_owned();
        let thread = Builder::new().name(format!("hba-{name}"));
        hba.thread = Some(thread.spawn(move || shared.serve(&name, listener.into()))?);
        Ok(hba)
    }

    /// Changes how failures are found and reported.
    pub fn set_policy(&self, policy: Policy) {
        self.shared.device.set(|setting| setting.policy = policy);
    }

    /// Silences the HBA, removes it, or brings it back.
    pub fn set_presence(&self, presence: Presence) {
        self.shared
            .device
            .set(|setting| setting.presence = presence);
    }

    /// The setting that applies now.
    pub fn setting(&self) -> Setting {
        self.shared.device.setting()
    }

    /// Closes QEMU's connection, as if this process had died. The socket stays:
    /// a new QEMU may connect, and so may the old one if it was told to
    /// (`reconnect=`, in versions that have it).
    pub fn disconnect(&self) {
        if let Some(connection) = &*locked(&self.shared.connection) {
            connection.shutdown();
        }
    }

    /// How many requests are kept without an answer. This does not wait for the
    /// request under way.
    pub fn unanswered(&self) -> usize {
        self.shared.device.unanswered()
    }

    /// Whether QEMU is connected.
    pub fn is_connected(&self) -> bool {
        locked(&self.shared.connection).is_some()
    }

    /// Messages for people about what should not have happened.
    pub fn trouble(&self) -> Vec<String> {
        locked(&self.shared.trouble).clone()
    }
}

impl Drop for Hba {
    fn drop(&mut self) {
        self.shared.ending.store(true, Ordering::SeqCst);
        // A request that waits for its storage would block the thread.
        self.interrupt.interrupt();
        // Adding 1 to an eventfd's counter cannot overflow it.
        let _ = self.shared.end.1.notify();
        self.disconnect();
        if let Some(thread) = self.thread.take() {
            // If the thread panicked, there is nothing left to end.
            let _ = thread.join();
        }
        // The directory may be gone already.
        let _ = fs::remove_file(&self.socket);
    }
}

impl Shared {
    fn serve(&self, name: &str, mut listener: Listener) {
        while !self.ending.load(Ordering::SeqCst) {
            if let Err(why) = self.serve_one(name, &mut listener) {
                locked(&self.trouble).push(why);
            }
        }
    }

    fn serve_one(&self, name: &str, listener: &mut Listener) -> Result<(), String> {
        // `accept` itself cannot be interrupted.
        self.wait_for_connection(listener)
            .map_err(|error| format!("{name}: cannot wait for QEMU: {error}"))?;
        if self.ending.load(Ordering::SeqCst) {
            return Ok(());
        }
        let failed = |error: DaemonError| format!("{name}: {error}");
        let memory = GuestMemoryAtomic::new(Memory::new());
        let device = Arc::clone(&self.device);
        let mut daemon = VhostUserDaemon::new(name.to_owned(), device, memory).map_err(failed)?;
        for rings in daemon.get_epoll_handlers() {
            let wake = self.device.wake().as_raw_fd();
            rings
                .register_listener(wake, EventSet::IN, WAKE.into())
                .map_err(|error| format!("{name}: cannot watch for changes: {error}"))?;
        }
        daemon.start(listener).map_err(failed)?;
        *locked(&self.connection) = daemon.shutdown_handle();
        // The HBA may have been told to end before there was a connection to
        // close.
        if self.ending.load(Ordering::SeqCst) {
            daemon.request_shutdown();
        }
        let ended = daemon.wait();
        *locked(&self.connection) = None;
        drop(daemon);
        self.device.disconnected();
        match ended {
            // QEMU left, or was killed in the middle of a message.
            Ok(())
            | Err(DaemonError::HandleRequest(
                VhostError::Disconnected | VhostError::PartialMessage,
            )) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }

    fn wait_for_connection(&self, listener: &Listener) -> io::Result<()> {
        let epoll = Epoll::new()?;
        for fd in [listener.as_raw_fd(), self.end.0.as_raw_fd()] {
            epoll.ctl(ControlOperation::Add, fd, EpollEvent::new(EventSet::IN, 0))?;
        }
        loop {
            match epoll.wait(-1, &mut [EpollEvent::default()]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other.map(|_| ()),
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

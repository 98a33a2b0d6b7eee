//! Ctrl-C, and the other signals that ask a program to end.
//!
//! The first signal stops the run after the cases in flight have been torn down. The
//! second drops the run where it stands, which ends its machines. The third ends the
//! process; its machines have a parent-death signal, so the kernel ends them.

use super::Exit;
use std::io;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Listens for signals until the process ends.
#[derive(Debug)]
pub struct Interrupt {
    /// Becomes true when the run must stop. Other parts of the program may set it too.
    pub stop: watch::Sender<bool>,
    now: watch::Receiver<bool>,
}

impl Interrupt {
    /// Starts to listen, in the current tokio runtime.
    ///
    /// # Errors
    /// A signal handler could not be installed.
    pub fn listen() -> io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let (stop, _) = watch::channel(false);
        let (drop_it, now) = watch::channel(false);
        let first = stop.clone();
        tokio::spawn(async move {
            for count in 1.. {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hangup.recv() => {}
                }
                match count {
                    1 => drop(first.send_replace(true)),
                    2 => drop(drop_it.send_replace(true)),
                    _ => std::process::exit(Exit::Infrastructure.code().into()),
                }
            }
        });
        Ok(Interrupt { stop, now })
    }

    /// Waits until the run must stop. Used before the run has begun, when there is
    /// nothing to tear down.
    pub async fn asked(&self) {
        // This struct owns the sender, so the wait cannot fail.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }

    /// Waits until the run must end where it stands.
    pub async fn now(&mut self) {
        // An error means that the sender is gone, so nobody can ask for it any more.
        if self.now.wait_for(|now| *now).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

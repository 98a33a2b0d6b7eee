//! Ctrl-C, and the other signals that ask a program to end.
//!
//! The first one stops the run once the cases in flight are torn down. The
//! second one drops the run where it stands, which ends its machines. The third
//! one ends the process; the kernel then ends the machines, which have a
//! parent-death signal.

use super::Exit;
use std::io;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Listens for signals for as long as the process lives.
#[derive(Debug)]
pub struct Interrupt {
    /// Becomes true when the run is to stop. Others may stop it too.
    pub stop: watch::Sender<bool>,
    now: watch::Receiver<bool>,
}

impl Interrupt {
    /// Starts to listen, in the current tokio runtime.
    ///
    /// # Errors
    /// A signal handler cannot be installed.
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

    /// Comes back when the run is to stop: before it has begun, that is all
    /// there is to do.
    pub async fn asked(&self) {
        // The sender is our own, so there is no error.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }

    /// Comes back when the run is to end where it stands.
    pub async fn now(&mut self) {
        // An error means that nobody can ask for it any more.
        if self.now.wait_for(|now| *now).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

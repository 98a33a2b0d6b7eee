//! QMP with a watchdog. QEMU's monitor hangs while a request is held, and the harness
//! must not hang with it.

use crate::storage;
use futures_util::StreamExt;
use qapi::ExecuteResult;
use qapi::futures::{QapiService, QmpStreamTokio};
use qapi::qmp::{Event, QmpCommand};
use std::io;
use std::time::Duration;
use tokio::io::{ReadHalf, WriteHalf};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long a monitor command may take before QEMU counts as stuck. Commands take
/// milliseconds, and perhaps seconds on a busy host.
const PATIENCE: Duration = Duration::from_secs(15);

/// Why the handshake with the monitor failed.
#[derive(Debug, thiserror::Error)]
pub enum GreetError {
    /// QEMU sent something unexpected, or closed the connection.
    #[error("failed to greet QEMU's monitor")]
    Handshake(#[source] std::io::Error),
    /// QEMU did not answer in time.
    #[error("QEMU's monitor did not greet in {} s", PATIENCE.as_secs())]
    Stuck,
}

type Writer = QmpStreamTokio<WriteHalf<UnixStream>>;

/// A connection to QEMU's monitor.
pub struct Qmp {
    service: QapiService<Writer>,
    events: JoinHandle<()>,
    /// How many times the machine has stopped.
    stops: watch::Receiver<u32>,
    /// The ids of the devices that were unplugged, in order.
    deleted: watch::Receiver<Vec<String>>,
}

impl Qmp {
    /// Does the handshake with the monitor behind `stream`.
    pub async fn greet(stream: UnixStream) -> Result<Self, GreetError> {
        let negotiate = async {
            let negotiation = QmpStreamTokio::<ReadHalf<UnixStream>>::open(stream).await?;
            negotiation.negotiate().await
        };
        let stream = tokio::time::timeout(PATIENCE, negotiate)
            .await
            .map_err(|_| GreetError::Stuck)?
            .map_err(GreetError::Handshake)?;
        let (service, events) = stream.into_parts();
        let (stopped, stops) = watch::channel(0);
        let (gone, deleted) = watch::channel(Vec::new());
        let events = tokio::task::spawn_local(async move {
            let mut events = std::pin::pin!(events);
            while let Some(Ok(event)) = events.next().await {
                match event {
                    Event::STOP { .. } => stopped.send_modify(|count| *count += 1),
                    Event::DEVICE_DELETED { data, .. } => {
                        gone.send_modify(|all: &mut Vec<String>| all.extend(data.device));
                    }
                    _ => {}
                }
            }
        });
        Ok(Qmp {
            service,
            events,
            stops,
            deleted,
        })
    }
}

impl Qmp {
    /// How many times the machine has stopped: the current number and each change. Stops
    /// are counted, not the events of disk errors, because QEMU limits the rate of those.
    pub fn stops(&self) -> watch::Receiver<u32> {
        self.stops.clone()
    }

    /// The ids of the devices that were unplugged: the current list and each change.
    pub fn deleted(&self) -> watch::Receiver<Vec<String>> {
        self.deleted.clone()
    }
}

impl storage::Qmp for Qmp {
    async fn execute<C: QmpCommand>(&self, command: C) -> ExecuteResult<C> {
        let answer = tokio::time::timeout(PATIENCE, self.service.execute(command)).await;
        answer.unwrap_or_else(|_| {
            let text = format!("no answer to {} in {} s", C::NAME, PATIENCE.as_secs());
            Err(io::Error::new(io::ErrorKind::TimedOut, text).into())
        })
    }
}

impl Drop for Qmp {
    fn drop(&mut self) {
        self.events.abort();
    }
}

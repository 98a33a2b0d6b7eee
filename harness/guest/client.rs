//! Calls to the agent.
//!
//! Calls are sent as soon as they are made and answered in their order, so a
//! caller that has several to make sends them all before it waits.

use halfway_protocol::io::IoState;
use halfway_protocol::message::{
    Answer, Call, Disk, DmStatus, KernelMessage, Refusal, Reply, Request, Seen,
};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The guest refused it.
    #[error("the guest refused: {0}")]
    Refused(#[from] Refusal),
    /// No answer in time.
    #[error("the guest did not answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// The connection is gone, with QEMU.
    #[error("the connection to the guest broke")]
    Gone,
    /// The answer is not one to this call: harness and agent do not match.
    #[error("the guest's answer makes no sense: {0}")]
    Nonsense(String),
}

type Waiting = Rc<RefCell<VecDeque<(u64, oneshot::Sender<Result<Reply, CallError>>)>>>;

/// A connection to the agent.
#[derive(Debug)]
pub struct Guest {
    send: mpsc::UnboundedSender<Vec<u8>>,
    waiting: Waiting,
    next: Cell<u64>,
    /// How many requests of the I/O had not completed when the guest was last asked.
    pending: Cell<u32>,
    patience: Duration,
    tasks: [JoinHandle<()>; 2],
}

impl Guest {
    /// Talks over `stream`, from which the hello has been read. `patience` is
    /// how long an ordinary call may take.
    pub fn new(stream: UnixStream, patience: Duration) -> Self {
        let (read, mut write) = stream.into_split();
        let (send, mut lines) = mpsc::unbounded_channel::<Vec<u8>>();
        let writer = tokio::task::spawn_local(async move {
            while let Some(line) = lines.recv().await {
                if write.write_all(&line).await.is_err() {
                    break;
                }
            }
        });
        let waiting = Waiting::default();
        let reader = tokio::task::spawn_local(listen(read, Rc::clone(&waiting)));
        Guest {
            send,
            waiting,
            next: Cell::new(1),
            pending: Cell::new(0),
            patience,
            tasks: [writer, reader],
        }
    }

    /// Makes a call. It is on its way when this returns; the future waits for
    /// the answer, at most the guest's patience.
    pub fn call(&self, request: Request) -> impl Future<Output = Result<Reply, CallError>> + use<> {
        self.call_within(request, self.patience)
    }

    /// As [`Guest::call`], with a patience of its own.
    pub fn call_within(
        &self,
        request: Request,
        patience: Duration,
    ) -> impl Future<Output = Result<Reply, CallError>> + use<> {
        if let Request::IoStart(io) = &request {
            self.pending.set(io.ops.len() as u32);
        }
        let id = self.next.get();
        self.next.set(id + 1);
        let (tell, told) = oneshot::channel();
        let mut line = serde_json::to_vec(&Call { id, request }).expect("calls are plain data");
        line.push(b'\n');
        self.waiting.borrow_mut().push_back((id, tell));
        // A closed channel shows as a dropped `tell`.
        let sent = self.send.send(line);
        async move {
            if sent.is_err() {
                return Err(CallError::Gone);
            }
            match tokio::time::timeout(patience, told).await {
                Err(_) => Err(CallError::Silent(patience)),
                Ok(Err(_)) => Err(CallError::Gone),
                Ok(Ok(answer)) => answer,
            }
        }
    }

    /// The guest's disks.
    pub async fn disks(&self) -> Result<Vec<Disk>, CallError> {
        match self.call(Request::Disks).await? {
            Reply::Disks(disks) => Ok(disks),
            other => Err(strange(other)),
        }
    }

    /// Status of a dm device.
    pub async fn status(&self, name: &str) -> Result<DmStatus, CallError> {
        match self
            .call(Request::DmStatus {
                name: name.to_owned(),
            })
            .await?
        {
            Reply::Status(status) => Ok(status),
            other => Err(strange(other)),
        }
    }

    /// What the kernel has logged since this was last asked.
    pub fn kernel_log(
        &self,
    ) -> impl Future<Output = Result<Vec<KernelMessage>, CallError>> + use<> {
        let answer = self.call(Request::KernelLog);
        async move {
            match answer.await? {
                Reply::Log(log) => Ok(log),
                other => Err(strange(other)),
            }
        }
    }

    /// Ends the watch.
    pub async fn collect(&self) -> Result<Seen, CallError> {
        match self.call(Request::Collect).await? {
            Reply::Seen(seen) => Ok(seen),
            other => Err(strange(other)),
        }
    }

    /// Waits for the I/O. It counts as hung only if none of its requests completes within
    /// `deadline`: many requests may take long on a slow machine.
    pub async fn io_end(
        &self,
        deadline: Duration,
        quiet: Option<Duration>,
    ) -> Result<IoState, CallError> {
        let state = self.io_wait(deadline, quiet).await?;
        self.io_goes_on(state, deadline, quiet).await
    }

    /// Waits on, as [`Guest::io_end`] does, if `state` shows that requests have completed
    /// since the guest was asked before.
    pub async fn io_goes_on(
        &self,
        mut state: IoState,
        deadline: Duration,
        quiet: Option<Duration>,
    ) -> Result<IoState, CallError> {
        while let IoState::Pending { pending, .. } = state
            && pending < self.pending.replace(pending)
        {
            state = self.io_wait(deadline, quiet).await?;
        }
        Ok(state)
    }

    /// Waits once for the I/O: `deadline` in the guest, and the usual patience on
    /// top of it for the answer.
    pub fn io_wait(
        &self,
        deadline: Duration,
        quiet: Option<Duration>,
    ) -> impl Future<Output = Result<IoState, CallError>> + use<> {
        let request = Request::IoWait {
            deadline_ms: deadline.as_millis() as u64,
            quiet_ms: quiet.map(|quiet| quiet.as_millis() as u64),
        };
        let answer = self.call_within(request, deadline + self.patience);
        async move {
            match answer.await? {
                Reply::Io(state) => Ok(state),
                other => Err(strange(other)),
            }
        }
    }
}

/// The error for a reply of the wrong kind.
pub fn strange(reply: Reply) -> CallError {
    CallError::Nonsense(format!("{reply:?}"))
}

impl Drop for Guest {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn listen(read: OwnedReadHalf, waiting: Waiting) {
    let mut lines = BufReader::new(read).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let answer: Result<Answer, _> = serde_json::from_str(&line);
        let Some((id, tell)) = waiting.borrow_mut().pop_front() else {
            break;
        };
        let told = match answer {
            Ok(answer) if answer.id == id => answer.result.map_err(CallError::Refused),
            Ok(answer) => Err(CallError::Nonsense(format!(
                "answer {} to call {id}",
                answer.id
            ))),
            Err(error) => Err(CallError::Nonsense(format!("{error} in {line}"))),
        };
        let _ = tell.send(told);
    }
    // Dropping the senders tells everybody who waits.
    waiting.borrow_mut().clear();
}

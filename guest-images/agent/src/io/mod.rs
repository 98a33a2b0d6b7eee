//! The I/O under test: in a thread of its own, in memory of a chosen shape.
//!
//! * [`memory`]: the memory; `halfway_protocol::layout` says where the segments lie
//!   in it. [`hoard`]: where it is taken from.
//! * [`buffer`]: what it holds before the I/O, and what became of it.
//! * [`submit`]: the system calls. [`stacks`]: who waits, when it hangs.
//!
//! The memory travels with the I/O to the worker and comes back with the
//! result: while an I/O is pending nobody can touch its buffers, and an I/O
//! that never comes back keeps them.

mod buffer;
mod hoard;
mod memory;
mod stacks;
mod submit;

use crate::disks::Inflight;
use crate::refuse::{Refuse, refusal};
use buffer::Buffer;
use halfway_protocol::io::{IoReport, IoRequest, IoState, Op, Path};
use halfway_protocol::layout::Layout;
use halfway_protocol::message::Refusal;
use memory::Pool;
use stacks::Tasks;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// The worker and the memory of its I/O.
#[derive(Default)]
pub struct Engine {
    worker: Option<Worker>,
    /// Absent while an I/O is pending.
    pool: Option<Pool>,
    running: bool,
}

struct Worker {
    jobs: Sender<Job>,
    done: Receiver<Finished>,
    progress: Arc<Progress>,
    tasks: Arc<Tasks>,
}

/// How far an I/O is.
#[derive(Default)]
pub struct Progress {
    /// Requests that have not completed.
    pending: AtomicU32,
    /// What the harness has done meanwhile, which may have brought one back.
    interventions: AtomicU32,
}

impl Progress {
    /// A request has completed: gives after how many interventions.
    fn one_completed(&self) -> u32 {
        self.pending.fetch_sub(1, Ordering::Relaxed);
        self.interventions.load(Ordering::Acquire)
    }
}

struct Job {
    file: File,
    buffer: Buffer,
}

struct Finished {
    buffer: Buffer,
    results: submit::Results,
    took: Duration,
}

impl Engine {
    /// Starts the I/O on the device node at `node`.
    ///
    /// # Errors
    /// Another one is pending, the request makes no sense, or the device
    /// cannot be opened.
    pub fn start(&mut self, request: IoRequest, node: &str) -> Result<(), Refusal> {
        let doing = || format!("starting the I/O on {}", request.device);
        if self.running {
            // A finished one that nobody asked about is forgotten.
            let finished = self
                .worker
                .as_ref()
                .and_then(|worker| worker.done.try_recv().ok());
            match finished {
                Some(finished) => self.pool = Some(finished.buffer.into_pool()),
                None => return Err(refusal(doing(), "another I/O is pending")),
            }
            self.running = false;
        }
        let layout =
            Layout::new(&request.ops).map_err(|error| refusal(doing(), error.to_string()))?;
        let file = OpenOptions::new()
            .read(true)
            .write(request.op != Op::Read)
            .custom_flags(flags(&request))
            .open(node)
            .refuse(|| format!("opening {node}"))?;
        if self.worker.is_none() {
            self.worker = Some(Worker::spawn().refuse(doing)?);
        }
        let count = request.ops.len() as u32;
        let buffer = match Buffer::new(self.pool.take().unwrap_or_default(), layout, request) {
            Ok(buffer) => buffer,
            Err((pool, refusal)) => {
                self.pool = Some(pool);
                return Err(refusal);
            }
        };
        let sent = self.worker.as_ref().is_some_and(|worker| {
            worker.progress.pending.store(count, Ordering::Relaxed);
            worker.progress.interventions.store(0, Ordering::Release);
            worker.jobs.send(Job { file, buffer }).is_ok()
        });
        if !sent {
            self.worker = None;
            return Err(refusal("starting the I/O", "the agent's worker has ended"));
        }
        self.running = true;
        Ok(())
    }

    /// The intervention of that number is about to be done.
    pub fn intervention(&self, number: u32) {
        if let Some(worker) = &self.worker {
            worker
                .progress
                .interventions
                .store(number, Ordering::Release);
        }
    }

    /// Waits for the I/O.
    ///
    /// # Errors
    /// None was started.
    pub fn wait(
        &mut self,
        deadline: Duration,
        quiet: Option<Duration>,
    ) -> Result<IoState, Refusal> {
        let doing = || "waiting for the I/O".to_owned();
        let worker = match &self.worker {
            Some(worker) if self.running => worker,
            _ => return Err(refusal(doing(), "none was started")),
        };
        let mut watch = match quiet {
            Some(quiet) => Some((quiet, Inflight::open()?)),
            None => None,
        };
        let start = Instant::now();
        let mut quiet_since = start;
        let mut looks = 0;
        loop {
            let left = deadline.saturating_sub(start.elapsed());
            let step = match &watch {
                Some((quiet, _)) => left.min(*quiet / LOOKS).max(Duration::from_millis(1)),
                None => left,
            };
            match worker.done.recv_timeout(step) {
                Ok(finished) => {
                    self.running = false;
                    let (pool, ops) = finished.buffer.examine(finished.results);
                    self.pool = Some(pool);
                    return Ok(IoState::Done(IoReport {
                        ops,
                        micros: finished.took.as_micros() as u64,
                    }));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.running = false;
                    self.worker = None;
                    return Err(refusal(doing(), "the agent's worker has ended"));
                }
            }
            let pending = worker.progress.pending.load(Ordering::Relaxed);
            if start.elapsed() >= deadline {
                let stacks = stacks::waiting(&worker.tasks);
                return Ok(IoState::Pending { pending, stacks });
            }
            if let Some((quiet, inflight)) = &mut watch {
                if !inflight.none() {
                    quiet_since = Instant::now();
                    looks = 0;
                    continue;
                }
                looks += 1;
                if looks >= LOOKS && quiet_since.elapsed() >= *quiet {
                    return Ok(IoState::Quiet { pending });
                }
            }
        }
    }
}

/// How many looks in a row must find no disk busy: time alone says nothing where
/// the host keeps the whole guest waiting, and between two looks the kernel's
/// own threads run.
const LOOKS: u32 = 8;

impl Worker {
    fn spawn() -> std::io::Result<Self> {
        let (jobs, inbox) = mpsc::channel::<Job>();
        let (outbox, done) = mpsc::channel();
        let progress = Arc::new(Progress::default());
        let tasks = Arc::new(Tasks::default());
        let (counter, all) = (Arc::clone(&progress), Arc::clone(&tasks));
        thread::Builder::new().name("io".into()).spawn(move || {
            let _listed = all.enter();
            let mut queues = Vec::new();
            for Job { file, buffer } in inbox {
                let start = Instant::now();
                let results = submit::submit(&mut queues, &file, &buffer, &counter, &all);
                let took = start.elapsed();
                // Before the result is known: the device must be free then.
                drop(file);
                if outbox
                    .send(Finished {
                        buffer,
                        results,
                        took,
                    })
                    .is_err()
                {
                    break;
                }
            }
        })?;
        Ok(Self {
            jobs,
            done,
            progress,
            tasks,
        })
    }
}

/// How the device is opened, but for the direction.
fn flags(request: &IoRequest) -> i32 {
    let direct = match request.path {
        Path::Direct => libc::O_DIRECT,
        Path::Buffered => 0,
    };
    direct | if request.dsync { libc::O_DSYNC } else { 0 }
}

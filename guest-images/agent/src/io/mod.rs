//! The I/O under test. It runs in a thread of its own, in memory of a chosen shape.
//!
//! * [`memory`]: the memory. `halfway_protocol::layout` says where the segments lie in
//!   it. [`hoard`]: finds contiguous memory.
//! * [`buffer`]: fills the memory before the I/O and examines it afterwards.
//! * [`submit`]: the system calls. [`stacks`]: the waiting tasks, if it hangs.
//!
//! The memory is passed to the worker thread with the I/O and comes back with the result.
//! So nothing else can touch the buffers while an I/O is pending, and an I/O that never
//! completes keeps them.

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

/// The worker thread, and the memory for its I/O.
#[derive(Default)]
pub struct Engine {
    worker: Option<Worker>,
    /// `None` while an I/O is pending.
    pool: Option<Pool>,
    running: bool,
}

struct Worker {
    jobs: Sender<Job>,
    done: Receiver<Finished>,
    progress: Arc<Progress>,
    tasks: Arc<Tasks>,
}

/// The progress of an I/O.
#[derive(Default)]
pub struct Progress {
    /// How many requests have not completed.
    pending: AtomicU32,
    /// How many interventions of the harness there were, each of which may bring the I/O
    /// back.
    interventions: AtomicU32,
}

impl Progress {
    /// Counts a completed request. Returns how many interventions came before it.
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
    /// Another I/O is pending, the request is invalid, or the device cannot be opened.
    pub fn start(&mut self, request: IoRequest, node: &str) -> Result<(), Refusal> {
        let doing = || format!("starting the I/O on {}", request.device);
        if self.running {
            // Drop the result of an earlier I/O that nobody asked for.
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

    /// Notes that the intervention with that number is about to be done.
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
    /// No I/O was started.
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

/// How many checks in a row must find all disks idle. Elapsed time alone proves nothing,
/// because a busy host may stop the whole guest for a while. Between two checks, the
/// kernel's own threads get to run.
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
                // Close the device before the result is known: by then it must be free.
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

/// The flags for opening the device, without the access mode.
fn flags(request: &IoRequest) -> i32 {
    let direct = match request.path {
        Path::Direct => libc::O_DIRECT,
        Path::Buffered => 0,
    };
    direct | if request.dsync { libc::O_DSYNC } else { 0 }
}

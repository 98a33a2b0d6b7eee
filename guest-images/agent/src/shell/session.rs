//! The process that serves a session. It starts the shell, carries its input and output,
//! and forwards the commands that the host answers.

use super::ask::SOCKET;
use super::start::{self, OutputFrame, Shell};
use crate::port::UNCONNECTED;
use crate::refuse::{Refuse, refusal};
use halfway_protocol::message::Refusal;
use halfway_protocol::session::{Frame, Frames, Message, Terminal};
use rustix::process::{Pid, WaitOptions, set_child_subreaper, wait};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How long to wait for the last output of a shell that has ended. A process that it left
/// running may hold its terminal forever.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Serves one session on the port at `path`. Returns the exit status.
pub fn serve(path: &Path) -> u8 {
    // The agent ignores SIGCHLD, and children would inherit that.
    // SAFETY: SIG_DFL is no code of this program.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    // Adopt orphans: this process waits for its children.
    let _ = set_child_subreaper(Some(rustix::process::getpid()));
    let port = OpenOptions::new().read(true).write(true).open(path);
    let port = port.and_then(|port| Ok((port.try_clone()?, port)));
    let (reader, writer) = match port {
        Ok(port) => port,
        Err(error) => {
            eprintln!("halfway-agent: opening {}: {error}", path.display());
            return 1;
        }
    };
    let host = Host(Arc::new(Mutex::new(writer)));
    let last = match session(Incoming::new(reader), &host) {
        Ok(status) => Message::Exited { status },
        Err(refusal) => Message::Failed {
            why: refusal.to_string(),
        },
    };
    host.send(&Frame::Message(last));
    0
}

/// Runs the session. Returns the shell's exit status.
fn session(mut incoming: Incoming, host: &Host) -> Result<u8, Refusal> {
    let Shell {
        pid,
        input,
        outputs,
        without_terminal,
    } = start::start(incoming.start()?)?;
    host.send(&Frame::Message(Message::Started { without_terminal }));
    let clients = Clients::default();
    let listener = UnixListener::bind(SOCKET).refuse(|| format!("listening on {SOCKET}"))?;
    let (questions, asking) = (clients.clone(), host.clone());
    thread::spawn(move || questions.listen(&listener, &asking));
    let (ended, ends) = mpsc::channel();
    let pumps = outputs.len();
    for (output, frame) in outputs {
        let (host, ended) = (host.clone(), ended.clone());
        thread::spawn(move || {
            pump(output, frame, &host);
            ended.send(())
        });
    }
    thread::spawn(move || take_in(incoming, input, &clients));
    let status = wait_for(pid);
    for _ in 0..pumps {
        let _ = ends.recv_timeout(LAST_WORDS);
    }
    Ok(status)
}

/// Waits for the shell, and for all orphans that end before it.
fn wait_for(shell: Pid) -> u8 {
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == shell => {
                let signal = status.terminating_signal().map(|signal| 128 + signal);
                return status.exit_status().or(signal).unwrap_or(1) as u8;
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return 1,
        }
    }
}

/// Sends the shell's output to the host, until no process has the other end open.
fn pump(mut output: File, frame: OutputFrame, host: &Host) {
    let mut chunk = [0; 4096];
    // A terminal that no process has open any more answers EIO.
    while let Ok(count @ 1..) = output.read(&mut chunk) {
        host.send(&frame(chunk[..count].to_vec()));
    }
}

/// Handles what comes from the host.
fn take_in(mut incoming: Incoming, input: File, clients: &Clients) {
    let mut input = Some(input);
    loop {
        match incoming.next() {
            Ok(Frame::Input(bytes)) => {
                input = input.filter(|mut input| input.write_all(&bytes).is_ok());
            }
            Ok(Frame::Message(Message::EndOfInput)) => input = None,
            Ok(Frame::Message(Message::Resized { size })) => {
                if let Some(input) = &input {
                    start::resize(input, size);
                }
            }
            Ok(Frame::Message(Message::Answer { id, text, status })) => {
                clients.answer(id, &text, status);
            }
            Ok(_) => {}
            Err(refusal) => {
                eprintln!("halfway-agent: {refusal}");
                return;
            }
        }
    }
}

/// The frames from the host.
struct Incoming {
    port: File,
    frames: Frames,
}

impl Incoming {
    fn new(port: File) -> Self {
        Incoming {
            port,
            frames: Frames::default(),
        }
    }

    fn next(&mut self) -> Result<Frame, Refusal> {
        let doing = || "reading the session's port".to_owned();
        let mut chunk = [0; 4096];
        loop {
            let frame = self.frames.take();
            if let Some(frame) = frame.map_err(|why| refusal(doing(), why))? {
                return Ok(frame);
            }
            match self.port.read(&mut chunk).refuse(doing)? {
                0 => thread::sleep(UNCONNECTED),
                count => self.frames.push(&chunk[..count]),
            }
        }
    }

    /// Waits for the host's start message. Returns the terminal that the shell is to
    /// have.
    fn start(&mut self) -> Result<Option<Terminal>, Refusal> {
        loop {
            if let Frame::Message(Message::Start { terminal }) = self.next()? {
                return Ok(terminal);
            }
        }
    }
}

/// Sends frames to the host. Several threads share it.
#[derive(Clone)]
struct Host(Arc<Mutex<File>>);

impl Host {
    fn send(&self, frame: &Frame) {
        if let Err(error) = locked(&self.0).write_all(&frame.encode()) {
            eprintln!("halfway-agent: writing to the session's port: {error}");
        }
    }
}

/// The commands that wait for an answer, by their number.
#[derive(Clone, Default)]
struct Clients(Arc<Mutex<HashMap<u64, UnixStream>>>);

impl Clients {
    fn listen(&self, listener: &UnixListener, host: &Host) {
        for (id, stream) in (1..).zip(listener.incoming().flatten()) {
            let mut line = String::new();
            let read = BufReader::new(&stream).read_line(&mut line);
            // If its connection closes, the command itself reports that there was no
            // answer.
            let (Ok(_), Ok(words)) = (read, serde_json::from_str(&line)) else {
                continue;
            };
            locked(&self.0).insert(id, stream);
            host.send(&Frame::Message(Message::Ask { id, words }));
        }
    }

    /// Answers a command. One that has ended meanwhile needs no answer.
    fn answer(&self, id: u64, text: &str, status: u8) {
        if let Some(mut stream) = locked(&self.0).remove(&id)
            && let Ok(mut line) = serde_json::to_vec(&(text, status))
        {
            line.push(b'\n');
            let _ = stream.write_all(&line);
        }
    }
}

/// Locks a mutex, also after a panic elsewhere, which leaves nothing half done here.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! Reads a pipe all the time, from its first byte on.
//!
//! The guest's console and QEMU's stderr are read all the time, so that their writers
//! never block. The most recent text is kept in memory; all of it goes to a file up to a
//! limit.

use std::cell::RefCell;
use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::unix::pipe;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How many bytes of the most recent text are kept in memory.
const KEPT: usize = 256 * 1024;

/// How many bytes a file may take. A guest that prints messages in a loop must not fill
/// the host's disk.
const FILE_LIMIT: u64 = 64 * 1024 * 1024;

#[derive(Debug, Default)]
struct Heard {
    /// The most recent bytes.
    text: Vec<u8>,
    /// How many bytes were dropped before `text`.
    dropped: u64,
}

/// Reads a pipe until it is dropped.
#[derive(Debug)]
pub struct Listener {
    heard: Rc<RefCell<Heard>>,
    length: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

impl Listener {
    /// Makes a FIFO at `path` and reads it. What is read also goes to a file of that name
    /// with `.log` appended. QEMU opens the FIFO like a file.
    pub fn at(path: &Path) -> io::Result<Self> {
        rustix::fs::mkfifoat(
            rustix::fs::CWD,
            path,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        )?;
        // Open it for reading and writing: then it reports no end of file before QEMU has
        // opened it, or between two writers.
        let receiver = pipe::OpenOptions::new()
            .read_write(true)
            .open_receiver(path)?;
        let file = std::fs::File::create(path.with_added_extension("log"))?;
        Ok(Self::to(receiver, Some(file)))
    }

    /// Reads any stream.
    pub fn to(mut from: impl AsyncRead + Unpin + 'static, mut file: Option<std::fs::File>) -> Self {
        let heard = Rc::new(RefCell::new(Heard::default()));
        let (tell, length) = watch::channel(0u64);
        let shared = Rc::clone(&heard);
        let task = tokio::task::spawn_local(async move {
            let mut buffer = vec![0; 16 * 1024];
            let mut total = 0u64;
            loop {
                let count = match from.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(count) => count,
                };
                total += count as u64;
                if total > FILE_LIMIT {
                    file = None;
                }
                if let Some(out) = &mut file
                    && out.write_all(&buffer[..count]).is_err()
                {
                    file = None;
                }
                let mut heard = shared.borrow_mut();
                heard.text.extend_from_slice(&buffer[..count]);
                if heard.text.len() > 2 * KEPT {
                    let excess = heard.text.len() - KEPT;
                    heard.text.drain(..excess);
                    heard.dropped += excess as u64;
                }
                drop(heard);
                let _ = tell.send(total);
            }
        });
        Listener {
            heard,
            length,
            task,
        }
    }

    /// How many bytes were read so far: a mark for [`Listener::since`].
    pub fn mark(&self) -> u64 {
        let heard = self.heard.borrow();
        heard.dropped + heard.text.len() as u64
    }

    /// What was read since `mark`, or the most recent part of it.
    pub fn since(&self, mark: u64) -> String {
        let heard = self.heard.borrow();
        let from = mark.saturating_sub(heard.dropped) as usize;
        String::from_utf8_lossy(heard.text.get(from..).unwrap_or_default()).into_owned()
    }

    /// Waits until more is read.
    pub async fn more(&mut self) {
        if self.length.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::LocalSet;

    #[tokio::test(flavor = "current_thread")]
    async fn everything_is_heard_and_marks_hold() {
        LocalSet::new()
            .run_until(async {
                let directory = tempfile::tempdir().unwrap();
                let path = directory.path().join("console");
                let mut listener = Listener::at(&path).unwrap();
                let mut writer = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
                writer.write_all(b"first").unwrap();
                listener.more().await;
                let mark = listener.mark();
                writer.write_all(b"second").unwrap();
                listener.more().await;
                assert_eq!(listener.since(mark), "second");
                assert_eq!(listener.since(0), "firstsecond");
                let log = std::fs::read(path.with_added_extension("log")).unwrap();
                assert_eq!(log, b"firstsecond");
            })
            .await;
    }

    #[tokio::test(flavor = "current_thread")]
    async fn memory_is_bounded() {
        LocalSet::new()
            .run_until(async {
                let (mut ours, theirs) = tokio::io::duplex(1 << 20);
                let mut listener = Listener::to(theirs, None);
                use tokio::io::AsyncWriteExt;
                for _ in 0..40 {
                    ours.write_all(&vec![b'x'; 1 << 16]).await.unwrap();
                    listener.more().await;
                }
                while listener.mark() < 40 << 16 {
                    listener.more().await;
                }
                assert!(listener.heard.borrow().text.len() <= 2 * KEPT + (1 << 16));
            })
            .await;
    }
}

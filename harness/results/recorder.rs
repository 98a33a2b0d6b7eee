//! Writes a run record during the run.
//!
//! Each event is one line and one `write`, so if this process is killed, at most the line
//! being written is lost. The files of a case are complete before the event that mentions
//! them is written.

use super::error::RecordError;
use super::manifest::Manifest;
use super::record::Record;
use super::story::Story;
use super::{CASES, EVENTS, LATEST, MANIFEST, text, whole};
use crate::runner::Event;
use crate::runner::event::Stamped;
use halfway_case::{Outcome, Verdict};
use halfway_scenario::case_file;
use rustix::fs::{FlockOperation, flock};
use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use time::macros::format_description;

/// Which cases get files of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// Cases that neither passed nor were skipped.
    #[default]
    Failed,
    /// All cases for which the runner gives details.
    All,
}

/// Writes a run record. It locks the event stream, so that a record has only one writer.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    events_path: PathBuf,
    events: File,
    /// The length in bytes of all whole lines in `events`.
    length: u64,
    line: Vec<u8>,
    keep: Keep,
    repeat: Vec<String>,
    /// Cases that are run again, and whose files are left from an earlier part of the
    /// run.
    stale: HashSet<String>,
}

impl Recorder {
    /// Makes a new record in `results`, with a unique name, and points `latest` to it.
    ///
    /// # Errors
    /// Something could not be made or written. The unfinished record is then removed.
    pub fn create(results: &Path, manifest: &Manifest, keep: Keep) -> Result<Self, RecordError> {
        std::fs::create_dir_all(results).map_err(|source| RecordError::create(results, source))?;
        let (name, path) = new_directory(results, manifest)?;
        match Self::fill(&path, manifest, keep) {
            Ok(recorder) => {
                point_latest(results, &name);
                Ok(recorder)
            }
            Err(error) => {
                // Only the first error is reported.
                let _ = std::fs::remove_dir_all(&path);
                Err(error)
            }
        }
    }

    fn fill(path: &Path, manifest: &Manifest, keep: Keep) -> Result<Self, RecordError> {
        let cases = path.join(CASES);
        std::fs::create_dir(&cases).map_err(|source| RecordError::create(&cases, source))?;
        let events_path = path.join(EVENTS);
        let events = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(&events_path)
            .map_err(|source| RecordError::create(&events_path, source))?;
        lock(&events, path)?;
        write_whole(&path.join(MANIFEST), &json("the manifest", manifest)?)?;
        Ok(Recorder {
            path: path.to_owned(),
            events_path,
            events,
            length: 0,
            line: Vec::new(),
            keep,
            repeat: manifest.repeat.clone(),
            stale: HashSet::new(),
        })
    }

    /// Continues `record`. A last line that was cut off in its middle is removed first.
    ///
    /// # Errors
    /// The record is in use, or cannot be read or written.
    pub fn resume(record: &Record, keep: Keep) -> Result<Self, RecordError> {
        let path = record.path().to_owned();
        let events_path = path.join(EVENTS);
        let mut events = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&events_path)
            .map_err(|source| RecordError::write(&events_path, source))?;
        lock(&events, &path)?;
        let length =
            whole_lines(&mut events).map_err(|source| RecordError::read(&events_path, source))?;
        let torn = events
            .metadata()
            .is_ok_and(|metadata| metadata.len() > length);
        if torn {
            let cut = events.set_len(length);
            cut.map_err(|source| RecordError::write(&events_path, source))?;
        }
        let summary = record.summary()?;
        let stale = summary.with_outcome(Outcome::Infrastructure);
        Ok(Recorder {
            stale: stale.map(str::to_owned).collect(),
            path,
            events_path,
            events,
            length,
            line: Vec::new(),
            keep,
            repeat: record.manifest().repeat.clone(),
        })
    }

    /// A recorder for an existing directory that writes to another event stream.
    #[cfg(test)]
    pub(crate) fn into_events(path: &Path, events: File) -> Self {
        Recorder {
            path: path.to_owned(),
            events_path: path.join(EVENTS),
            events,
            length: 0,
            line: Vec::new(),
            keep: Keep::Failed,
            repeat: Vec::new(),
            stale: HashSet::new(),
        }
    }

    /// The record's directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Records an event. Writes the files of a case first, if it gets any.
    ///
    /// # Errors
    /// Something could not be written. All events before this one are kept.
    pub fn event(&mut self, stamped: &Stamped) -> Result<(), RecordError> {
        if let Event::CaseFinished { id, .. } = &stamped.event {
            if !is_file_name(id) {
                return Err(RecordError::CaseId { id: id.clone() });
            }
            self.case(&stamped.event)?;
        }
        self.append(stamped)?;
        if let Event::RunFinished { .. } = stamped.event {
            // Some file systems report a full disk only at a sync.
            let synced = self.events.sync_data();
            synced.map_err(|source| RecordError::write(&self.events_path, source))?;
        }
        Ok(())
    }

    fn append(&mut self, stamped: &Stamped) -> Result<(), RecordError> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, stamped).map_err(|source| RecordError::Encode {
            what: "an event",
            source,
        })?;
        self.line.push(b'\n');
        if let Err(source) = self.events.write_all(&self.line) {
            // Remove the half-written line: the next event would be appended to it.
            let _ = self.events.set_len(self.length);
            return Err(RecordError::write(&self.events_path, source));
        }
        self.length += self.line.len() as u64;
        Ok(())
    }

    fn case(&mut self, event: &Event) -> Result<(), RecordError> {
        let Event::CaseFinished {
            id,
            machine,
            attempt,
            retried,
            verdict,
            millis,
            details,
            ..
        } = event
        else {
            return Ok(());
        };
        if !self.wanted(verdict) {
            if self.stale.remove(id) {
                self.remove_files(id)?;
            }
            return Ok(());
        }
        // An attempt that does not count gets files of its own. The attempt that counts
        // must not overwrite them: they are all that is known of a flaky host.
        let stem = match retried {
            true => format!("{id}.attempt-{attempt}"),
            false => id.clone(),
        };
        let file = |extension: &str| self.path.join(CASES).join(format!("{stem}.{extension}"));
        if let Some(details) = details.as_deref() {
            write_whole(&file("toml"), case_file(&details.case).as_bytes())?;
            write_whole(&file("json"), &json("a case", details)?)?;
        }
        let command = |action: &str, extension: &str, options: &[String]| {
            let file = file(extension).to_string_lossy().into_owned();
            let words = ["halfway".to_owned(), action.to_owned(), file];
            text::shell(words.iter().chain(options))
        };
        let story = Story {
            id,
            machine: *machine,
            attempt: *attempt,
            verdict,
            millis: *millis,
            details: details.as_deref(),
            repeat: &command("run", "toml", &self.repeat),
            judge: &command("judge", "json", &[]),
        };
        write_whole(&file("txt"), story.to_string().as_bytes())
    }

    fn wanted(&self, verdict: &Verdict) -> bool {
        match verdict.outcome {
            Outcome::Pass | Outcome::Skipped => self.keep == Keep::All,
            _ => true,
        }
    }

    fn remove_files(&self, id: &str) -> Result<(), RecordError> {
        for extension in ["toml", "json", "txt"] {
            let path = self.path.join(CASES).join(format!("{id}.{extension}"));
            match std::fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(RecordError::write(&path, source));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Makes the directory of a new record. Its name is the time and four random digits,
/// because two runs may start within a second.
fn new_directory(results: &Path, manifest: &Manifest) -> Result<(String, PathBuf), RecordError> {
    let format = format_description!("[year]-[month]-[day]T[hour]-[minute]-[second]Z");
    let created = manifest.created.to_offset(time::UtcOffset::UTC);
    let time = created.format(format).map_err(|error| {
        RecordError::create(results, io::Error::new(io::ErrorKind::InvalidInput, error))
    })?;
    loop {
        let name = format!("{time}-{:04x}", fastrand::u16(..));
        let path = results.join(&name);
        match std::fs::create_dir(&path) {
            Ok(()) => return Ok((name, path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(RecordError::create(&path, source)),
        }
    }
}

/// Points `latest` to a record. The link is only a convenience, so a failure is ignored.
fn point_latest(results: &Path, name: &str) {
    let link = results.join(format!(".{LATEST}-{name}"));
    let moved = std::os::unix::fs::symlink(name, &link)
        .and_then(|()| std::fs::rename(&link, results.join(LATEST)));
    if moved.is_err() {
        let _ = std::fs::remove_file(&link);
    }
}

fn lock(events: &File, path: &Path) -> Result<(), RecordError> {
    match flock(events, FlockOperation::NonBlockingLockExclusive) {
        Err(rustix::io::Errno::WOULDBLOCK) => Err(RecordError::InUse {
            path: path.to_owned(),
        }),
        // Some network file systems have no locks. That must not stop a run.
        _ => Ok(()),
    }
}

/// The length of `file` up to its last line break, searched from the end.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    const STEP: u64 = 64 * 1024;
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut buffer = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(STEP);
        buffer.resize((end - start) as usize, 0);
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut buffer)?;
        if let Some(at) = buffer.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

fn write_whole(path: &Path, content: &[u8]) -> Result<(), RecordError> {
    whole::write(path, |out| out.write_all(content))
        .map_err(|source| RecordError::write(path, source))
}

fn json(what: &'static str, value: &impl serde::Serialize) -> Result<Vec<u8>, RecordError> {
    let mut text =
        serde_json::to_vec_pretty(value).map_err(|source| RecordError::Encode { what, source })?;
    text.push(b'\n');
    Ok(text)
}

/// Whether an id is safe as a file name. Ids come from checked scenarios, but must never
/// lead out of the record all the same.
fn is_file_name(id: &str) -> bool {
    !id.is_empty() && !id.starts_with('.') && !id.contains(['/', '\0'])
}

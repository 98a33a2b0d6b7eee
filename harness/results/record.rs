//! Reads a run record, finished or interrupted, one event at a time.

use super::error::RecordError;
use super::manifest::{FORMAT, Manifest};
use super::summary::Summary;
use super::{EVENTS, MANIFEST};
use crate::runner::event::Stamped;
use serde::Deserialize;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// A run record. It keeps no events in memory.
#[derive(Clone, Debug)]
pub struct Record {
    path: PathBuf,
    manifest: Manifest,
}

impl Record {
    /// Opens the record in the directory `path`.
    ///
    /// # Errors
    /// The manifest cannot be read, cannot be parsed, or has a newer format.
    pub fn open(path: &Path) -> Result<Self, RecordError> {
        let file = path.join(MANIFEST);
        let text = std::fs::read(&file).map_err(|source| RecordError::read(&file, source))?;
        let bad = |source| RecordError::Manifest {
            path: file.clone(),
            source,
        };
        // Check the format first: the other fields of a newer format need not parse.
        #[derive(Deserialize)]
        struct Head {
            format: u64,
            #[serde(default)]
            halfway: String,
        }
        let head: Head = serde_json::from_slice(&text).map_err(bad)?;
        if head.format != u64::from(FORMAT) {
            return Err(RecordError::Format {
                path: file,
                found: head.format,
                known: FORMAT,
                version: head.halfway,
            });
        }
        Ok(Record {
            path: path.to_owned(),
            manifest: serde_json::from_slice(&text).map_err(bad)?,
        })
    }

    /// Opens the record that a person means by `run`: a path, or a name in `results`,
    /// such as `latest`.
    ///
    /// # Errors
    /// There is no such record, or [`Record::open`] fails.
    pub fn find(results: &Path, run: &str) -> Result<Self, RecordError> {
        let (here, there) = (PathBuf::from(run), results.join(run));
        // A name wins over a path: a directory that happens to be called `latest` must
        // not hide the newest record.
        let is_record = |path: &&PathBuf| path.join(MANIFEST).is_file();
        let Some(path) = [&there, &here].into_iter().find(is_record) else {
            return Err(RecordError::NoSuchRun {
                run: run.to_owned(),
                here,
                there,
            });
        };
        // Resolve the link now: `latest` may point elsewhere by the time a message names
        // it.
        match std::fs::read_link(path) {
            Ok(name) => Record::open(&path.with_file_name(name)),
            Err(_) => Record::open(path),
        }
    }

    /// The directory of the record.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was run, and on what.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Reads the events, in order. A last line that was cut off in the middle
    /// is left out.
    ///
    /// # Errors
    /// The event stream cannot be opened.
    pub fn events(&self) -> Result<Events, RecordError> {
        let path = self.path.join(EVENTS);
        let file = File::open(&path).map_err(|source| RecordError::read(&path, source))?;
        Ok(Events {
            path,
            input: BufReader::new(file),
            buffer: Vec::new(),
            line: 0,
        })
    }

    /// Sums up the events. Lines that cannot be read are counted
    /// ([`Summary::unreadable`]) and otherwise ignored, so that a damaged record still
    /// tells what it can.
    ///
    /// # Errors
    /// The event stream cannot be read at all.
    pub fn summary(&self) -> Result<Summary, RecordError> {
        let mut summary = Summary::default();
        let unreadable = self.each_event(|event| summary.add(&event))?;
        summary.add_unreadable(unreadable);
        Ok(summary)
    }

    /// Hands over the events, in order. Returns the number of lines that cannot be read.
    ///
    /// # Errors
    /// The event stream cannot be read at all.
    pub(crate) fn each_event(&self, mut add: impl FnMut(Stamped)) -> Result<u64, RecordError> {
        let mut unreadable = 0;
        for event in self.events()? {
            match event {
                Ok(event) => add(event),
                Err(RecordError::Event { .. }) => unreadable += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(unreadable)
    }
}

/// Iterates over the events of a record. Keeps one line in memory at a time.
#[derive(Debug)]
pub struct Events {
    path: PathBuf,
    input: BufReader<File>,
    buffer: Vec<u8>,
    line: u64,
}

impl Iterator for Events {
    type Item = Result<Stamped, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.buffer.clear();
        if let Err(source) = self.input.read_until(b'\n', &mut self.buffer) {
            return Some(Err(RecordError::read(&self.path, source)));
        }
        self.line += 1;
        let line = self.buffer.strip_suffix(b"\n")?;
        Some(
            serde_json::from_slice(line).map_err(|source| RecordError::Event {
                path: self.path.clone(),
                line: self.line,
                source,
            }),
        )
    }
}

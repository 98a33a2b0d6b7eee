//! A table that is kept in two files: for the program and for people.

use crate::results::whole;
use serde::Serialize;
use std::io;
use std::path::{Path, PathBuf};

/// Writes `NAME.json` with the rows and `NAME.md` with the text.
///
/// # Errors
/// One of them, which is named, could not be written.
pub fn write(
    directory: &Path,
    name: &str,
    rows: &impl Serialize,
    text: &str,
) -> Result<(), (PathBuf, io::Error)> {
    let json = serde_json::to_string_pretty(rows).expect("rows are plain data") + "\n";
    for (extension, text) in [("json", &*json), ("md", text)] {
        let path = directory.join(name).with_extension(extension);
        whole::write(&path, |out| out.write_all(text.as_bytes()))
            .map_err(|source| (path, source))?;
    }
    Ok(())
}

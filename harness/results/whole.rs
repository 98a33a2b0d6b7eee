//! Files that exist either whole or not at all: half of a record or of a report could
//! look like a good one.

use std::fs::Permissions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The directory that a file is in.
pub fn directory(path: &Path) -> &Path {
    let parent = path.parent();
    let parent = parent.filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// Writes a file with what `body` writes.
///
/// # Errors
/// The file cannot be written, or `body` failed; what was there before is kept.
pub fn write(path: &Path, body: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut new = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(directory(path))?;
    let mut out = BufWriter::new(new.as_file_mut());
    body(&mut out)?;
    out.flush()?;
    drop(out);
    new.persist(path)?;
    Ok(())
}

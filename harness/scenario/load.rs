//! Finds and reads scenario files: the only part of this crate that does I/O.

use super::error::LoadError;
use super::expand::Scenario;
use halfway_case::limits;
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Reads all scenarios that `paths` name: files, and directories with all
/// `.toml` files below them. They come in the order given, and within a
/// directory by name. A file that is named twice is read once.
///
/// A scenario's name is its path below the innermost directory called
/// `scenarios`; if there is none, its directory's name and its own. So the ids
/// of its cases do not depend on how the command line names it.
///
/// All errors of all files are returned.
pub fn load(paths: &[PathBuf]) -> Result<Vec<Scenario>, Vec<LoadError>> {
    let mut errors = Vec::new();
    let mut loaded = Vec::new();
    let mut seen: HashSet<PathBuf> = HashSet::new();
    let mut owners: HashMap<String, PathBuf> = HashMap::new();
    for given in paths {
        let files = find(given).unwrap_or_else(|error| {
            errors.push(error);
            Vec::new()
        });
        for path in files {
            let real = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
            if !seen.insert(real.clone()) {
                continue;
            }
            let scenario = text(&path).and_then(|text| {
                let shown = path.display().to_string();
                Ok(Scenario::parse_file(&shown, &name(&real), &text)?)
            });
            match scenario {
                Ok(scenario) => match owners.insert(scenario.stem(), path.clone()) {
                    Some(first) => errors.push(LoadError::SameName {
                        name: scenario.stem(),
                        first,
                        second: path,
                    }),
                    None => loaded.push(scenario),
                },
                Err(error) => errors.push(error),
            }
        }
    }
    if errors.is_empty() {
        Ok(loaded)
    } else {
        Err(errors)
    }
}

/// The scenario files that a path stands for.
fn find(path: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let unreadable = |source| LoadError::Read {
        path: path.to_owned(),
        source,
    };
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    walk(path, &mut files)?;
    if files.is_empty() {
        return Err(LoadError::Empty {
            path: path.to_owned(),
        });
    }
    Ok(files)
}

/// Collects the scenario files below a directory, by name. It does not follow
/// symbolic links to directories, since they may lead back up.
fn walk(directory: &Path, files: &mut Vec<PathBuf>) -> Result<(), LoadError> {
    let unreadable = |source| LoadError::Read {
        path: directory.to_owned(),
        source,
    };
    let mut entries = fs::read_dir(directory)
        .and_then(Iterator::collect::<io::Result<Vec<_>>>)
        .map_err(unreadable)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type().map_err(unreadable)?.is_dir() {
            walk(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            files.push(path);
        }
    }
    Ok(())
}

/// The text of a file, within the size limit.
fn text(path: &Path) -> Result<String, LoadError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limits::FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|source| LoadError::Read {
            path: path.to_owned(),
            source,
        })?;
    if bytes.len() as u64 > limits::FILE_BYTES {
        return Err(LoadError::TooLarge {
            path: path.to_owned(),
        });
    }
    String::from_utf8(bytes).map_err(|error| LoadError::NotText {
        path: path.to_owned(),
        at: error.utf8_error().valid_up_to(),
    })
}

/// The name of the scenario in the file at this absolute path.
fn name(path: &Path) -> String {
    let parts: Vec<String> = path
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .filter(|part| part != "/")
        .collect();
    let directories = &parts[..parts.len().saturating_sub(1)];
    let start = match directories.iter().rposition(|part| part == "scenarios") {
        Some(catalogue) => catalogue + 1,
        None => parts.len().saturating_sub(2),
    };
    parts[start..].join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::catalogue("/home/a/halfway/scenarios/raid1/read.toml", "raid1/read")]
    #[case::deeper("/scenarios/x/scenarios/a/b/c.toml", "a/b/c")]
    #[case::top_of_the_catalogue("/h/scenarios/read.toml", "read")]
    #[case::elsewhere("/tmp/mine/odd.case.toml", "mine/odd.case")]
    #[case::root("/odd.toml", "odd")]
    #[case::no_extension("/dev/fd/63", "fd/63")]
    fn a_scenario_is_called_by_its_place(#[case] path: &str, #[case] expected: &str) {
        assert_eq!(name(Path::new(path)), expected);
    }
}

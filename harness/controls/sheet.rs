//! The score as it is kept in a file. Each run of a control replaces its row.

use super::kept;
use super::score::{self, Row};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The score on one kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sheet {
    /// The release and package version of the kernel, such as "6.1.0-56-cloud-amd64
    /// (6.1.192-2)".
    pub kernel: String,
    /// The rows: rebuilt modules first, then by name.
    pub rows: Vec<Row>,
}

/// Why a kept score cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SheetError {
    /// The file cannot be parsed as a score.
    #[error("{} is no score: {source}", path.display())]
    Form {
        /// The path of the file.
        path: PathBuf,
        /// The parser's error.
        source: serde_json::Error,
    },
    /// The score is of another kernel.
    #[error("{} is the score on {found}, not on {wanted}", path.display())]
    OtherKernel {
        /// The path of the file.
        path: PathBuf,
        /// The kernel that the file names.
        found: String,
        /// The kernel that is run now.
        wanted: String,
    },
    /// The file could not be read or written.
    #[error("failed to access {}", path.display())]
    File {
        /// The path of the file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
}

impl Sheet {
    /// Reads the score on this kernel from `directory`. Empty if there is no file.
    ///
    /// # Errors
    /// The file is not a score, or is the score of another kernel.
    pub fn open(directory: &Path, kernel: &str) -> Result<Self, SheetError> {
        let path = directory.join("controls.json");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Sheet {
                    kernel: kernel.to_owned(),
                    rows: Vec::new(),
                });
            }
            Err(source) => return Err(SheetError::File { path, source }),
        };
        match serde_json::from_str::<Sheet>(&text) {
            Err(source) => Err(SheetError::Form { path, source }),
            Ok(sheet) if sheet.kernel != kernel => Err(SheetError::OtherKernel {
                path,
                found: sheet.kernel,
                wanted: kernel.to_owned(),
            }),
            Ok(sheet) => Ok(sheet),
        }
    }

    /// Replaces a control's row by a newer one, or adds it.
    pub fn renew(&mut self, row: &Row) {
        self.rows.retain(|old| old.control != row.control);
        self.rows.push(row.clone());
        self.rows.sort_by_key(Row::order);
    }

    /// Drops the rows of controls that no longer exist.
    pub fn keep_only(&mut self, names: &[String]) {
        self.rows.retain(|row| names.contains(&row.control));
    }

    /// Writes `controls.json` and `controls.md`.
    ///
    /// # Errors
    /// They could not be written.
    pub fn write(&self, directory: &Path) -> Result<(), SheetError> {
        kept::write(directory, "controls", self, &self.markdown())
            .map_err(|(path, source)| SheetError::File { path, source })
    }

    /// The score as Markdown.
    pub fn markdown(&self) -> String {
        format!(
            "# The score\n\n<!-- made by `halfway controls run --score results` -->\n\n\
             Modules of Linux {} that are broken on purpose \
             ([what each stands for](../guest-images/controls/README.md#the-list)), and the case \
             that caught each first, with what it saw. A rebuilt module must pass all that its \
             mutants are run against. A control that is run again renews its row.\n\n{}\n",
            self.kernel,
            score::table(&self.rows)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::trial::Fate;
    use super::*;

    const KERNEL: &str = "6.1.0-56-cloud-amd64 (6.1.192-2)";

    fn row(control: &str, fate: Fate) -> Row {
        Row {
            control: control.to_owned(),
            module: "dm-mirror".to_owned(),
            fate,
            cases: 3,
            millis: 10,
        }
    }

    fn names(sheet: &Sheet) -> Vec<&str> {
        sheet.rows.iter().map(|row| row.control.as_str()).collect()
    }

    #[test]
    fn a_row_is_renewed_and_the_others_stay() {
        let directory = tempfile::tempdir().unwrap();
        let mut sheet = Sheet::open(directory.path(), KERNEL).unwrap();
        sheet.renew(&row("raid1-b", Fate::Survived));
        sheet.renew(&row("raid1-a", Fate::NotReached("no case".to_owned())));
        sheet.renew(&row("unmutated-dm-mirror", Fate::Sound));
        sheet.renew(&row("raid1-b", Fate::Equivalent));
        sheet.write(directory.path()).unwrap();
        let mut again = Sheet::open(directory.path(), KERNEL).unwrap();
        assert_eq!(again, sheet);
        assert_eq!(names(&again), ["unmutated-dm-mirror", "raid1-a", "raid1-b"]);
        assert_eq!(again.rows[2].fate, Fate::Equivalent);
        again.keep_only(&["raid1-b".to_owned()]);
        assert_eq!(names(&again), ["raid1-b"]);
        let text = std::fs::read_to_string(directory.path().join("controls.md")).unwrap();
        assert!(
            text.contains(KERNEL) && text.contains("| raid1-b "),
            "{text}"
        );
    }

    #[test]
    fn a_score_of_another_kernel_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let sheet = Sheet::open(directory.path(), KERNEL).unwrap();
        sheet.write(directory.path()).unwrap();
        let error = Sheet::open(directory.path(), "7.3").unwrap_err();
        assert!(
            error.to_string().contains("is the score on 6.1.0-56"),
            "{error}"
        );
        std::fs::write(directory.path().join("controls.json"), "{").unwrap();
        let error = Sheet::open(directory.path(), KERNEL).unwrap_err();
        assert!(error.to_string().contains("is no score"), "{error}");
    }
}

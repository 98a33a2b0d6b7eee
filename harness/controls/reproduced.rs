//! How soon `halfway reproduce` finds each control from its console log alone: a row for
//! each, and the table.

use super::kept;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The result of one order of cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cases {
    /// That many were run up to and with the one that has the same signature.
    Found(u64),
    /// None of that many has it.
    Without(u64),
}

impl Cases {
    fn words(self) -> String {
        match self {
            Cases::Found(number) => number.to_string(),
            Cases::Without(number) => format!("> {number}"),
        }
    }
}

/// The result of one control.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Its name.
    pub control: String,
    /// The case whose console was given.
    pub console_of: String,
    /// The signature of that case's failure.
    pub signature: String,
    /// Whether the console says by itself what the failure is, so that `reproduce`
    /// recognises it. Else the signature was compared for it.
    pub told: bool,
    /// The case that has the same signature, if one was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// In the order of `reproduce`.
    pub ranked: Cases,
    /// In the order of `run`.
    pub unranked: Cases,
}

/// The rows that were measured, on one kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Benchmark {
    /// The kernel's release.
    pub kernel: String,
    /// The rows, by name.
    pub rows: Vec<Row>,
    /// Controls without a result, and why.
    #[serde(default)]
    pub failed: Vec<(String, String)>,
}

/// Why a kept benchmark cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BenchmarkError {
    /// It is no benchmark.
    #[error("{} is no benchmark", path.display())]
    Form {
        /// The path of the file.
        path: PathBuf,
        /// The parser's error.
        source: serde_json::Error,
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

impl Benchmark {
    /// Reads the rows on this kernel from `directory`. Those on another one are dropped.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn open(directory: &Path, kernel: &str) -> Result<Self, BenchmarkError> {
        let path = directory.join("reproduced.json");
        let fresh = Benchmark {
            kernel: kernel.to_owned(),
            ..Benchmark::default()
        };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(fresh),
            Err(source) => return Err(BenchmarkError::File { path, source }),
        };
        match serde_json::from_str::<Benchmark>(&text) {
            Ok(kept) if kept.kernel == kernel => Ok(kept),
            Ok(_) => Ok(fresh),
            Err(source) => Err(BenchmarkError::Form { path, source }),
        }
    }

    /// Replaces a control's result, or adds it.
    pub fn renew(&mut self, control: &str, result: Result<Row, String>) {
        self.rows.retain(|row| row.control != control);
        self.failed.retain(|(name, _)| name != control);
        match result {
            Ok(row) => self.rows.push(row),
            Err(why) => self.failed.push((control.to_owned(), why)),
        }
        self.rows
            .sort_by(|one, other| one.control.cmp(&other.control));
        self.failed.sort();
    }

    /// Writes `reproduced.json` and `reproduced.md`.
    ///
    /// # Errors
    /// They could not be written.
    pub fn write(&self, directory: &Path, of: usize) -> Result<(), BenchmarkError> {
        kept::write(directory, "reproduced", self, &self.markdown(of))
            .map_err(|(path, source)| BenchmarkError::File { path, source })
    }

    /// The median number of cases in both orders, in words.
    pub fn medians(&self) -> (String, String) {
        let of = |order: fn(&Row) -> Cases| {
            let all = self.rows.iter().map(order).collect();
            median(all).map_or_else(|| "-".to_owned(), Cases::words)
        };
        (of(|row| row.ranked), of(|row| row.unranked))
    }

    /// The table; `of` is how many controls there are to reproduce.
    pub fn markdown(&self, of: usize) -> String {
        let (ranked, unranked) = self.medians();
        let count = |wanted: fn(&Row) -> bool| self.rows.iter().filter(|row| wanted(row)).count();
        let mut text = format!(
            "# Controls from their console logs\n\n\
             <!-- made by `halfway controls reproduce` -->\n\n\
             For each control one case that catches it was run on Linux {}, and what the kernel \
             logged during the case, with its console, was all that the ranking of `halfway \
             reproduce` was given. *Ranked* says how many cases were run until one had the same \
             signature, in the order of `reproduce`; *unranked* the same in the order of `run`, \
             of the same choice of cases. `> N`: none of the N cases that the budget allowed for. \
             *Told*: the console says what went wrong, and `reproduce` recognises the failure by \
             itself; of the others it says that another failure was found, and the signature was \
             compared for it.\n\n\
             Of {of} controls that a case catches, {} were measured and {} gave no result (below). \
             {} were found; of {} the console tells. Median: **{ranked}** ranked, **{unranked}** unranked.\n\n\
             | control | signature | told | ranked | unranked |\n|---|---|---|---|---|\n",
            self.kernel,
            self.rows.len(),
            self.failed.len(),
            count(|row| matches!(row.ranked, Cases::Found(_))),
            count(|row| row.told),
        );
        for row in &self.rows {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} |",
                row.control,
                row.signature.replace('|', "\\|"),
                if row.told { "yes" } else { "no" },
                row.ranked.words(),
                row.unranked.words()
            );
        }
        if !self.failed.is_empty() {
            text += "\nWithout a result:\n\n";
            for (control, why) in &self.failed {
                let _ = writeln!(text, "- {control}: {}", why.replace('|', "\\|"));
            }
        }
        text
    }
}

/// The middle one, of two the larger. What was not found is more than all that was.
fn median(mut all: Vec<Cases>) -> Option<Cases> {
    all.sort_by_key(|cases| match cases {
        Cases::Found(number) => (0, *number),
        Cases::Without(number) => (1, *number),
    });
    all.get(all.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn row(control: &str, ranked: Cases, unranked: Cases) -> Row {
        Row {
            control: control.to_owned(),
            console_of: "raid1.read@at=0".to_owned(),
            signature: "crash: kernel log: BUG | x".to_owned(),
            told: true,
            found: None,
            ranked,
            unranked,
        }
    }

    #[rstest]
    #[case(vec![], None)]
    #[case(vec![Cases::Found(3), Cases::Found(1), Cases::Found(9)], Some(Cases::Found(3)))]
    #[case(vec![Cases::Found(3), Cases::Without(1)], Some(Cases::Without(1)))]
    fn what_was_not_found_counts_as_more(#[case] all: Vec<Cases>, #[case] expected: Option<Cases>) {
        assert_eq!(median(all), expected);
    }

    #[test]
    fn rows_are_kept_of_the_same_kernel_only() {
        let directory = tempfile::tempdir().unwrap();
        let mut benchmark = Benchmark::open(directory.path(), "6.1").unwrap();
        benchmark.renew("b", Ok(row("b", Cases::Found(2), Cases::Found(70))));
        benchmark.renew("a", Err("it did not fail again".to_owned()));
        benchmark.renew("c", Err("x".to_owned()));
        benchmark.renew("c", Ok(row("c", Cases::Found(4), Cases::Without(90))));
        benchmark.write(directory.path(), 3).unwrap();
        assert_eq!(Benchmark::open(directory.path(), "6.1").unwrap(), benchmark);
        assert!(
            Benchmark::open(directory.path(), "7.2")
                .unwrap()
                .rows
                .is_empty()
        );
        let text = fs::read_to_string(directory.path().join("reproduced.md")).unwrap();
        assert!(
            text.contains("Of 3 controls that a case catches, 2 were measured"),
            "{text}"
        );
        assert!(text.contains("**4** ranked, **> 90** unranked"), "{text}");
        assert!(text.contains("BUG \\| x") && text.contains("- a: it did not fail again"));
    }
}

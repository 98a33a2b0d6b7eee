//! Tests of the documents: finds Markdown that a renderer silently shows otherwise.

use std::fs;
use std::path::{Path, PathBuf};

/// All Markdown files of the repository, except for run records.
fn documents() -> Vec<PathBuf> {
    const STRANGE: [&str; 3] = ["target", "runs", "corpus"];
    let mut found = Vec::new();
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("..")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                let source_of_target = name == "target" && directory.ends_with("harness");
                if !name.starts_with('.') && (source_of_target || !STRANGE.contains(&&*name)) {
                    directories.push(path);
                }
            } else if name.ends_with(".md") {
                found.push(path);
            }
        }
    }
    found
}

/// Finds tables that GitHub does not read as tables. A table is a block of lines that
/// begin with `|`. The second line is the delimiter row, and all lines have the same
/// number of cells.
fn mistakes(text: &str) -> Vec<(usize, &'static str)> {
    let mut mistakes = Vec::new();
    let mut in_code = false;
    let mut table: Vec<(usize, &str)> = Vec::new();
    for (number, line) in (1..).zip(text.lines().chain([""])) {
        if line.starts_with("```") {
            in_code = !in_code;
        }
        if !in_code && line.starts_with('|') {
            table.push((number, line.trim_end()));
            continue;
        }
        let Some(&(head, first)) = table.first() else {
            continue;
        };
        if table.len() < 2 || !is_delimiter(table[1].1) {
            mistakes.push((head, "rows without a head: is a blank line before them?"));
        }
        let rows = table.drain(..);
        let odd = rows.filter(|(_, row)| cells(row) != cells(first) || !row.ends_with('|'));
        mistakes.extend(odd.map(|(row, _)| (row, "not as many cells as in the table's head")));
    }
    mistakes
}

fn is_delimiter(row: &str) -> bool {
    row.contains('-') && row.chars().all(|sign| "|-: ".contains(sign))
}

/// The number of cells in a row. A pipe within a cell is escaped, also in code.
fn cells(row: &str) -> usize {
    row.replace("\\|", "").matches('|').count()
}

#[test]
fn every_row_belongs_to_a_table() {
    let documents = documents();
    assert!(
        documents
            .iter()
            .any(|path| path.ends_with("scenarios/README.md"))
    );
    assert!(
        documents
            .iter()
            .any(|path| path.ends_with("results/findings.md"))
    );
    let mut found = Vec::new();
    for path in documents {
        let text = fs::read_to_string(&path).unwrap();
        for (line, why) in mistakes(&text) {
            found.push(format!("{}:{line}: {why}", path.display()));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_blank_line_orphans_a_row() {
    let table = |between| format!("| a | b |\n|---|---|\n| 1 | 2 |\n{between}| 3 | \\| |\n");
    assert_eq!(mistakes(&table("")), []);
    assert_eq!(mistakes(&table("\n")).first().map(|one| one.0), Some(5));
    assert_eq!(
        mistakes(&table("| 4 |\n")).first().map(|one| one.0),
        Some(4)
    );
    assert_eq!(mistakes("```\n| 3 |\n```\n"), []);
}

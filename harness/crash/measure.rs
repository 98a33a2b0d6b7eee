//! The reader held against a directory of texts that are not in the repository.
//!
//! `HALFWAY_KERNEL_TEXTS=DIR cargo test --lib crash::measure -- --ignored --nocapture`
//! reads each file of the directory: a head of `KEY: VALUE` lines, an empty line, and
//! a console. A file whose head has `TITLE:` must be found, another must not. Public
//! corpora of kernel fuzzers have this form. What is missed is printed.

use super::find;
use std::path::PathBuf;

/// Name of the variable that says where the texts are.
const DIRECTORY: &str = "HALFWAY_KERNEL_TEXTS";

/// A text with the title that others gave it, if they did.
struct Known {
    name: String,
    title: Option<String>,
    console: String,
}

fn texts() -> Vec<Known> {
    let directory = std::env::var_os(DIRECTORY)
        .map(PathBuf::from)
        .unwrap_or_else(|| panic!("{DIRECTORY} says where the texts are, and is not set"));
    let entries = std::fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("reading {}: {error}", directory.display()));
    let mut texts: Vec<Known> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let has_head = text.starts_with(|first: char| first.is_uppercase() || first == '#');
            let (head, body) = match has_head {
                true => text.split_once("\n\n").unwrap_or((&text, "")),
                false => ("", text.as_str()),
            };
            let console = body.split("\nREPORT:\n").next().unwrap_or_default();
            Known {
                name: path.file_name().unwrap().to_string_lossy().into_owned(),
                title: (head.lines())
                    .find_map(|line| line.strip_prefix("TITLE: "))
                    .filter(|title| !title.is_empty())
                    .map(str::to_owned),
                console: console.to_owned(),
            }
        })
        .collect();
    texts.sort_by(|a, b| a.name.cmp(&b.name));
    texts
}

#[test]
#[ignore = "needs HALFWAY_KERNEL_TEXTS, a directory of kernel texts"]
fn every_titled_text_is_found_and_no_other() {
    let texts = texts();
    assert!(!texts.is_empty(), "the directory is empty");
    let mut wrong = 0;
    for text in &texts {
        let found = find(&text.console);
        match (&text.title, found) {
            (Some(_), Some(_)) | (None, None) => {}
            (Some(title), None) => {
                wrong += 1;
                println!("{}: missed: {title}", text.name);
            }
            (None, Some(crash)) => {
                wrong += 1;
                println!("{}: has no title, found: {}", text.name, crash.title);
            }
        }
    }
    let titled = texts.iter().filter(|text| text.title.is_some()).count();
    println!(
        "{} texts, {titled} with a title, {wrong} wrong",
        texts.len()
    );
    assert_eq!(wrong, 0);
}

//! Measures the reader with a directory of texts that are not in the
//! repository.
//!
//! `HALFWAY_KERNEL_TEXTS=DIR cargo test -p halfway-crash --test measure --
//! --ignored --nocapture` reads each file of the directory: a head of `KEY:
//! VALUE` lines, an empty line, and a console. If the head has `TITLE:`, a
//! complaint must be found in the file, else none must be. Public corpora of
//! kernel fuzzers have this form. The test prints what is missed, each title
//! that names another function, and the result of each text when it is cut,
//! quoted, wrapped, or given other prefixes.

use halfway_crash::{Report, decode};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Environment variable with the directory of the texts.
const DIRECTORY: &str = "HALFWAY_KERNEL_TEXTS";

/// A text, with the title that others gave it, if they did.
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
    assert!(!texts.is_empty(), "the directory is empty");
    texts
}

/// The function that a title names; `corrupted` stands for none.
fn function(title: &str) -> Option<&str> {
    let (_, function) = title.rsplit_once(" in ")?;
    let function = function.split(' ').next()?;
    Some(function).filter(|function| !function.starts_with("corrupted"))
}

fn first(reports: &[Report]) -> Option<&str> {
    reports.first().map(|report| report.title.as_str())
}

#[test]
#[ignore = "needs HALFWAY_KERNEL_TEXTS, a directory of kernel texts"]
fn every_titled_text_is_found_and_named() {
    let texts = texts();
    let (mut wrong, mut named, mut alike, mut same) = (0, 0, 0, 0);
    let mut slowest = Duration::ZERO;
    for text in &texts {
        let started = Instant::now();
        let reports = decode(&text.console);
        slowest = slowest.max(started.elapsed());
        let found = first(&reports);
        match (&text.title, found) {
            (None, None) => {}
            (Some(title), Some(found)) => {
                same += usize::from(title == found);
                if let Some(theirs) = function(title) {
                    named += 1;
                    let ours = reports[0].function.as_deref();
                    let agrees = Some(theirs) == ours || Some(theirs) == function(found);
                    alike += usize::from(agrees);
                    if !agrees {
                        println!("{}: {title}\n  ours: {found}", text.name);
                    } else if title != found {
                        println!(
                            "{}: {title}\n  only the function is the same: {found}",
                            text.name
                        );
                    }
                } else if title != found {
                    println!(
                        "{}: {title}\n  ours, of one without a function: {found}",
                        text.name
                    );
                }
            }
            (Some(title), None) => {
                wrong += 1;
                println!("{}: missed: {title}", text.name);
            }
            (None, Some(found)) => {
                wrong += 1;
                println!("{}: has no title, found: {found}", text.name);
            }
        }
    }
    let titled = texts.iter().filter(|text| text.title.is_some()).count();
    println!(
        "{} texts, {titled} with a title, {wrong} wrongly found or missed; {same} titles are the \
         same; {alike} of {named} functions are ({:.1} %); the slowest took {slowest:?}",
        texts.len(),
        100.0 * alike as f64 / named.max(1) as f64,
    );
    assert_eq!(wrong, 0);
    assert!(alike * 100 >= named * 97);
}

/// What people and programs do to a text, without touching the lines that
/// decide.
fn changed(text: &str) -> Vec<(&'static str, String)> {
    let each =
        |change: &dyn Fn(&str) -> String| text.lines().map(change).collect::<Vec<_>>().join("\n");
    vec![
        ("quoted", each(&|line| format!("> {line}"))),
        ("quoted twice", each(&|line| format!("> > {line}"))),
        ("with carriage returns", each(&|line| format!("{line}\r"))),
        (
            "coloured",
            each(&|line| format!("\x1b[33m{line}\x1b[0m\x1b[K")),
        ),
        (
            "from a journal",
            each(&|line| format!("Nov 28 21:22:20 host kernel: {line}")),
        ),
        (
            "with a level",
            each(&|line| match line.starts_with('[') {
                true => format!("<4>{line}"),
                false => line.to_owned(),
            }),
        ),
        (
            "with a mail before it",
            format!("Hello,\n\nsince yesterday I see this:\n\n{text}"),
        ),
        (
            "with a mail after it",
            format!("{text}\n\nAny idea?\n-- \nSomebody\n"),
        ),
    ]
}

#[test]
#[ignore = "needs HALFWAY_KERNEL_TEXTS, a directory of kernel texts"]
fn what_is_done_to_a_text_does_not_change_its_title() {
    let (mut other, mut all) = (0, 0);
    for text in texts() {
        let whole = decode(&text.console);
        for (how, changed) in changed(&text.console) {
            let reports = decode(&changed);
            all += 1;
            if first(&whole) != first(&reports) {
                other += 1;
                println!(
                    "{}, {how}: {:?} is now {:?}",
                    text.name,
                    first(&whole),
                    first(&reports)
                );
            }
        }
    }
    println!("{other} of {all} changed texts have another title");
    assert!(other * 100 <= all);
}

/// A small random generator, the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }
}

/// Whatever is done to a text, the reader neither panics nor gets slow.
/// `HALFWAY_MUTANTS` says how many texts are tried.
#[test]
#[ignore = "needs HALFWAY_KERNEL_TEXTS, a directory of kernel texts"]
fn no_text_is_too_strange() {
    let count = std::env::var("HALFWAY_MUTANTS").ok();
    let count: usize = count.map_or(5000, |count| count.parse().expect("a number"));
    let texts = texts();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut slowest, mut slow) = (Duration::ZERO, 0);
    for _ in 0..count {
        let text = &texts[random.below(texts.len())];
        let all = changed(&text.console);
        let (_, changed) = &all[random.below(all.len())];
        let mut bytes = changed.clone().into_bytes();
        let (from, to) = (random.below(bytes.len()), random.below(bytes.len()));
        match random.below(5) {
            0 => bytes.truncate(to),
            1 => drop(bytes.drain(..from)),
            2 if from < to => drop(bytes.drain(from..to)),
            3 => {
                let other = &texts[random.below(texts.len())].console;
                let mut lines: Vec<&str> = changed.lines().collect();
                for line in other.lines() {
                    lines.insert(random.below(lines.len() + 1), line);
                }
                bytes = lines.join("\n").into_bytes();
            }
            _ => {
                for _ in 0..20 {
                    let at = random.below(bytes.len());
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = random.below(256) as u8;
                    }
                }
            }
        }
        let changed = String::from_utf8_lossy(&bytes);
        let started = Instant::now();
        for report in decode(&changed) {
            assert!(!report.title.contains(char::is_control));
        }
        let mut took = started.elapsed();
        // A busy host may delay any run, so only what is slow each time counts.
        for _ in 0..2 {
            if took > Duration::from_millis(10) {
                let started = Instant::now();
                drop(decode(&changed));
                took = took.min(started.elapsed());
            }
        }
        slow += usize::from(took > Duration::from_millis(10));
        if took > slowest {
            println!("{}: {took:?} for {} bytes", text.name, changed.len());
            slowest = took;
        }
    }
    println!("{count} texts, {slow} took more than 10 ms, the slowest {slowest:?}");
}

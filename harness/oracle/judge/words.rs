//! Requests and numbers in the words of verdicts.

use halfway_case::observation::{Command, Entry};

/// The name of a command in messages.
pub fn command_name(command: Command) -> &'static str {
    match command {
        Command::Read => "read",
        Command::Write => "write",
        Command::Flush => "flush",
        Command::Discard => "discard",
        Command::WriteZeroes => "write-zeroes",
    }
}

/// A journal entry in words, with its result: `read 2048+128`.
pub fn entry_words(entry: &Entry) -> String {
    let name = command_name(entry.command);
    let result = match entry.result {
        Some(0) => "ok".to_owned(),
        Some(errno) => format!("error {errno}"),
        None => "unanswered".to_owned(),
    };
    let text = match entry.command {
        Command::Flush => format!("{name} {result}"),
        _ => format!("{name} {}+{} {result}", entry.sector, entry.sectors),
    };
    match entry.target_reply.filter(|_| entry.result != Some(0)) {
        Some(told) => format!("{text} ({told})"),
        None => text,
    }
}

/// A number of times in words.
pub fn times_in_words(count: u32) -> String {
    match count {
        0 => "0 times".to_owned(),
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        count => format!("{count} times"),
    }
}

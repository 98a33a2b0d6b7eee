//! Parses one line of QEMU's trace log into the event's name and its fields.

/// A line of QEMU's trace log is not in the expected format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot read a line of QEMU's trace log: {0:?}; this version of QEMU may write it otherwise"
)]
pub struct Unreadable(pub String);

/// An event: its name, then its fields as `key value`.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// The name of the event.
    pub name: &'a str,
    text: &'a str,
}

impl<'a> Line<'a> {
    /// Parses the line, if its event is one of `events`.
    pub fn of(line: &'a str, events: &[&str]) -> Option<Self> {
        // With `-msg timestamp=on`, and always before QEMU 7.1, a line is
        // "PID@TIME:NAME".
        let text = match line.split_once(':') {
            Some((stamp, text)) if stamp.contains('@') => text,
            _ => line,
        };
        let name = text.split_ascii_whitespace().next()?;
        events.contains(&name).then_some(Line { name, text })
    }

    fn field<T>(&self, key: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, Unreadable> {
        let mut words = self.text.split_ascii_whitespace();
        words
            .find(|word| *word == key)
            .and_then(|_| words.next())
            .and_then(parse)
            .ok_or_else(|| Unreadable(self.text.chars().take(200).collect()))
    }

    /// The value of a field that is an address.
    pub fn address(&self, key: &str) -> Result<u64, Unreadable> {
        self.field(key, |word| {
            u64::from_str_radix(word.strip_prefix("0x")?, 16).ok()
        })
    }

    /// The value of a field that is a number, 0 or more.
    pub fn number(&self, key: &str) -> Result<u64, Unreadable> {
        self.field(key, |word| word.parse().ok())
    }

    /// The value of a field that is a signed number.
    pub fn signed(&self, key: &str) -> Result<i32, Unreadable> {
        self.field(key, |word| word.parse().ok())
    }
}

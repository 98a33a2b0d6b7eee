//! Turns an error into a [`Refusal`] that says what was being done.

use halfway_protocol::message::Refusal;
use std::io;

/// Turns the error of a system call into a refusal.
pub trait Refuse<T> {
    /// `doing` completes the phrase "while ...", as in "loading the table of halfway0".
    fn refuse(self, doing: impl FnOnce() -> String) -> Result<T, Refusal>;
}

impl<T, E: Into<io::Error>> Refuse<T> for Result<T, E> {
    fn refuse(self, doing: impl FnOnce() -> String) -> Result<T, Refusal> {
        self.map_err(|error| {
            let error = error.into();
            let errno = error.raw_os_error();
            Refusal {
                doing: doing(),
                errno,
                detail: match errno {
                    Some(_) => String::new(),
                    None => error.to_string(),
                },
            }
        })
    }
}

/// A refusal by the agent itself, without an errno.
pub fn refusal(doing: impl Into<String>, detail: impl Into<String>) -> Refusal {
    Refusal {
        doing: doing.into(),
        errno: None,
        detail: detail.into(),
    }
}

//! The commands in the guest's shell that the host answers.

use crate::refuse::{Refuse, refusal};
use halfway_protocol::message::Refusal;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

/// The socket on which the session listens for these commands. The command sends a line
/// with its words, and gets a line with the host's text and exit status.
pub const SOCKET: &str = "/run/halfway-session";

/// Asks the host, and prints its answer. Returns the exit status.
pub fn ask(words: &[String]) -> u8 {
    match answer(words) {
        Ok((text, status)) => {
            // Ignore errors: the reader of a pipe may have closed it.
            let _ = std::io::stdout().write_all(text.as_bytes());
            status
        }
        Err(refusal) => {
            eprintln!("{}: {refusal}", words[0]);
            UNANSWERED
        }
    }
}

/// The exit status if there is no answer: that of a failure of the harness.
const UNANSWERED: u8 = 3;

fn answer(words: &[String]) -> Result<(String, u8), Refusal> {
    let doing = || "asking the host".to_owned();
    let mut stream = UnixStream::connect(SOCKET).refuse(doing)?;
    let mut line = serde_json::to_vec(words).refuse(doing)?;
    line.push(b'\n');
    stream.write_all(&line).refuse(doing)?;
    let mut answer = String::new();
    BufReader::new(stream)
        .read_line(&mut answer)
        .refuse(doing)?;
    serde_json::from_str(&answer).map_err(|_| refusal(doing(), "there is no answer"))
}

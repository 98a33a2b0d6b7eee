//! Commands of the guest's shell that the host answers.

use crate::refuse::{Refuse, refusal};
use halfway_protocol::message::Refusal;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

/// Where the session listens for them: a line with the command's words, and then one
/// with the text and the exit status that the host gives.
pub const SOCKET: &str = "/run/halfway-session";

/// Asks the host, and shows what it says; gives the exit status.
pub fn ask(words: &[String]) -> u8 {
    match answer(words) {
        Ok((text, status)) => {
            // Whoever reads it may have seen enough.
            let _ = std::io::stdout().write_all(text.as_bytes());
            status
        }
        Err(refusal) => {
            eprintln!("{}: {refusal}", words[0]);
            UNANSWERED
        }
    }
}

/// The exit status where there is no answer: that of a failure of the harness.
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

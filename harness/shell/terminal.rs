//! The user's terminal, and how it is given back.

use halfway_protocol::session::{Size, Terminal};
use rustix::stdio::stdin;
use rustix::termios::{self, OptionalActions, Termios};
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, Once, PoisonError};
use tokio::sync::mpsc;

/// What a terminal without a size is taken for.
const USUAL: Size = Size {
    rows: 24,
    columns: 80,
};

/// The user's terminal, if standard input is one.
pub fn of_user() -> Option<Terminal> {
    let kind = std::env::var("TERM").unwrap_or_else(|_| "linux".to_owned());
    io::stdin()
        .is_terminal()
        .then(|| Terminal { kind, size: size() })
}

/// Its size.
pub fn size() -> Size {
    match termios::tcgetwinsize(stdin()) {
        Ok(size) if size.ws_row > 0 && size.ws_col > 0 => Size {
            rows: size.ws_row,
            columns: size.ws_col,
        },
        _ => USUAL,
    }
}

/// How the terminal was before it became raw. For all, since a panic anywhere must
/// give it back.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// The terminal in raw mode, until this is dropped or something panics.
#[derive(Debug)]
pub struct Raw(());

impl Raw {
    /// Makes it raw.
    ///
    /// # Errors
    /// Standard input is no terminal, or not ours.
    pub fn enter() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        let before = termios::tcgetattr(stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        HOOK.call_once(|| {
            let tell = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                // First, so that the message does not run down like stairs.
                give_back();
                tell(panic);
            }));
        });
        termios::tcsetattr(stdin(), OptionalActions::Now, &raw)?;
        Ok(Raw(()))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        give_back();
    }
}

fn give_back() {
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(before) = before {
        let _ = termios::tcsetattr(stdin(), OptionalActions::Now, &before);
    }
}

/// Whether a program in the guest has the screen to itself, as an editor does: one
/// that the guest's end cuts short cannot give it back.
#[derive(Debug, Default)]
pub struct Screen {
    alternate: bool,
}

impl Screen {
    /// Takes note of what was shown.
    pub fn showed(&mut self, bytes: &[u8]) {
        const SWITCH: &[u8] = b"\x1b[?1049";
        let after = |at: usize| bytes.get(at + SWITCH.len()).copied();
        let switches = bytes.windows(SWITCH.len()).enumerate();
        let last = switches
            .filter(|(_, window)| *window == SWITCH)
            .filter_map(|(at, _)| after(at))
            .next_back();
        match last {
            Some(b'h') => self.alternate = true,
            Some(b'l') => self.alternate = false,
            _ => {}
        }
    }

    /// Puts the screen in order: the cursor is seen, the attributes are off, and a
    /// new line is begun.
    pub fn tidy(&self) {
        let back = if self.alternate { "\x1b[?1049l" } else { "" };
        let mut out = io::stdout();
        let _ = write!(out, "{back}\x1b[0m\x1b[?25h\r\n");
        let _ = out.flush();
    }
}

/// What is read from standard input, until its end: by a thread, since a pending read
/// would keep an asynchronous runtime from ending.
pub fn typed() -> mpsc::Receiver<Vec<u8>> {
    const QUEUED: usize = 16;
    let (send, receive) = mpsc::channel(QUEUED);
    std::thread::spawn(move || {
        let mut chunk = [0; 4096];
        loop {
            let count = match rustix::io::read(stdin(), &mut chunk) {
                Ok(0) => return,
                Ok(count) => count,
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => return,
            };
            if send.blocking_send(chunk[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    receive
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::nothing(&["ls\r\n"], false)]
    #[case::an_editor(&["\x1b[?1049h\x1b[Hfile"], true)]
    #[case::an_editor_that_ended(&["\x1b[?1049h", "x", "\x1b[?1049l# "], false)]
    #[case::two(&["\x1b[?1049h..\x1b[?1049l..\x1b[?1049h"], true)]
    #[case::cut(&["\x1b[?1049"], false)]
    fn a_screen_that_was_taken_is_known(#[case] shown: &[&str], #[case] alternate: bool) {
        let mut screen = Screen::default();
        shown.iter().for_each(|text| screen.showed(text.as_bytes()));
        assert_eq!(screen.alternate, alternate);
    }
}

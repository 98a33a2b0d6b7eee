//! The user's terminal, and how it is restored.

use halfway_protocol::session::{Size, Terminal};
use rustix::stdio::stdin;
use rustix::termios::{self, OptionalActions, Termios};
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, Once, PoisonError};
use tokio::sync::mpsc;

/// The size that is assumed for a terminal that reports none.
const USUAL: Size = Size {
    rows: 24,
    columns: 80,
};

/// The size and type of the user's terminal, if standard input is one.
pub fn of_user() -> Option<Terminal> {
    let kind = std::env::var("TERM").unwrap_or_else(|_| "linux".to_owned());
    io::stdin()
        .is_terminal()
        .then(|| Terminal { kind, size: size() })
}

/// The current size of the user's terminal.
pub fn size() -> Size {
    match termios::tcgetwinsize(stdin()) {
        Ok(size) if size.ws_row > 0 && size.ws_col > 0 => Size {
            rows: size.ws_row,
            columns: size.ws_col,
        },
        _ => USUAL,
    }
}

/// The terminal's settings before it became raw. It is global, because a panic in any
/// place must restore them.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// Keeps the terminal in raw mode, until it is dropped or something panics.
#[derive(Debug)]
pub struct Raw(());

impl Raw {
    /// Puts the terminal into raw mode.
    ///
    /// # Errors
    /// Standard input is not a terminal, or this process may not change it.
    pub fn enter() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        let before = termios::tcgetattr(stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        HOOK.call_once(|| {
            let tell = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                // Restore the terminal first: in raw mode a line break does not return to
                // the first column.
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

/// Whether a program in the guest uses the whole screen, as an editor does. If the guest
/// ends meanwhile, that program cannot restore the screen.
#[derive(Debug, Default)]
pub struct Screen {
    alternate: bool,
}

impl Screen {
    /// Looks for escape sequences in what is shown.
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

    /// Restores the screen: shows the cursor, turns attributes off, and begins a new
    /// line.
    pub fn tidy(&self) {
        let back = if self.alternate { "\x1b[?1049l" } else { "" };
        let mut out = io::stdout();
        let _ = write!(out, "{back}\x1b[0m\x1b[?25h\r\n");
        let _ = out.flush();
    }
}

/// Reads standard input until its end. A thread does this, because a pending read would
/// keep the asynchronous runtime from shutting down.
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

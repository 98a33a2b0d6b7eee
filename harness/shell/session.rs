//! Connects the user to the guest's shell, until either ends.

use super::terminal::{self, Raw, Screen};
use crate::guest::channel::{Channel, Writer};
use halfway_protocol::session::{Frame, Message};
use std::io;
use tokio::io::AsyncWriteExt;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{self, Receiver, UnboundedReceiver, UnboundedSender};

/// The byte that a terminal sends for Ctrl-], which leaves the session.
const ESCAPE: u8 = 0x1d;

/// A command of the guest's shell that asks the host for something.
#[derive(Clone, Debug)]
pub struct Question {
    /// The number that its answer must repeat.
    pub id: u64,
    /// The name of the command, and its arguments.
    pub words: Vec<String>,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The shell exited, with this status.
    Exited(u8),
    /// The user pressed Ctrl-], or the reader of the output has gone away.
    Left,
    /// A signal asked the harness to end.
    Signalled,
    /// The guest has ended.
    Gone,
    /// The guest could not start a shell, for this reason.
    Failed(String),
}

/// Connects the user to the shell. The guest's questions are sent to `questions`; the
/// answers come by `answers`.
///
/// # Errors
/// Standard input or output failed, or the guest sent something that is no frame.
pub async fn join(
    channel: Channel,
    questions: UnboundedSender<Question>,
    mut answers: UnboundedReceiver<Message>,
) -> io::Result<End> {
    let user = terminal::of_user();
    let on_terminal = user.is_some();
    let Channel {
        mut reader,
        mut writer,
    } = channel;
    if writer.say(Message::Start { terminal: user }).await.is_err() {
        return Ok(End::Gone);
    }
    let (say, said) = mpsc::unbounded_channel();
    let (input, to_type) = mpsc::channel(4);
    let sending = send(writer, said, to_type);
    let typing = type_in(input, on_terminal);
    let mut signals = Signals::listen()?;
    let mut resized = signal(SignalKind::window_change())?;
    let mut screen = Screen::default();
    let mut raw = None;
    let showing = async {
        let (mut out, mut errors) = (tokio::io::stdout(), tokio::io::stderr());
        loop {
            let frame = tokio::select! {
                frame = reader.next() => frame?,
                Some(answer) = answers.recv() => {
                    let _ = say.send(answer);
                    continue;
                }
                _ = resized.recv(), if on_terminal => {
                    let _ = say.send(Message::Resized { size: terminal::size() });
                    continue;
                }
                () = signals.asked() => return Ok::<_, io::Error>(End::Signalled),
            };
            match frame {
                None => return Ok(End::Gone),
                Some(Frame::Output(bytes)) => {
                    screen.showed(&bytes);
                    out.write_all(&bytes).await?;
                    out.flush().await?;
                }
                Some(Frame::Errors(bytes)) => {
                    errors.write_all(&bytes).await?;
                    errors.flush().await?;
                }
                Some(Frame::Message(Message::Started { without_terminal })) => {
                    match without_terminal {
                        Some(why) => eprintln!("{}", LINES.replace("{}", &why)),
                        None if on_terminal => raw = Some(Raw::enter()?),
                        None => {}
                    }
                }
                Some(Frame::Message(Message::Ask { id, words })) => {
                    let _ = questions.send(Question { id, words });
                }
                Some(Frame::Message(Message::Exited { status })) => {
                    return Ok(End::Exited(status));
                }
                Some(Frame::Message(Message::Failed { why })) => return Ok(End::Failed(why)),
                Some(Frame::Input(_) | Frame::Message(_)) => {}
            }
        }
    };
    let end: io::Result<End> = tokio::select! {
        end = showing => end,
        () = sending => Ok(End::Gone),
        () = typing => Ok(End::Left),
    };
    if raw.take().is_some() && !matches!(end, Ok(End::Exited(_))) {
        screen.tidy();
    }
    match end {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(End::Left),
        end => end,
    }
}

/// What the user is told if the guest's shell has no terminal.
const LINES: &str = "The guest's shell has no terminal: {}. What is typed here goes to it by the \
                     line: no job control, no editors, and Ctrl-C ends the guest.";

/// Sends what the user types to `input`. Returns only when the user leaves with Ctrl-].
/// At the end of a script it does not return, because the script's output may still
/// follow.
async fn type_in(input: mpsc::Sender<Frame>, on_terminal: bool) {
    let mut typed = terminal::typed();
    while let Some(bytes) = typed.recv().await {
        if on_terminal && bytes.contains(&ESCAPE) {
            return;
        }
        let _ = input.send(Frame::Input(bytes)).await;
    }
    // This goes through the same channel as the input, so that it cannot overtake it.
    let _ = input.send(Frame::Message(Message::EndOfInput)).await;
    std::future::pending().await
}

/// Sends everything that goes to the guest. Messages overtake input, so that they do not
/// wait while the guest reads no input. Returns when the guest has ended.
async fn send(
    mut writer: Writer,
    mut said: UnboundedReceiver<Message>,
    mut input: Receiver<Frame>,
) {
    loop {
        let frame = tokio::select! {
            biased;
            Some(message) = said.recv() => Frame::Message(message),
            Some(frame) = input.recv() => frame,
            else => return,
        };
        if writer.send(&frame).await.is_err() {
            return;
        }
    }
}

/// The signals that ask a program to end.
struct Signals([Signal; 4]);

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Signals([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
            signal(SignalKind::quit())?,
        ]))
    }

    async fn asked(&mut self) {
        let [a, b, c, d] = &mut self.0;
        tokio::select! {
            _ = a.recv() => {}
            _ = b.recv() => {}
            _ = c.recv() => {}
            _ = d.recv() => {}
        }
    }
}

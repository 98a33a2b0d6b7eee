//! A person's, or a script's, session with a shell in the guest: what goes over a
//! virtio-serial port of its own.
//!
//! Both sides send frames: a byte that says of what kind it is, the length of what
//! follows as four bytes (the lowest first), and so many bytes. The host opens with
//! [`Message::Start`], and the guest answers with [`Message::Started`].

use serde::{Deserialize, Serialize};

/// The commands of the guest's shell that the host answers.
pub const COMMANDS: [&str; 4] = [
    "halfway-fault",
    "halfway-io",
    "halfway-reset",
    "halfway-help",
];

/// Longest content of a frame that is believed, in bytes.
pub const LONGEST: usize = 1 << 20;

/// A piece of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// What was typed, or a piece of a script.
    Input(Vec<u8>),
    /// What the shell's standard output, or its terminal, shows.
    Output(Vec<u8>),
    /// What its standard error shows, where it has no terminal.
    Errors(Vec<u8>),
    /// All else.
    Message(Message),
}

/// What the two sides say of the session itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "say")]
pub enum Message {
    /// Host: start the shell.
    Start {
        /// On a terminal like this; without one it reads a script.
        terminal: Option<Terminal>,
    },
    /// Host: the terminal has another size now.
    Resized {
        /// The new size.
        size: Size,
    },
    /// Host: there is no more input.
    EndOfInput,
    /// Host: what came of [`Message::Ask`].
    Answer {
        /// The question's number.
        id: u64,
        /// What is to be shown.
        text: String,
        /// The exit status of the command that asked.
        status: u8,
    },
    /// Guest: the shell runs.
    Started {
        /// Why it has no terminal, although one was asked for.
        without_terminal: Option<String>,
    },
    /// Guest: a command of [`COMMANDS`] was called.
    Ask {
        /// Its number.
        id: u64,
        /// Its name and its arguments.
        words: Vec<String>,
    },
    /// Guest: the shell has ended. Nothing comes after this.
    Exited {
        /// Its exit status; 128 and the signal's number where a signal ended it.
        status: u8,
    },
    /// Guest: there is no shell. Nothing comes after this.
    Failed {
        /// Why.
        why: String,
    },
}

/// The user's terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terminal {
    /// `TERM`.
    pub kind: String,
    /// Its size.
    pub size: Size,
}

/// The size of a terminal, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Lines.
    pub rows: u16,
    /// Columns.
    pub columns: u16,
}

impl Frame {
    /// The bytes on the wire.
    pub fn encode(&self) -> Vec<u8> {
        let message;
        let (kind, content) = match self {
            Frame::Input(bytes) => (b'I', bytes),
            Frame::Output(bytes) => (b'O', bytes),
            Frame::Errors(bytes) => (b'E', bytes),
            Frame::Message(said) => {
                message = serde_json::to_vec(said).expect("messages are plain data");
                (b'M', &message)
            }
        };
        let length = (content.len() as u32).to_le_bytes();
        [&[kind], &length[..], content].concat()
    }

    fn of(kind: u8, content: &[u8]) -> Result<Frame, String> {
        let bytes = content.to_vec();
        Ok(match kind {
            b'I' => Frame::Input(bytes),
            b'O' => Frame::Output(bytes),
            b'E' => Frame::Errors(bytes),
            b'M' => Frame::Message(serde_json::from_slice(content).map_err(|e| e.to_string())?),
            other => return Err(format!("a frame of the kind {other}")),
        })
    }
}

/// From bytes, in pieces of any length, to frames.
#[derive(Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
}

impl Frames {
    /// Takes more bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next frame that is complete.
    ///
    /// # Errors
    /// Something else is talking: in words, and nothing after it can be read.
    pub fn take(&mut self) -> Result<Option<Frame>, String> {
        let Some(&[kind, a, b, c, d]) = self.bytes.first_chunk() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        if length > LONGEST {
            return Err(format!("a frame of {length} bytes"));
        }
        let end = 5 + length;
        if self.bytes.len() < end {
            return Ok(None);
        }
        let frame = Frame::of(kind, &self.bytes[5..end]);
        self.bytes.drain(..end);
        frame.map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn size() -> Size {
        Size {
            rows: 24,
            columns: 80,
        }
    }

    fn frames() -> impl Strategy<Value = Frame> {
        let bytes = proptest::collection::vec(any::<u8>(), 0..40);
        let messages = prop_oneof![
            Just(Message::Start {
                terminal: Some(Terminal {
                    kind: "tmux".into(),
                    size: size()
                })
            }),
            Just(Message::Start { terminal: None }),
            Just(Message::Resized { size: size() }),
            Just(Message::EndOfInput),
            ".*".prop_map(|text| Message::Answer {
                id: u64::MAX,
                text,
                status: 125
            }),
            ".*".prop_map(|why| Message::Started {
                without_terminal: Some(why)
            }),
            ".*".prop_map(|word| Message::Ask {
                id: 1,
                words: vec![word]
            }),
            any::<u8>().prop_map(|status| Message::Exited { status }),
            ".*".prop_map(|why| Message::Failed { why }),
        ];
        prop_oneof![
            bytes.clone().prop_map(Frame::Input),
            bytes.clone().prop_map(Frame::Output),
            bytes.prop_map(Frame::Errors),
            messages.prop_map(Frame::Message),
        ]
    }

    proptest! {
        #[test]
        fn frames_survive_the_wire_in_pieces_of_any_length(
            sent in proptest::collection::vec(frames(), 0..8),
            piece in 1_usize..50,
        ) {
            let wire: Vec<u8> = sent.iter().flat_map(Frame::encode).collect();
            let mut frames = Frames::default();
            let mut received = Vec::new();
            for piece in wire.chunks(piece) {
                frames.push(piece);
                while let Some(frame) = frames.take().unwrap() {
                    received.push(frame);
                }
            }
            prop_assert_eq!(received, sent);
        }
    }

    #[rstest]
    #[case::a_kernel_message(b"[    1.0] random", "a frame of")]
    #[case::no_such_kind(b"x\0\0\0\0", "a frame of the kind 120")]
    #[case::no_such_message(b"M\x02\0\0\0{}", "missing field")]
    fn what_is_no_frame_is_refused(#[case] bytes: &[u8], #[case] expected: &str) {
        let mut frames = Frames::default();
        frames.push(bytes);
        let error = frames.take().unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

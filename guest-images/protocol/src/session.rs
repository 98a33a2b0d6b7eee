//! A session with a shell in the guest, for a person or a script. It uses a virtio-serial
//! port of its own.
//!
//! Both sides send frames. A frame is one byte for its kind, four bytes for the length of
//! its content (little-endian), and the content. The host begins with [`Message::Start`],
//! and the guest answers with [`Message::Started`].

use serde::{Deserialize, Serialize};

/// The commands in the guest's shell that the host answers.
pub const COMMANDS: [&str; 4] = [
    "halfway-fault",
    "halfway-io",
    "halfway-reset",
    "halfway-help",
];

/// The largest length of a frame's content that is accepted, in bytes.
pub const LONGEST: usize = 1 << 20;

/// A frame of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// What the user typed, or a piece of a script.
    Input(Vec<u8>),
    /// Output of the shell's terminal or of its standard output.
    Output(Vec<u8>),
    /// Output of the shell's standard error, if it has no terminal.
    Errors(Vec<u8>),
    /// A message about the session itself.
    Message(Message),
}

/// Messages of the two sides about the session itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "say")]
pub enum Message {
    /// Host: start the shell.
    Start {
        /// The user's terminal. Without one, the shell reads a script.
        terminal: Option<Terminal>,
    },
    /// Host: the terminal has changed its size.
    Resized {
        /// The new size.
        size: Size,
    },
    /// Host: there is no more input.
    EndOfInput,
    /// Host: the answer to a [`Message::Ask`].
    Answer {
        /// The number of the question.
        id: u64,
        /// The text to print.
        text: String,
        /// The exit status for the command that asked.
        status: u8,
    },
    /// Guest: the shell is running.
    Started {
        /// Why it has no terminal, although one was asked for.
        without_terminal: Option<String>,
    },
    /// Guest: someone ran one of [`COMMANDS`].
    Ask {
        /// The number of the question, which the answer repeats.
        id: u64,
        /// The name of the command, and its arguments.
        words: Vec<String>,
    },
    /// Guest: the shell has ended. Nothing follows this message.
    Exited {
        /// Its exit status, or 128 plus the number of the signal that ended it.
        status: u8,
    },
    /// Guest: the shell could not be started. Nothing follows this message.
    Failed {
        /// The reason, in words.
        why: String,
    },
}

/// The user's terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terminal {
    /// The terminal type: the value of `TERM`.
    pub kind: String,
    /// Its size in characters.
    pub size: Size,
}

/// The size of a terminal, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// The number of lines.
    pub rows: u16,
    /// The number of columns.
    pub columns: u16,
}

impl Frame {
    /// Encodes the frame as bytes.
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

/// Decodes frames from bytes that arrive in pieces of any length.
#[derive(Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
}

impl Frames {
    /// Adds bytes that have arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next complete frame, if there is one.
    ///
    /// # Errors
    /// The bytes are not a frame. The error is in words, and nothing after it can be
    /// decoded.
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

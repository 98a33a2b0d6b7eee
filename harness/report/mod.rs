//! What a person sees of a run: a consumer of events, like the record.
//!
//! * [`terminal`]: live progress and plain lines; [`Terminal`].
//! * [`lines`]: the wording of each line.
//! * [`table`]: the summary at the end, also of a run that was recorded.
//! * [`kinds`]: what did not pass, by kind; [`Kinds`].

pub mod kinds;
pub mod lines;
pub mod table;
pub mod terminal;

pub use kinds::Kinds;
pub use terminal::{Options, Terminal, Verbosity};

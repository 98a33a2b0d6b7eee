//! What a person sees of a run. Like the record, it consumes the run's events.
//!
//! * [`terminal`]: live progress and plain lines; [`Terminal`].
//! * [`lines`]: the wording of each line.
//! * [`table`]: the summary at the end, also of a recorded run.
//! * [`kinds`]: what did not pass, by kind; [`Kinds`].

pub mod kinds;
pub mod lines;
pub mod table;
pub mod terminal;

pub use kinds::Kinds;
pub use terminal::{Options, Terminal, Verbosity};

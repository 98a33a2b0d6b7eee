//! Measures whether Halfway notices a broken kernel: runs the catalogue on kernels that
//! are broken on purpose.
//!
//! * [`symptom`]: the class of a verdict.
//! * [`trial`]: turns a run's events into the fate of a control.
//! * [`score`]: the table of all controls, and its result.
//! * [`sheet`]: the table as it is kept in a file, updated row by row.
//! * `kept`: a table in two files.
//! * [`reproduced`]: how soon each is found from its console log alone.

mod kept;
pub mod reproduced;
pub mod score;
pub mod sheet;
pub mod symptom;
pub mod trial;

pub use score::Row;
pub use trial::{Fate, Trial};

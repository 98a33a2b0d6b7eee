//! Does Halfway notice? Judges the catalogue by kernels that are broken on
//! purpose.
//!
//! * [`symptom`]: the class of a verdict.
//! * [`trial`]: from a run's events to what became of a control.
//! * [`score`]: the table, and what it comes to.
//! * [`sheet`]: the table as it is kept, row by row.

pub mod score;
pub mod sheet;
pub mod symptom;
pub mod trial;

pub use score::Row;
pub use trial::{Fate, Trial};

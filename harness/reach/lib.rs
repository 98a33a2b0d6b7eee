//! Which scenario reaches what a report names, and whether a failure is the reported one.
//!
//! - [`Table`]: which functions of the kernel each scenario was seen to reach.
//! - [`Asked`]: the functions, messages and words of a text; [`message`]: the form in which
//!   messages are compared.
//! - [`rank`]: the scenarios in the order in which they may show a report's failure;
//!   [`order`]: that of their cases.
//! - [`limits`]: what of a report cannot be played.
//! - [`Wanted`]: the failure that a text is about, and whether another one is the same.
//!   [`Complaint`]: what a person complains of; [`likeness`]: what two reports of a kernel
//!   have in common.
//! - [`nearest`]: the kernels that are nearest to a release.
//!
//! Pure: no I/O, and nothing in a report is executed or followed.

mod asked;
mod complaint;
mod kernel;
mod likeness;
mod limits;
pub mod message;
pub mod order;
mod rank;
mod table;
mod wanted;

pub use asked::Asked;
pub use complaint::Complaint;
pub use kernel::{mentioned, nearest, same_series};
pub use likeness::{Likeness, likeness};
pub use limits::{Limit, What, limits};
pub use rank::{Ranked, Ranking, Subject, rank};
pub use table::{Table, TableError};
pub use wanted::{Match, Wanted};

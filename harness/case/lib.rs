//! What a case, an observation and a verdict are: plain data, and facts that
//! follow from them alone.
//!
//! - [`Case`]: one point of a scenario, with nothing left open: the [`stack`],
//!   its [`legs`], the [`io`] with the layout of its memory ([`vector`]), the
//!   faults ([`fault`]), the requests that are held ([`hold`]) and what is done
//!   [`meanwhile`], or a [`soak`].
//! - [`observation`]: everything that was seen while the case ran.
//! - [`verdict`]: what the judge concludes from the two.
//! - [`Signature`]: what stays the same when the same failure comes again.
//! - [`facts`]: what follows from a case, for whoever performs it and whoever
//!   judges it.
//! - [`Fitting`]: which cases can share a machine.
//! - [`timeout`]: which cases make a driver give up a request.
//! - [`limits`]: how large each thing may be.
//! - [`errno`]: names of errors.
//! - `words`: a case in words.
//!
//! A case can be written as a scenario file that expands to this one case. That
//! is how a failure is reproduced.

mod case;
pub mod errno;
pub mod facts;
pub mod fault;
mod fitting;
pub mod hold;
pub mod io;
pub mod legs;
pub mod limits;
pub mod meanwhile;
pub mod observation;
pub mod signature;
pub mod soak;
pub mod stack;
pub mod timeout;
pub mod vector;
pub mod verdict;
mod words;

pub use case::{Case, Sabotage};
pub use fault::{Disk, During, Fault, OtherFault, Times};
pub use fitting::Fitting;
pub use halfway_controllers::Controller;
pub use hold::{Ending, Hold};
pub use io::Io;
pub use legs::{Legs, OnError};
pub use meanwhile::Meanwhile;
pub use observation::Observation;
pub use signature::Signature;
pub use soak::{Filesystem, Length, Soak};
pub use stack::{
    Log, Multipath, NoPathRetry, PathGrouping, PathSelector, Paths, QueueMode, Raid1, Remedy,
    Stack, Sync, TargetName,
};
pub use vector::Vector;
pub use verdict::{Outcome, Verdict};
pub use words::Lower;

//! The contract watcher's eyes: every bio's iterator and vector, where it is
//! submitted and where it ends, by kprobe events alone.
//!
//! * [`btf`]: where a structure's members are in this kernel.
//! * [`probe`]: the events' definitions.
//! * [`record`]: their records into [`halfway_protocol::bio::BioEvent`]s.
//! * [`watcher`]: the files. The rest is pure.

mod btf;
mod probe;
mod record;
mod watcher;

pub use watcher::Watcher;

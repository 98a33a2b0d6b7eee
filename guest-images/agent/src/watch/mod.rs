//! The contract watcher: records every bio's iterator and vector, where it is submitted
//! and where it ends. It uses only kprobe events.
//!
//! * [`btf`]: where a structure's members are in this kernel.
//! * [`probe`]: the definitions of the events.
//! * [`record`]: decodes their records into [`halfway_protocol::bio::BioEvent`]s.
//! * [`watcher`]: the files. All others are pure.

mod btf;
mod probe;
mod record;
mod watcher;

pub use watcher::Watcher;

//! Scenario files: one file, one question.
//!
//! A file is TOML in the terms of the block layer (scenarios/README.md). It is
//! read once, by hand, so that all mistakes are reported at once with their
//! places (`read`, `file`). Its parts are checked against each other
//! (`validate`). Then it is expanded to [`Case`]s (`expand`), or sampled
//! (`sample`). Random scenarios over the whole format come from [`draw`].
//! Nothing here does I/O except [`load`].
//!
//! `file::File` is the only description of the format: reading, writing, the
//! JSON Schema for editors and the expansion are all made from it.

mod clash;
mod draw;
pub mod error;
mod expand;
mod file;
mod load;
mod pick;
mod read;
mod sample;
mod schema;
mod stack;
mod suggest;
mod sweep;
#[cfg(test)]
mod tests;
mod validate;
mod value;
mod write;

pub use draw::draw;
pub use error::{LoadError, ScenarioError};
pub use expand::Scenario;
pub use load::load;
pub use schema::schema;
pub use write::case_file;

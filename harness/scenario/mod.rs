//! Scenario files: one file, one question.
//!
//! A file is TOML in the terms of the block layer (scenarios/README.md). It is
//! read once, by hand, so that every mistake in it is told at once with its
//! place (`read`, `file`); its parts are checked against each other
//! (`validate`); it is expanded to [`Case`]s (`expand`), or sampled
//! (`sample`). Random scenarios over the whole format come from [`draw`].
//! Nothing here does I/O but [`load`].
//!
//! `file::File` is the only description of the format: reading, writing, the
//! JSON Schema for editors and the expansion are all made from it.

pub mod case;
mod draw;
mod errno;
pub mod error;
mod expand;
pub mod facts;
mod file;
mod fitting;
pub mod limits;
mod load;
mod read;
pub mod reported;
mod sample;
mod schema;
mod suggest;
mod sweep;
#[cfg(test)]
mod tests;
pub mod timeout;
mod validate;
mod value;
mod vector;
mod words;
mod write;

pub use case::Case;
pub use draw::draw;
pub use errno::{errno_from_name, errno_name};
pub use error::{LoadError, ScenarioError};
pub use expand::Scenario;
pub use fitting::Fitting;
pub use load::load;
pub use schema::schema;
pub use words::Lower;

//! From `function+0xoff/0xsize [module]` to source lines.
//!
//! A kernel's text names functions, not addresses that mean anything elsewhere:
//! a kernel may be loaded anywhere (KASLR), and so is each module. So a frame is
//! looked up by its function and its offset. The size of the function tells
//! whether the file is of the same build.

mod directory;
mod image;
mod link;

pub use directory::{OpenError, Symbols};
pub use image::{Image, ImageError, Miss, Place};

//! Requests that are held in flight, and what is done meanwhile.

use crate::meanwhile::Meanwhile;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// A request of the I/O that its disk holds until something has been done to
/// the stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Index of the leg whose request is held.
    pub leg: u8,
    /// Sector on the dm device: the first request to the leg that contains it
    /// is held.
    pub sector: u64,
    /// How the disk ends the request after that.
    pub then: Ending,
    /// What is done while all requests are held, before the first is released.
    pub meanwhile: Meanwhile,
    /// When the request is released, relative to the holds before it in the
    /// list: 0 is before all of them, its own index is after all of them. Every
    /// order of release is one combination of places, and every combination is
    /// possible.
    #[serde(default)]
    pub place: u8,
}

impl Hold {
    /// Indices of `holds` in the order in which they are released.
    pub fn order(holds: &[Hold]) -> Vec<usize> {
        let mut order = Vec::with_capacity(holds.len());
        for (index, hold) in holds.iter().enumerate() {
            order.insert(usize::from(hold.place).min(index), index);
        }
        order
    }
}

/// How a disk ends a request that it held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The disk carries it out.
    Ok,
    /// It fails, and nothing of it is done.
    #[serde(rename = "EIO")]
    Eio,
}

/// Reads one hold or a list: a record from before 2026-11-25 has at most one
/// hold, or null.
pub(crate) fn one_or_many<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Hold>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        Many(Vec<Hold>),
        One(Option<Hold>),
    }
    Ok(match Given::deserialize(from)? {
        Given::Many(holds) => holds,
        Given::One(hold) => hold.into_iter().collect(),
    })
}

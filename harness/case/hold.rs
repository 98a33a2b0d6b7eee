//! Requests that are held in flight, and what is done meanwhile.

use crate::meanwhile::Meanwhile;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// A request of the I/O that its disk keeps until something has been done to the
/// stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Which leg.
    pub leg: u8,
    /// Which sector, on the dm device: the first request to the leg that covers
    /// it is held.
    pub sector: u64,
    /// How the disk ends it then.
    pub then: Ending,
    /// What is done before that, while all are held.
    pub meanwhile: Meanwhile,
    /// In which place among the holds before it, and itself, it is let go: 0 is
    /// before all of them, its own index after all. Every order of letting go is
    /// one combination of places, and no combination is impossible.
    #[serde(default)]
    pub place: u8,
}

impl Hold {
    /// Indices of `holds` in the order in which they are let go.
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
    /// It is carried out.
    Ok,
    /// It fails, and nothing of it is done.
    #[serde(rename = "EIO")]
    Eio,
}

/// A record of before 2026-11-25 has at most one hold, or null.
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

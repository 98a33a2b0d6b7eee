//! How a case is performed, beside what it says itself.

use halfway_case::observation::Intervention;
use std::time::Duration;

/// How a case is performed, beside what it says itself.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// How long its I/O may take.
    pub deadline: Duration,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// Whether the contract watcher looks at every bio.
    pub watched: bool,
    /// Whether the stack is there already ([`set_up`](super::set_up)), and stays.
    pub standing: bool,
    /// At which of an operator's interventions the I/O must come back, if somebody knows: it is
    /// given longer there. Nothing else that is done depends on it.
    pub due: Option<Intervention>,
}

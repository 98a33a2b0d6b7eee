//! What the model asks of a target.

use super::{Expectation, Unknown};
use crate::units::Unit;
use halfway_case::Case;
use halfway_case::observation::Intervention;

/// The rules of a target: what a correct kernel does with a case on it, and which cases it is
/// known for. There are no defaults: a rule that nobody worked out does not compile.
pub trait Rules {
    /// Whether it is known what the target does in `case`.
    fn knows(&self, case: &Case) -> Result<(), Unknown>;

    /// Whether it is known what it does in a soak.
    fn knows_soak(&self, case: &Case) -> Result<(), Unknown>;

    /// Whether it is known what becomes of a buffered write of which a lower device fails what
    /// is read to fill up a page.
    fn knows_fill_up(&self, case: &Case) -> Result<(), Unknown>;

    /// The health of a lower device that failed such a read. `None` where the two are not worked
    /// out together.
    fn health_after_fill_up(&self) -> Option<&'static str>;

    /// Whether it is known what becomes of requests that are held. `one_leg` says that they are
    /// all on one lower device, and `fails` that one of them ends in a failure.
    fn knows_holds(&self, case: &Case, one_leg: bool, fails: bool) -> Result<(), Unknown>;

    /// Whether it is known what becomes of a held request that lasting faults of other lower
    /// devices have sent to the one that holds it.
    fn knows_sent_on(&self, case: &Case, fails: bool) -> bool;

    /// What is known of several units that are held together.
    fn held_together(&self, case: &Case) -> HeldTogether;

    /// What the target does with units that no hold delays.
    fn expect(&self, case: &Case, units: &[Unit]) -> Expectation;

    /// For each request of the application what may bring it back, if the target holds the I/O
    /// and no request of it is held by a disk: see
    /// [`brought_back`](super::brought_back).
    fn brought_back(
        &self,
        case: &Case,
        expected: &Expectation,
        units: &[Unit],
    ) -> Vec<Vec<Option<Intervention>>>;
}

/// What is known of several units that are held together.
pub struct HeldTogether {
    /// Whether they must be held by the first lower device.
    pub on_first: bool,
    /// Whether it is known what the event does that happens meanwhile.
    pub knows_event: bool,
    /// Whether what fails is handled at once. Otherwise one of them may have to wait for the
    /// others.
    pub handles_at_once: bool,
}

//! Were the requests held, and did the guest see them end in the order in which
//! they were released? If not, the case that was played is not the one that was
//! asked for.

use super::{Scene, completions, given_up, race};
use crate::model;
use halfway_case::{Ending, Hold};

/// Why the holds of the case prove nothing; `None` if they prove something.
pub fn inconclusive_hold(scene: &Scene<'_>) -> Option<String> {
    let case = scene.case;
    if case.holds.is_empty() {
        return None;
    }
    if scene.seen.meanwhile.is_none() {
        return Some("a request that was to be held never reached its disk".to_owned());
    }
    if model::races_recovery(case) {
        return race::inconclusive_race(scene);
    }
    if let Some(reason) = given_up::inconclusive_timeout(scene) {
        return Some(reason);
    }
    let order = Hold::order(&case.holds);
    let ends = order.iter().map(|index| (index, end(scene, *index)));
    let mut before = None;
    for (index, place) in ends {
        let Hold { leg, sector, .. } = case.holds[*index];
        let Some(place) = place else {
            return Some(format!(
                "the guest saw no end of what leg {leg} held at sector {sector}"
            ));
        };
        if before > Some(place) {
            return Some(format!(
                "the guest saw what leg {leg} held at sector {sector} end before what was let go \
                 before it"
            ));
        }
        before = Some(place);
    }
    None
}

/// When the guest saw the held request end: the place of that event in the
/// trace.
fn end(scene: &Scene<'_>, index: usize) -> Option<usize> {
    let hold = &scene.case.holds[index];
    let command = scene.case.io.op.into();
    let mut ends = completions::completions(scene, hold.leg)
        .filter(|end| end.command == command && end.range.covers(hold.sector));
    let fails = scene.case.meanwhile().profile().fails_request;
    let ends_well = hold.then == Ending::Ok && !fails;
    ends.find(|end| end.ok == ends_well).map(|end| end.place)
}

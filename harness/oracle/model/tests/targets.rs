//! Each target has rules, and they say all that an expectation is made of.

use super::*;
use halfway_case::TargetName;

/// A case of that target whose read meets this fault.
fn of(name: TargetName, fault: &str) -> Case {
    let target = format!("target = {}", serde_json::to_string(&name).unwrap());
    case(&target, "op = \"read\"", fault)
}

/// Halfway's question, of each target: after an error of one lower device the read is
/// resubmitted whole to another, and the application gets all of it.
#[test]
fn a_failed_read_is_resubmitted_whole_to_another_device() {
    for name in TargetName::ALL {
        let case = of(*name, "[[fault]]");
        let expected = expected(&case);
        assert_eq!(expected.health.len(), 2, "{name:?}");
        assert_ne!(expected.health[0], "A", "{name:?}");
        assert_eq!(expected.health[1], "A", "{name:?}");
        assert_eq!(expected.answers, told("ok", case.io.sectors), "{name:?}");
        let [unit] = expected.units.as_slice() else {
            panic!("{name:?}: {:?}", expected.units);
        };
        let whole = (unit.unit.sector, unit.unit.sectors);
        assert_eq!(whole, (case.io.sector, case.io.sectors), "{name:?}");
        assert!(unit.asked.iter().all(|(least, _)| *least >= 1), "{name:?}");
    }
}

#[test]
fn a_read_that_no_device_serves_fails() {
    for name in TargetName::ALL {
        let case = of(*name, "[[fault]]\n[[fault]]\nleg = 1\nat = \"same\"");
        let expected = expected(&case);
        assert_eq!(expected.answers, told("EIO", case.io.sectors), "{name:?}");
    }
}

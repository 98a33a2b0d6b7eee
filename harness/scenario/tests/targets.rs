//! Each target says what the code above it builds on. That it says something of each fact, the
//! compiler sees to: its traits have no defaults.

use super::cases;
use halfway_case::stack::{Devices, Lower};
use halfway_case::{Case, Remedy, TargetName};
use halfway_protocol::io::Op;
use std::collections::BTreeSet;

/// Cases of each target: one with the keys at their defaults, and some with others. A target that
/// is added does not compile until it has some here.
fn of_each_target() -> Vec<(TargetName, Case)> {
    let mut all = Vec::new();
    for name in TargetName::ALL {
        let word = serde_json::to_string(name).unwrap();
        let mut variants = vec![format!("target = {word}\n")];
        match name {
            TargetName::Raid1 => {
                variants.push(format!(
                    "target = {word}\nlog = \"disk\"\nhandle_errors = false\n"
                ));
                variants.push(format!(
                    "target = {word}\npaths = 2\nqueue_if_no_path = true\n"
                ));
            }
            TargetName::Multipath => {
                variants.push(format!("target = {word}\nqueue_if_no_path = true\n"));
                variants.push(format!("target = {word}\nno_path_retry = \"queue\"\n"));
            }
        }
        for stack in variants {
            let target = stack.contains("no_path_retry");
            let legs = if target {
                "[legs]\ncontroller = \"target\"\n"
            } else {
                ""
            };
            let mut cases = cases(&format!("[stack]\n{stack}{legs}"));
            all.push((*name, cases.remove(0)));
        }
    }
    assert!(all.len() > TargetName::ALL.len());
    all
}

fn devices(count: u8) -> Devices {
    let lower = (0..count).map(|number| Lower {
        device: format!("253:{number}"),
        offset: 0,
    });
    Devices {
        lower: lower.collect(),
        log: "253:99".to_owned(),
    }
}

#[test]
fn a_target_has_the_name_that_its_stack_is_recorded_with() {
    for (name, case) in of_each_target() {
        let recorded = serde_json::to_value(&case.stack).unwrap();
        assert_eq!(recorded["target"], serde_json::to_value(name).unwrap());
    }
}

#[test]
fn a_target_has_words_and_modules() {
    for (name, case) in of_each_target() {
        let target = case.stack.target();
        assert!(!target.lower().is_empty(), "{name:?}");
        assert!(target.to_string().starts_with("dm-"), "{target}");
        let modules: BTreeSet<&str> = target.modules().into_iter().collect();
        assert!(!modules.is_empty(), "{name:?}");
        assert_eq!(modules.len(), target.modules().len(), "{modules:?}");
        for op in [Op::Read, Op::Write] {
            assert!(target.held_until(op).ends_with(';'), "{name:?}");
        }
    }
}

#[test]
fn a_table_names_each_device_once_and_in_order() {
    for (_, case) in of_each_target() {
        let target = case.stack.target();
        let devices = devices(3);
        let table = target.table(&devices);
        assert!(
            !table.kind.is_empty() && !table.kind.contains(' '),
            "{}",
            table.kind
        );
        let words: Vec<&str> = table.params.split(' ').collect();
        let lower = |word: &&&str| devices.lower.iter().any(|one| one.device == **word);
        let named: Vec<&str> = words.iter().filter(lower).copied().collect();
        assert_eq!(named, ["253:0", "253:1", "253:2"], "{}", table.params);
        let log = words.iter().filter(|word| **word == devices.log).count();
        assert_eq!(log == 1, case.has_log_disk(), "{}", table.params);
    }
}

/// What is only asked of one kind of target is there if, and only if, it is of that kind.
#[test]
fn the_facts_of_a_target_fit_each_other() {
    for (name, case) in of_each_target() {
        let target = case.stack.target();
        let copies = target.has_copies();
        assert_eq!(
            target.resynchronised(&devices(2)).is_some(),
            copies,
            "{name:?}"
        );
        assert_eq!(
            target.region_size().is_some(),
            target.sync().is_some(),
            "{name:?}"
        );
        assert!(
            target.log().is_none() || target.region_size().is_some(),
            "{name:?}"
        );
        assert!(copies || target.multipath().is_some(), "{name:?}");
        assert!(
            target.paths().is_none() || target.multipath().is_some(),
            "{name:?}"
        );
        assert!(!target.waits_without_path() || !copies, "{name:?}");
        assert!(
            !target.waits_without_path() || target.holds(Op::Read),
            "{name:?}"
        );
        match target.remedy() {
            Remedy::TableWithoutFailed => {
                assert!(target.without_failed(&devices(1)).is_some(), "{name:?}");
            }
            Remedy::ReinstatedPath | Remedy::PathBeneath | Remedy::Multipathd => {
                assert!(target.multipath().is_some(), "{name:?}");
            }
        }
        assert_eq!(target.without_failed(&devices(0)), None, "{name:?}");
    }
}

#[test]
fn a_line_of_another_target_is_no_status() {
    for (name, case) in of_each_target() {
        for line in ["", "0 1 2", "nothing of a status", "9 8:0 8:1"] {
            assert_eq!(case.stack.target().status(line), None, "{name:?}: {line:?}");
        }
    }
}

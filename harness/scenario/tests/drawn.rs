//! Random scenarios: what they are, and that they leave out nothing of the
//! format.

use super::cases;
use crate::{Scenario, case_file, draw, schema};
use serde_json::Value;
use std::collections::BTreeSet;

const MANY: u64 = 20_000;

/// Collects each key with its value if that is a word, `true` or `false`; for
/// numbers only the key.
fn said(table: &toml::Table, place: &str, into: &mut BTreeSet<String>) {
    for (key, value) in table {
        let place = match place {
            "" => key.clone(),
            table => format!("{table}.{key}"),
        };
        into.insert(place.clone());
        match value {
            toml::Value::Table(table) => said(table, &place, into),
            toml::Value::Array(items) => {
                let tables = items.iter().filter_map(toml::Value::as_table);
                tables.for_each(|table| said(table, &place, into));
            }
            toml::Value::String(word) => {
                into.insert(format!("{place} = {word}"));
            }
            _ => {}
        }
    }
}

/// Collects the same for everything that the schema allows.
fn allowed(schema: &Value, root: &Value, place: &str, into: &mut BTreeSet<String>) {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        let name = name.trim_start_matches("#/$defs/");
        return allowed(&root["$defs"][name], root, place, into);
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        for one in schema[key].as_array().into_iter().flatten() {
            allowed(one, root, place, into);
        }
    }
    allowed_items(schema, root, place, into);
    for word in schema["enum"].as_array().into_iter().flatten() {
        if let Some(word) = word.as_str() {
            into.insert(format!("{place} = {word}"));
        }
    }
    if let Some(word) = schema["const"].as_str() {
        into.insert(format!("{place} = {word}"));
    }
    for (key, value) in schema["properties"].as_object().into_iter().flatten() {
        let place = match place {
            "" => key.clone(),
            table => format!("{table}.{key}"),
        };
        into.insert(place.clone());
        allowed(value, root, &place, into);
    }
}

fn allowed_items(schema: &Value, root: &Value, place: &str, into: &mut BTreeSet<String>) {
    if let Some(items) = schema.get("items") {
        allowed(items, root, place, into);
    }
}

#[test]
fn every_key_and_every_word_is_drawn() {
    let root: Value = serde_json::from_str(&schema()).unwrap();
    let mut missing = BTreeSet::new();
    allowed(&root, &root, "", &mut missing);
    // A drawn scenario has one case that is not broken on purpose, and contains
    // no default.
    let defaults = case_file(&cases("[[fault]]\n[[hold]]\n")[0]);
    let mut plain = BTreeSet::new();
    said(&toml::from_str(&defaults).unwrap(), "", &mut plain);
    missing.retain(|said| {
        let beside = ["tags", "sample", "sabotage"];
        !plain.contains(said)
            && !beside.iter().any(|key| said.starts_with(key))
            && ![".from", ".to", ".step"]
                .iter()
                .any(|key| said.ends_with(key))
            && !["at = every", "at = same", "at = middle"]
                .iter()
                .any(|word| said.ends_with(word))
    });
    assert!(missing.len() > 100, "{missing:?}");
    for number in 0..MANY {
        let mut drawn = BTreeSet::new();
        said(
            &toml::from_str(&draw(1, number).text).unwrap(),
            "",
            &mut drawn,
        );
        missing.retain(|one| !drawn.contains(one));
        if missing.is_empty() {
            return;
        }
    }
    panic!("never drawn: {missing:?}");
}

#[test]
fn what_is_drawn_is_one_case_that_is_read_as_it_was_written() {
    for number in 0..2_000 {
        let scenario = draw(7, number);
        let [case] = &scenario.expand().collect::<Vec<_>>()[..] else {
            panic!("{}", scenario.text);
        };
        assert_eq!(case.id, format!("random-7-{number}"));
        let again = Scenario::parse("any/other", &case_file(case)).unwrap();
        assert_eq!(&again.expand().next().unwrap(), case, "{}", scenario.text);
        let again = Scenario::parse("any/other", &scenario.text).unwrap();
        assert_eq!(&again.expand().next().unwrap(), case, "{}", scenario.text);
    }
}

#[test]
fn a_seed_means_the_same_for_ever_and_another_one_something_else() {
    assert_eq!(draw(3, 5).text, draw(3, 5).text);
    let texts: BTreeSet<String> = (0..50)
        .flat_map(|number| [draw(1, number).text, draw(2, number).text])
        .collect();
    assert_eq!(texts.len(), 100);
    insta::assert_snapshot!(draw(1, 0).text);
}

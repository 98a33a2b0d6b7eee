//! The catalogue, and loading it.

use super::rendered;
use crate::file::{Fault, File, Hold, Io, Legs, Soak, Stack, Table};
use crate::value::Value;
use crate::{LoadError, Scenario, case_file, load, schema};
use halfway_case::{Case, Meanwhile};
use std::fs;
use std::path::{Path, PathBuf};

fn catalogue() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

fn loaded(path: &Path) -> Vec<Scenario> {
    load(&[path.to_owned()]).unwrap_or_else(|errors| {
        let reports: Vec<String> = errors.iter().map(|error| rendered(error)).collect();
        panic!("{}", reports.join("\n"))
    })
}

#[test]
fn the_committed_schema_is_current() {
    let path = catalogue().join("schema.json");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(&path, schema()).expect("the schema is written");
    }
    let committed = fs::read_to_string(path).expect("the schema is there");
    assert!(
        committed == schema(),
        "scenarios/schema.json is not what the types say: \
         run this test with UPDATE_SCHEMA=1 and commit it"
    );
}

#[test]
fn the_readme_tells_every_key_and_its_examples_work() {
    let readme = fs::read_to_string(catalogue().join("README.md")).expect("the README is there");
    let keys = [
        File::KEYS,
        Stack::KEYS,
        Legs::KEYS,
        Io::KEYS,
        Fault::KEYS,
        Hold::KEYS,
        Soak::KEYS,
    ];
    for key in keys.concat() {
        let told = format!("`{key}`");
        assert!(
            ["stack", "legs", "io", "fault", "hold", "soak"].contains(&key)
                || readme.contains(&told),
            "{told} is missing"
        );
    }
    for event in Meanwhile::ALL {
        let word = format!("`{}`", event.word());
        assert!(readme.contains(&word), "{word} is missing");
    }
    let counts: Vec<usize> = (readme.split("```toml\n").skip(1))
        .filter_map(|rest| rest.split("```").next())
        .map(|example| Scenario::parse("README", example).map_or(0, |s| s.count()))
        .collect();
    assert_eq!(counts, [4 * 512, 2 * 9 * 8]);
}

#[test]
fn a_name_does_not_depend_on_the_way_to_the_file() {
    let names = |path: PathBuf| -> Vec<String> {
        loaded(&path)
            .into_iter()
            .map(|scenario| scenario.name)
            .collect()
    };
    let file = catalogue().join("raid1/read-halfway.toml");
    assert_eq!(names(file), ["raid1/read-halfway"]);
    let below = names(catalogue().join("raid1"));
    assert!(
        below.contains(&"raid1/read-halfway".to_owned()),
        "{below:?}"
    );
    assert_eq!(names(catalogue().join("../scenarios/raid1")), below);
}

#[test]
fn a_case_file_gives_back_its_case_wherever_it_lies() {
    let directory = tempfile::tempdir().expect("a directory");
    let of = |file: &str| loaded(&catalogue().join(file))[0].sample(3);
    let cases = [of("raid1/read-halfway.toml"), of("soak/raid1-files.toml")].concat();
    for case in &cases {
        let path = directory.path().join(format!("{}.toml", case.id));
        fs::write(path, case_file(case)).expect("the case is written");
    }
    let mut again: Vec<Case> = (loaded(directory.path()).iter())
        .flat_map(|scenario| scenario.expand().collect::<Vec<_>>())
        .collect();
    again.sort_by_key(|case| cases.iter().position(|known| known.id == case.id));
    assert_eq!(again, cases);
}

#[test]
fn a_file_that_is_named_twice_is_read_once() {
    let file = catalogue().join("raid1/read-halfway.toml");
    let paths = [file.clone(), file, catalogue().join("raid1")];
    let once = loaded(&catalogue().join("raid1")).len();
    assert_eq!(load(&paths).expect("a valid catalogue").len(), once);
}

#[test]
fn what_cannot_be_loaded_is_told_all_at_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name);
    fs::create_dir(path("empty")).expect("a directory");
    fs::write(path("binary.toml"), b"question = \"\xff\"").expect("a file");
    fs::write(path("large.toml"), vec![b'#'; (1 << 20) + 1]).expect("a file");
    fs::write(path("wrong.toml"), "question = 1").expect("a file");
    for name in ["a/x", "b/x"] {
        fs::create_dir_all(path(name)).expect("a directory");
        fs::write(path(name).join("same.toml"), "question = \"?\"").expect("a file");
    }
    let errors = load(&[
        path("empty"),
        path("missing.toml"),
        directory.path().to_owned(),
    ])
    .expect_err("wrong");
    let mut text: String = errors.iter().map(|error| rendered(error)).collect();
    text = text.replace(&directory.path().display().to_string(), "DIR");
    insta::assert_snapshot!(text);
    assert!(matches!(errors[0], LoadError::Empty { .. }));
}

//! A control, and the directory of all controls.

use super::head::{Cause, CauseKind, Head, HeadError, Symptom};
use crate::file::{Context, FileError};
use crate::module::canonical;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The directory of the controls, relative to the repository's root.
pub const CONTROLS: &str = "guest-images/controls";

/// The file name suffixes of controls.
const KINDS: [(&str, CauseKind); 2] = [
    ("cocci", CauseKind::Patch),
    ("control", CauseKind::Parameters),
];

/// The prefix of the name of a module that is rebuilt without a change.
const UNMUTATED: &str = "unmutated-";

/// A module that is broken on purpose, or rebuilt without a change for comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// The file's name without its suffix, or `unmutated-MODULE`.
    pub name: String,
    /// The class of bugs that it stands for.
    pub class: String,
    /// The file name of the module without `.ko`, such as `dm-mirror`.
    pub module: String,
    /// For a module of our own: the kernel's module that it replaces, if it does.
    pub replaces: Option<String>,
    /// The file to patch, relative to the kernel's source. `None` for a module of our
    /// own.
    pub file: Option<String>,
    /// The scenarios that can show it, by the beginnings of their names. Those that show
    /// it soonest come first.
    pub scenarios: Vec<String>,
    /// The symptoms by which it may be noticed.
    pub kills: BTreeSet<Symptom>,
    /// The commit or report that it was modelled on.
    pub inspired_by: Option<String>,
    /// Why nothing in its behaviour differs from the stock module's, if that is so.
    pub equivalent: Option<String>,
    /// The semantic patch, if it has one.
    pub patch: Option<String>,
    /// The parameters that break a module of our own, such as `name=value`.
    pub parameters: Vec<String>,
}

/// Why there is no such control.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The head of a file is invalid.
    #[error("{} is no control: {source}", path.display())]
    Head {
        /// The path of the file.
        path: PathBuf,
        /// What is wrong with the head.
        source: HeadError,
    },
    /// There is no file at this path.
    #[error("there is no control in {}", .0.display())]
    None(PathBuf),
    /// There is no control of that name.
    #[error("no control is called {name:?}{}; `halfway controls list` prints them",
        hint.as_ref().map(|hint| format!(" (did you mean {hint}?)")).unwrap_or_default())]
    Unknown {
        /// The name that the user gave.
        name: String,
        /// The closest name, if one is close.
        hint: Option<String>,
    },
}

impl Control {
    /// All controls in a directory, sorted by name.
    pub fn all(directory: &Path) -> Result<Vec<Self>, ControlError> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(directory).at("read", directory)? {
            let path = entry.at("read", directory)?.path();
            if kind(&path).is_some() {
                paths.push(path);
            }
        }
        paths.sort();
        match paths.is_empty() {
            true => Err(ControlError::None(directory.to_owned())),
            false => paths.iter().map(|path| Self::read(path)).collect(),
        }
    }

    /// The control of that name in a directory. `unmutated-MODULE` exists for every
    /// module that has a control there. A path with the suffix of a control is a file of
    /// the user's own, such as a patch that fixes a bug.
    pub fn find(name: &str, directory: &Path) -> Result<Self, ControlError> {
        if name.contains('/') && kind(Path::new(name)).is_some() {
            return Self::read(Path::new(name));
        }
        let all = Self::all(directory)?;
        if let Some(control) = all.iter().find(|control| control.name == name) {
            return Ok(control.clone());
        }
        let unmutated = Self::unmutated(&all);
        let names = || all.iter().chain(&unmutated).map(|control| &control.name);
        match unmutated.iter().find(|control| control.name == name) {
            Some(control) => Ok(control.clone()),
            None => Err(ControlError::Unknown {
                name: name.to_owned(),
                hint: names()
                    .map(|known| (strsim::jaro_winkler(known, name), known))
                    .filter(|(likeness, _)| *likeness > 0.8)
                    .max_by(|a, b| a.0.total_cmp(&b.0))
                    .map(|(_, known)| known.clone()),
            }),
        }
    }

    fn read(path: &Path) -> Result<Self, ControlError> {
        let text = fs::read_to_string(path).at("read", path)?;
        let kind = kind(path).unwrap_or(CauseKind::Patch);
        let head = Head::parse(&text, kind).map_err(|source| ControlError::Head {
            path: path.to_owned(),
            source,
        })?;
        let (file, patch, parameters) = match head.cause {
            Cause::Patch(file) => (Some(file), Some(without_comment(&text)), Vec::new()),
            Cause::Parameters(parameters) => (None, None, parameters),
        };
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Ok(Control {
            name: name.into_owned(),
            class: head.class,
            module: head.module,
            replaces: head.replaces,
            file,
            scenarios: head.scenarios,
            kills: head.kills,
            inspired_by: head.inspired_by,
            equivalent: head.equivalent,
            patch,
            parameters,
        })
    }

    /// The modules of these controls, rebuilt without a change. They show that a mutant
    /// is killed by its fault and not by the way it was built. Each has the scenarios of
    /// all its mutants.
    pub fn unmutated(controls: &[Self]) -> Vec<Self> {
        let mut found: Vec<Control> = Vec::new();
        for control in controls {
            let name = Self::unmutated_name(&control.module);
            let at = match found.iter().position(|one| one.name == name) {
                Some(at) => at,
                None => {
                    found.push(Control {
                        class: match control.file {
                            Some(_) => "the stock source, rebuilt".to_owned(),
                            None => "our own module, as it should be".to_owned(),
                        },
                        scenarios: Vec::new(),
                        kills: BTreeSet::new(),
                        inspired_by: None,
                        equivalent: None,
                        patch: None,
                        parameters: Vec::new(),
                        name,
                        ..control.clone()
                    });
                    found.len() - 1
                }
            };
            for scenario in &control.scenarios {
                if !found[at].scenarios.contains(scenario) {
                    found[at].scenarios.push(scenario.clone());
                }
            }
        }
        found
    }

    /// The name of a module that is rebuilt without a change.
    pub fn unmutated_name(module: &str) -> String {
        format!("{UNMUTATED}{module}")
    }

    /// Whether the module is rebuilt without a change.
    pub fn is_unmutated(&self) -> bool {
        self.patch.is_none() && self.parameters.is_empty()
    }

    /// The parameters in the form of the kernel's command line. A parameter with a dot in
    /// its name belongs to another module.
    pub fn kernel_parameters(&self) -> Vec<String> {
        let module = self.module_name();
        let of = |one: &String| match one.split_once('=') {
            Some((name, _)) if name.contains('.') => one.clone(),
            _ => format!("{module}.{one}"),
        };
        self.parameters.iter().map(of).collect()
    }

    /// The name of the module that it replaces, as the kernel spells it.
    pub fn module_name(&self) -> String {
        canonical(self.replaces.as_ref().unwrap_or(&self.module))
    }

    /// The position of a scenario among those that can show this control: 0 for the
    /// first. `None` if the scenario cannot show it.
    pub fn rank(&self, scenario: &str) -> Option<usize> {
        self.scenarios.iter().position(|prefix| {
            scenario
                .strip_prefix(prefix.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

/// The kind of control that a file is, by its suffix.
fn kind(path: &Path) -> Option<CauseKind> {
    let suffix = path.extension()?;
    let (_, kind) = KINDS.iter().find(|(known, _)| suffix == *known)?;
    Some(*kind)
}

/// The patch without its comments. A change of the comments must not rebuild the module.
fn without_comment(text: &str) -> String {
    let rules = text.lines().skip_while(|line| line.starts_with("//"));
    rules.flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(directory: &Path, name: &str, module: &str, scenarios: &str) {
        let text = format!(
            "// class: c\n// module: {module}\n// file: drivers/md/x.c\n\
             // scenarios: {scenarios}\n// kills: hang\n\n@@\n@@\n- a\n"
        );
        fs::write(directory.join(name), text).unwrap();
    }

    #[test]
    fn controls_are_found_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        assert!(matches!(Control::all(at), Err(ControlError::None(_))));
        put(at, "b.cocci", "dm-mirror", "raid1/read-halfway, raid1");
        put(at, "a.cocci", "dm-mirror", "raid1/write");
        put(at, "README.md", "", "");

        let all = Control::all(at).unwrap();
        let names: Vec<_> = all.iter().map(|control| control.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(all[0].patch.as_deref(), Some("\n@@\n@@\n- a\n"));
        let path = at.join("a.cocci");
        let elsewhere = Path::new("/nowhere");
        assert_eq!(
            Control::find(&path.to_string_lossy(), elsewhere).unwrap(),
            all[0]
        );
        let rebuilt = Control::find("unmutated-dm-mirror", at).unwrap();
        assert!(rebuilt.is_unmutated());
        assert_eq!(
            rebuilt.scenarios,
            ["raid1/write", "raid1/read-halfway", "raid1"]
        );
        assert_eq!(Control::unmutated(&all), [rebuilt]);

        let error = Control::find("unmutated-dm-miror", at).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("did you mean unmutated-dm-mirror?")
        );
    }

    #[test]
    fn a_module_of_our_own_may_take_the_place_of_the_kernels() {
        let directory = tempfile::tempdir().unwrap();
        let head = "// class: c\n// module: halfway-policy\n// replaces: dm-mirror\n\
                    // parameters: policy=copy, halfway_leg.patch_vector=1\n\
                    // scenarios: raid1\n// kills: hang\n";
        fs::write(directory.path().join("p.control"), head).unwrap();
        let control = Control::find("p", directory.path()).unwrap();
        assert_eq!(control.module_name(), "dm_mirror");
        assert!(!control.is_unmutated());
        assert_eq!(
            control.kernel_parameters(),
            ["dm_mirror.policy=copy", "halfway_leg.patch_vector=1"]
        );
        let rebuilt = Control::find("unmutated-halfway-policy", directory.path()).unwrap();
        assert!(rebuilt.is_unmutated());
        assert_eq!(rebuilt.module_name(), "dm_mirror");
    }

    #[test]
    fn scenarios_are_ranked_by_whole_parts_of_their_names() {
        let directory = tempfile::tempdir().unwrap();
        put(directory.path(), "b.cocci", "m", "raid1/read, raid1");
        let control = Control::find("b", directory.path()).unwrap();
        assert_eq!(control.rank("raid1/read"), Some(0));
        assert_eq!(control.rank("raid1/read-halfway"), Some(1));
        assert_eq!(control.rank("raid10/read"), None);
    }

    #[test]
    fn the_repositorys_own_are_sound() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../controls");
        let list = fs::read_to_string(directory.join("README.md")).unwrap();
        for control in Control::all(&directory).unwrap() {
            assert!(!control.class.is_empty() && !control.kills.is_empty());
            let row = format!("| `{}` | {}", control.name, control.class);
            assert!(list.contains(&row), "the README does not list {row}");
        }
    }
}

//! The kernel that the user asks for with `--kernel` and `--modules`.

use crate::catalogue::{Catalogue, Entry};
use std::fmt;
use std::path::{Path, PathBuf};

/// The kernel that the user asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KernelSpec {
    /// A named kernel of the [`Catalogue`], or that of one package.
    Named(Entry),
    /// The kernel that this host runs.
    Host,
    /// A kernel build tree (the directory of `make`'s output).
    BuildTree(PathBuf),
    /// A kernel image, and the directory of its modules if there is one.
    Files {
        /// The path of a bzImage or vmlinux.
        image: PathBuf,
        /// A directory such as `/lib/modules/RELEASE`, or one that contains `lib/modules`
        /// (the `INSTALL_MOD_PATH` of `make modules_install`).
        modules: Option<PathBuf>,
    },
}

/// Why what the user asked for is not a kernel.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// The text is neither a name nor a path.
    #[error("no kernel is called {name:?}{}; there are {}, the release of a package (see `halfway kernels packages`), host, and any path (with a / in it)",
        hint.as_ref().map(|hint| format!(" (did you mean {hint}?)")).unwrap_or_default(),
        names.join(", "))]
    Unknown {
        /// The text that the user gave.
        name: String,
        /// The closest name, if one is close.
        hint: Option<String>,
        /// The names of all kernels in the catalogue.
        names: Vec<String>,
    },
    /// There is nothing at this path.
    #[error("there is no kernel at {}", .0.display())]
    NoSuchPath(PathBuf),
    /// Modules were given for a kernel that has its own.
    #[error("{0} brings its own modules; a directory of modules goes with a kernel image")]
    OwnModules(String),
}

impl KernelSpec {
    /// The default kernel of the catalogue.
    pub fn default_kernel() -> Self {
        KernelSpec::Named(Catalogue::load().default_entry().clone())
    }

    /// Parses `--kernel TEXT`: a name of the catalogue, the release of a package, `host`, or
    /// the path of a kernel image or a build tree. `modules` is `--modules DIR`. A name wins over a file of
    /// the same name; for the file, write `./6.1`.
    pub fn parse(text: &str, modules: Option<&Path>) -> Result<Self, SpecError> {
        let catalogue = Catalogue::load();
        let spec = if text == "host" {
            KernelSpec::Host
        } else if let Some(entry) = catalogue.get(text) {
            KernelSpec::Named(entry.clone())
        } else {
            let path = PathBuf::from(text);
            if path.is_dir() {
                KernelSpec::BuildTree(path)
            } else if path.exists() {
                return Ok(KernelSpec::Files {
                    image: path,
                    modules: modules.map(Path::to_owned),
                });
            } else if text.contains('/') {
                return Err(SpecError::NoSuchPath(path));
            } else if let Some(entry) = catalogue.package(text) {
                KernelSpec::Named(entry)
            } else {
                return Err(SpecError::Unknown {
                    name: text.to_owned(),
                    hint: catalogue.nearest(text).map(|entry| entry.name.clone()),
                    names: catalogue.entries().iter().map(|e| e.name.clone()).collect(),
                });
            }
        };
        match modules {
            Some(_) => Err(SpecError::OwnModules(text.to_owned())),
            None => Ok(spec),
        }
    }
}

impl fmt::Display for KernelSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KernelSpec::Named(entry) => write!(f, "{}", entry.name),
            KernelSpec::Host => write!(f, "host"),
            KernelSpec::BuildTree(path) => write!(f, "{}", path.display()),
            KernelSpec::Files { image, .. } => write!(f, "{}", image.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let image = directory.path().join("vmlinuz");
        std::fs::write(&image, "").unwrap();
        let parse = |text: &str| KernelSpec::parse(text, None);

        assert!(matches!(parse("6.1").unwrap(), KernelSpec::Named(e) if e.flavour == "amd64"));
        assert_eq!(parse("host").unwrap(), KernelSpec::Host);
        let tree = directory.path().to_owned();
        assert_eq!(
            parse(tree.to_str().unwrap()).unwrap(),
            KernelSpec::BuildTree(tree.clone())
        );
        assert_eq!(
            KernelSpec::parse(image.to_str().unwrap(), Some(&tree)).unwrap(),
            KernelSpec::Files {
                image,
                modules: Some(tree.clone())
            }
        );
        assert!(matches!(parse("/no/such"), Err(SpecError::NoSuchPath(_))));
        assert!(matches!(
            KernelSpec::parse("6.1", Some(&tree)),
            Err(SpecError::OwnModules(_))
        ));
        let unknown = parse("6.1-clod").unwrap_err().to_string();
        assert!(unknown.contains("did you mean 6.1-cloud?"), "{unknown}");
    }
}

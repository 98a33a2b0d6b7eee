//! Kernel modules: where they are, what they depend on, and in which order they are
//! loaded.
//!
//! `modules.dep` is not used. Packages do not have it, because depmod runs at their
//! installation; a build tree has none either; and a stale one would mislead. Each module
//! names its dependencies in its own `.modinfo`.

use crate::decompress::decompress;
use crate::file::{self, Context, FileError};
use crate::modinfo::{ModInfo, without_debug_info};
use crate::options::{Config, of_module};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The drivers that every guest needs: virtio block devices and the agent's serial port
/// on PCI, and device-mapper. Their dependencies are added when they are selected.
pub fn default_modules() -> &'static [&'static str] {
    &["virtio_pci", "virtio_blk", "virtio_console", "dm_mod"]
}

/// The modules of one kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modules {
    release: String,
    layout: Layout,
    /// The files that replace modules of the kernel, by canonical name.
    replaced: BTreeMap<String, PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Layout {
    /// As installed in `/lib/modules/RELEASE`. The files are found by walking the
    /// directory.
    Installed(PathBuf),
    /// A build tree, whose `modules.order` lists them.
    BuildTree(PathBuf),
    /// Only a kernel image is known, so everything must be built in.
    None,
}

/// A module to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedModule {
    /// Its name as the kernel spells it, with `_`.
    pub name: String,
    /// The path of its file on the host.
    pub path: PathBuf,
    /// The ELF file as `finit_module` takes it: decompressed, and without debug
    /// information.
    pub elf: Vec<u8>,
}

/// Why the drivers cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// The kernel has no such driver, neither as a module nor built in.
    #[error("kernel {release} has no {module}{}{}: there is no such module in {place}, and it is not built in",
        needed_by.as_ref().map(|by| format!(", which {by} needs")).unwrap_or_default(),
        of_module(module).map(|option| format!(" ({option})")).unwrap_or_default())]
    Missing {
        /// The name of the driver.
        module: String,
        /// The module that depends on it. `None` if it was asked for directly.
        needed_by: Option<String>,
        /// The release of the kernel.
        release: String,
        /// Where it was looked for.
        place: String,
    },
    /// Only a kernel image is known, so whether it has the driver is not.
    #[error(
        "whether kernel {release} has {module} cannot be known without its modules: \
         give their directory with --modules (its modules.builtin is enough if all is built in)"
    )]
    NoModules {
        /// The name of the driver.
        module: String,
        /// The release of the kernel.
        release: String,
    },
    /// This kernel would refuse the module.
    #[error("{} is built for kernel {built_for}, not for {release}", path.display())]
    OtherKernel {
        /// The path of the module.
        path: PathBuf,
        /// The release in its `vermagic`.
        built_for: String,
        /// The release of the kernel.
        release: String,
    },
    /// The file is not an ELF file, or its compression is damaged.
    #[error("{} is not a usable module: {reason}", path.display())]
    Damaged {
        /// The path of the module.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Modules {
    /// The modules installed in `root` (`/lib/modules/RELEASE`).
    pub(crate) fn installed(release: &str, root: PathBuf) -> Self {
        Modules {
            release: release.to_owned(),
            layout: Layout::Installed(root),
            replaced: BTreeMap::new(),
        }
    }

    /// The modules of a kernel build tree.
    pub(crate) fn build_tree(release: &str, root: PathBuf) -> Self {
        Modules {
            release: release.to_owned(),
            layout: Layout::BuildTree(root),
            replaced: BTreeMap::new(),
        }
    }

    /// For a kernel whose modules are not known.
    pub(crate) fn none(release: &str) -> Self {
        Modules {
            release: release.to_owned(),
            layout: Layout::None,
            replaced: BTreeMap::new(),
        }
    }

    /// The release of their kernel.
    pub(crate) fn release(&self) -> &str {
        &self.release
    }

    /// From now on, uses the file at `path` as the module `name`.
    pub fn replace(&mut self, name: &str, path: PathBuf) {
        self.replaced.insert(canonical(name), path);
    }

    /// The directory of the modules. `None` for a kernel image alone.
    pub fn root(&self) -> Option<&Path> {
        match &self.layout {
            Layout::Installed(root) | Layout::BuildTree(root) => Some(root),
            Layout::None => None,
        }
    }

    /// The wanted modules and all that they depend on, dependencies first. `-` and `_` in
    /// names are the same. What is built in is left out.
    pub fn select<S: AsRef<str>>(&self, wanted: &[S]) -> Result<Vec<ResolvedModule>, ModuleError> {
        let mut selection = Selection {
            modules: self,
            files: self.files()?,
            builtin: self.builtin()?,
            seen: BTreeSet::new(),
            order: Vec::new(),
        };
        for name in wanted {
            selection.add(&canonical(name.as_ref()), None)?;
        }
        Ok(selection.order)
    }

    /// The file of every module, by its canonical name.
    fn files(&self) -> Result<BTreeMap<String, PathBuf>, FileError> {
        let mut files = self.own_files()?;
        files.extend(self.replaced.clone());
        Ok(files)
    }

    fn own_files(&self) -> Result<BTreeMap<String, PathBuf>, FileError> {
        match &self.layout {
            Layout::Installed(root) => {
                let mut found = BTreeMap::new();
                walk(root, &mut found)?;
                Ok(found)
            }
            Layout::BuildTree(root) => {
                let order = root.join("modules.order");
                if !order.exists() {
                    return Ok(BTreeMap::new());
                }
                let text = String::from_utf8_lossy(&file::read(&order)?).into_owned();
                Ok(text
                    .lines()
                    .filter_map(|line| {
                        let path = tree_path(line);
                        Some((module_name(&path)?, root.join(path)))
                    })
                    .collect())
            }
            Layout::None => Ok(BTreeMap::new()),
        }
    }

    fn builtin(&self) -> Result<BTreeSet<String>, FileError> {
        let Some(root) = self.root() else {
            return Ok(BTreeSet::new());
        };
        let config = Config::beside_modules(root);
        let drivers = config.iter().flat_map(Config::drivers);
        let mut builtin: BTreeSet<String> = drivers.map(str::to_owned).collect();
        let list = root.join("modules.builtin");
        if list.exists() {
            let text = String::from_utf8_lossy(&file::read(&list)?).into_owned();
            let names = text.lines().map(tree_path);
            builtin.extend(names.filter_map(|path| module_name(&path)));
        }
        Ok(builtin)
    }

    /// Reads a module in the form in which the guest loads it.
    fn load(&self, path: &Path) -> Result<(Vec<u8>, ModInfo), ModuleError> {
        let damaged = |reason: String| ModuleError::Damaged {
            path: path.to_owned(),
            reason,
        };
        let raw = file::read(path)?;
        let elf = match decompress(&raw) {
            Some(result) => result.map_err(|error| damaged(error.to_string()))?,
            None => raw,
        };
        let info = ModInfo::of(&elf).map_err(|error| damaged(error.to_string()))?;
        match info.release() {
            Some(built_for) if built_for != self.release => Err(ModuleError::OtherKernel {
                path: path.to_owned(),
                built_for: built_for.to_owned(),
                release: self.release.clone(),
            }),
            _ => Ok((without_debug_info(elf), info)),
        }
    }

    fn missing(&self, name: &str, needed_by: Option<&str>) -> ModuleError {
        match self.root() {
            None => ModuleError::NoModules {
                module: name.to_owned(),
                release: self.release.clone(),
            },
            Some(root) => ModuleError::Missing {
                module: name.to_owned(),
                needed_by: needed_by.map(str::to_owned),
                release: self.release.clone(),
                place: root.display().to_string(),
            },
        }
    }
}

/// The modules found so far, in load order.
struct Selection<'a> {
    modules: &'a Modules,
    files: BTreeMap<String, PathBuf>,
    builtin: BTreeSet<String>,
    seen: BTreeSet<String>,
    order: Vec<ResolvedModule>,
}

impl Selection<'_> {
    fn add(&mut self, name: &str, needed_by: Option<&str>) -> Result<(), ModuleError> {
        if self.builtin.contains(name) || !self.seen.insert(name.to_owned()) {
            return Ok(());
        }
        let Some(path) = self.files.get(name).cloned() else {
            return Err(self.modules.missing(name, needed_by));
        };
        let (elf, info) = self.modules.load(&path)?;
        for soft in info.soft_pre.iter().map(|name| canonical(name)) {
            // A soft dependency is often an alias, such as crypto-crc32c, and is not
            // required. So it is added only if a module has that name.
            if self.files.contains_key(&soft) {
                self.add(&soft, Some(name))?;
            }
        }
        for dependency in &info.depends {
            self.add(&canonical(dependency), Some(name))?;
        }
        self.order.push(ResolvedModule {
            name: name.to_owned(),
            path,
            elf,
        });
        Ok(())
    }
}

/// The kernel treats `-` and `_` in module names as the same.
pub(crate) fn canonical(name: &str) -> String {
    name.replace('-', "_")
}

/// The canonical module name of a file. `None` if it is not a module.
fn module_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let (stem, suffix) = name.split_once(".ko")?;
    matches!(suffix, "" | ".xz" | ".zst" | ".gz").then(|| canonical(stem))
}

/// Turns a line of `modules.order` or `modules.builtin` into a path in the build tree.
/// Some releases write `kernel/` in front, some `.o` at the end.
fn tree_path(line: &str) -> PathBuf {
    let line = line.trim();
    let line = line.strip_prefix("kernel/").unwrap_or(line);
    match line.strip_suffix(".o") {
        Some(stem) => PathBuf::from(format!("{stem}.ko")),
        None => PathBuf::from(line),
    }
}

fn walk(directory: &Path, found: &mut BTreeMap<String, PathBuf>) -> Result<(), FileError> {
    for entry in fs::read_dir(directory).at("read", directory)? {
        let entry = entry.at("read", directory)?;
        let path = entry.path();
        // Do not follow symbolic links (`build`, `source`), which lead out of the
        // modules.
        let kind = entry.file_type().at("read", &path)?;
        if kind.is_dir() {
            walk(&path, found)?;
        } else if let Some(name) = module_name(&path) {
            // Modules in `updates/` override the kernel's own, as with depmod.
            let overrides = path.components().any(|c| c.as_os_str() == "updates");
            if overrides || !found.contains_key(&name) {
                found.insert(name, path);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use object::write::Object;
    use object::{Architecture, BinaryFormat, Endianness, SectionKind};
    use proptest::prelude::*;
    use rstest::rstest;
    use std::io::Write;

    const RELEASE: &str = "6.1.0-test";

    /// A relocatable ELF file with these sections.
    pub(crate) fn elf_with(sections: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut object = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
        for (name, data) in sections {
            let id = object.add_section(vec![], name.as_bytes().to_vec(), SectionKind::Other);
            object.set_section_data(id, data.clone(), 1);
        }
        object.write().unwrap()
    }

    pub(crate) fn module(depends: &str, more: &str) -> Vec<u8> {
        let info = format!("depends={depends}\0{more}vermagic={RELEASE} SMP\0");
        elf_with(&[(".modinfo", info.into_bytes())])
    }

    pub(crate) fn put(root: &Path, path: &str, data: &[u8]) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, data).unwrap();
    }

    fn names(modules: &[ResolvedModule]) -> Vec<&str> {
        modules.iter().map(|m| m.name.as_str()).collect()
    }

    fn gz(data: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), Default::default());
        out.write_all(data).unwrap();
        out.finish().unwrap()
    }

    #[test]
    fn dependencies_come_first_and_once() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        put(
            root,
            "kernel/md/dm-mirror.ko",
            &module("dm-region-hash,dm-log,dm-mod", ""),
        );
        put(
            root,
            "kernel/md/dm-region-hash.ko.gz",
            &gz(&module("dm-mod,dm-log", "")),
        );
        put(
            root,
            "kernel/md/dm-log.ko",
            &module("dm-mod", "softdep=pre: helper alias-only\0"),
        );
        put(root, "kernel/md/helper.ko", &module("", ""));
        put(root, "kernel/md/dm-mod.ko", &module("dax", ""));
        put(root, "modules.builtin", b"kernel/drivers/dax/dax.ko\n");
        let modules = Modules::installed(RELEASE, root.to_owned());

        let found = modules.select(&["dm_mirror", "dm-mod", "dax"]).unwrap();
        assert_eq!(
            names(&found),
            ["dm_mod", "helper", "dm_log", "dm_region_hash", "dm_mirror"]
        );
        assert!(found.iter().all(|m| m.elf.starts_with(b"\x7fELF")));
    }

    #[test]
    fn another_file_stands_for_a_module() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        put(root, "kernel/dm-mirror.ko", &module("dm-log", ""));
        put(root, "kernel/dm-log.ko", &module("", ""));
        put(root, "mine", &module("dm-log", "author=me\0"));
        let mut modules = Modules::installed(RELEASE, root.join("kernel"));
        modules.replace("dm-mirror", root.join("mine"));

        let found = modules.select(&["dm_mirror"]).unwrap();
        assert_eq!(names(&found), ["dm_log", "dm_mirror"]);
        assert_eq!(found[1].path, root.join("mine"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        put(root, "kernel/a.ko", &module("b", ""));
        put(root, "kernel/broken.ko.xz", b"\xfd7zXZ\0nonsense");
        put(root, "kernel/text.ko", b"hello");
        let modules = Modules::installed(RELEASE, root.to_owned());

        let error = modules.select(&["a"]).unwrap_err().to_string();
        assert!(
            error.contains("6.1.0-test has no b, which a needs"),
            "{error}"
        );
        let error = modules.select(&["c"]).unwrap_err().to_string();
        assert!(
            error.contains("has no c: there is no such module in"),
            "{error}"
        );
        for damaged in ["broken", "text"] {
            let error = modules.select(&[damaged]).unwrap_err();
            assert!(matches!(error, ModuleError::Damaged { .. }), "{error}");
        }
        let error = Modules::none(RELEASE).select(&["a"]).unwrap_err();
        assert!(matches!(error, ModuleError::NoModules { .. }));
        let error = Modules::installed("7.2.0", root.to_owned())
            .select(&["a"])
            .unwrap_err();
        assert!(matches!(error, ModuleError::OtherKernel { .. }));
    }

    #[test]
    fn a_build_tree_lists_its_modules() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        put(root, "drivers/md/dm-mod.ko", &module("", ""));
        put(root, "drivers/block/loop.ko", &module("", ""));
        put(root, "stale/dm-mod.ko", &module("gone", ""));
        put(
            root,
            "modules.order",
            b"drivers/md/dm-mod.o\nkernel/drivers/block/loop.ko\n",
        );
        put(root, "modules.builtin", b"drivers/virtio/virtio_pci.ko\n");
        let modules = Modules::build_tree(RELEASE, root.to_owned());
        let found = modules.select(&["virtio-pci", "loop", "dm_mod"]).unwrap();
        assert_eq!(names(&found), ["loop", "dm_mod"]);
    }

    #[rstest]
    #[case("a/dm-mod.ko", Some("dm_mod"))]
    #[case("a/dm-mod.ko.zst", Some("dm_mod"))]
    #[case("a/dm-mod.ko.part", None)]
    #[case("a/modules.order", None)]
    fn which_files_are_modules(#[case] path: &str, #[case] name: Option<&str>) {
        assert_eq!(module_name(Path::new(path)).as_deref(), name);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// For any graph, even with a cycle, each needed module appears exactly once.
        /// Without cycles, each comes after all its dependencies.
        #[test]
        fn load_order(edges in prop::collection::vec((0usize..7, 0usize..7), 0..16), acyclic: bool) {
            let directory = tempfile::tempdir().unwrap();
            let depends = |node: usize| -> Vec<String> {
                edges
                    .iter()
                    .filter(|(from, to)| *from == node && (!acyclic || to < from))
                    .map(|(_, to)| format!("m{to}"))
                    .collect()
            };
            for node in 0..7 {
                let data = module(&depends(node).join(","), "");
                put(directory.path(), &format!("m{node}.ko"), &data);
            }
            let modules = Modules::installed(RELEASE, directory.path().to_owned());
            let found = modules.select(&["m6", "m3"]).unwrap();
            let order = names(&found);
            let once: BTreeSet<_> = order.iter().collect();
            prop_assert_eq!(once.len(), order.len());
            for (at, name) in order.iter().enumerate() {
                for dependency in depends(name[1..].parse().unwrap()) {
                    let place = order.iter().position(|m| **m == *dependency);
                    prop_assert!(place.is_some());
                    prop_assert!(!acyclic || place.unwrap() < at);
                }
            }
        }
    }
}

//! Modules that a person or a script loads in the guest with `modprobe`.

use crate::initramfs::Extra;
use crate::module::{ModuleError, Modules, ResolvedModule};
use std::collections::BTreeMap;
use std::fmt::Write;

impl Modules {
    /// Files of `/lib/modules/RELEASE` with which `modprobe` finds the `wanted` modules and
    /// all that they depend on. Modules that this kernel lacks, or has built in, are left
    /// out.
    ///
    /// # Errors
    /// A module cannot be read, or is one of another kernel.
    pub fn for_modprobe(&self, wanted: &[&str]) -> Result<Vec<Extra>, ModuleError> {
        let mut lines = BTreeMap::new();
        let mut files = BTreeMap::new();
        for name in wanted {
            let loaded = match self.select(&[name]) {
                Ok(loaded) => loaded,
                Err(ModuleError::Missing { .. } | ModuleError::NoModules { .. }) => continue,
                Err(error) => return Err(error),
            };
            if let Some((module, below)) = loaded.split_last() {
                lines.insert(module.name.clone(), line(module, below));
            }
            files.extend(loaded.into_iter().map(|module| (module.name, module.elf)));
        }
        let directory = format!("/lib/modules/{}", self.release());
        // busybox complains about a list that is not there.
        let lists = ["modules.alias", "modules.symbols", "modules.builtin"];
        let empty = lists.map(|list| (list.to_owned(), Vec::new()));
        let dependencies = lines.into_values().collect::<String>().into_bytes();
        let files = (files.into_iter()).map(|(name, elf)| (file(&name), elf));
        Ok(files
            .chain(empty)
            .chain([("modules.dep".to_owned(), dependencies)])
            .map(|(name, content)| Extra::Content {
                guest: format!("{directory}/{name}"),
                content,
                mode: 0o644,
            })
            .collect())
    }
}

fn file(module: &str) -> String {
    format!("{module}.ko")
}

/// The line of a module in `modules.dep`: what is loaded first comes last in it.
fn line(module: &ResolvedModule, below: &[ResolvedModule]) -> String {
    let mut line = format!("{}:", file(&module.name));
    for one in below.iter().rev() {
        let _ = write!(line, " {}", file(&one.name));
    }
    line + "\n"
}

#[cfg(test)]
mod tests {
    use crate::initramfs::Extra;
    use crate::module::Modules;
    use crate::module::tests::{module, put};

    #[test]
    fn modprobe_finds_what_there_is_and_what_that_needs() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        put(root, "null_blk.ko", &module("configfs", ""));
        put(root, "configfs.ko", &module("", ""));
        put(root, "dm-flakey.ko", &module("dm-mod", ""));
        put(root, "dm-mod.ko", &module("", ""));
        let modules = Modules::installed("6.1.0-test", root.to_owned());
        let extra = modules.for_modprobe(&["null_blk", "dm_flakey", "dm_dust"]);
        let files: Vec<(String, String)> = (extra.unwrap().into_iter())
            .map(|extra| match extra {
                Extra::Content { guest, content, .. } => {
                    (guest, String::from_utf8_lossy(&content).into_owned())
                }
                other => panic!("{other:?}"),
            })
            .collect();
        let names: Vec<&str> = files
            .iter()
            .filter_map(|(guest, _)| guest.strip_prefix("/lib/modules/6.1.0-test/"))
            .collect();
        assert_eq!(
            names,
            [
                "configfs.ko",
                "dm_flakey.ko",
                "dm_mod.ko",
                "null_blk.ko",
                "modules.alias",
                "modules.symbols",
                "modules.builtin",
                "modules.dep"
            ]
        );
        let (_, dependencies) = files.last().unwrap();
        assert_eq!(
            dependencies,
            "dm_flakey.ko: dm_mod.ko\nnull_blk.ko: configfs.ko\n"
        );
    }
}

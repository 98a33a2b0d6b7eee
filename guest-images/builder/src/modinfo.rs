//! Reads the information section of a module, and removes its debug information.

use object::build::elf::Builder;
use object::{Object, ObjectSection};

/// The `.modinfo` section of a module (include/linux/moduleinfo.h).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ModInfo {
    /// The modules whose symbols it uses.
    pub(crate) depends: Vec<String>,
    /// `MODULE_SOFTDEP("pre: ...")`: modules that should be loaded before, but need not.
    pub(crate) soft_pre: Vec<String>,
    /// What the kernel compares with its own value before it accepts the module: the
    /// release, and the options that change the ABI.
    pub(crate) vermagic: Option<String>,
}

impl ModInfo {
    /// The kernel release that it was built for: the first word of `vermagic`.
    pub(crate) fn release(&self) -> Option<&str> {
        self.vermagic.as_deref()?.split(' ').next()
    }

    /// Reads the section from a module's ELF file.
    pub(crate) fn of(module: &[u8]) -> object::Result<Self> {
        let file = object::File::parse(module)?;
        match file.section_by_name(".modinfo") {
            Some(section) => Ok(Self::parse(section.data()?)),
            None => Ok(Self::default()),
        }
    }

    /// Parses the section: `key=value` strings that end with NUL.
    fn parse(section: &[u8]) -> Self {
        let mut info = ModInfo::default();
        for string in section.split(|byte| *byte == 0) {
            let Some((key, value)) = std::str::from_utf8(string)
                .ok()
                .and_then(|string| string.split_once('='))
            else {
                continue;
            };
            match key {
                "depends" => info.depends.extend(
                    value
                        .split(',')
                        .filter(|name| !name.is_empty())
                        .map(str::to_owned),
                ),
                "softdep" => info.soft_pre.extend(
                    value
                        .split_whitespace()
                        .skip_while(|word| *word != "pre:")
                        .skip(1)
                        .take_while(|word| *word != "post:")
                        .map(str::to_owned),
                ),
                "vermagic" => info.vermagic = Some(value.to_owned()),
                _ => {}
            }
        }
        info
    }
}

/// Removes the debug information, which in a module from a build tree is many times
/// larger than its code. A module that has none, or that cannot be rewritten, is returned
/// unchanged.
pub(crate) fn without_debug_info(module: Vec<u8>) -> Vec<u8> {
    let is_debug = |name: &[u8]| name.starts_with(b".debug_") || name.starts_with(b".rela.debug_");
    let rewrite = || -> object::build::Result<Option<Vec<u8>>> {
        let mut builder = Builder::read64(&module[..])?;
        let mut found = false;
        for section in &mut builder.sections {
            if is_debug(&section.name) {
                section.delete = true;
                found = true;
            }
        }
        if !found {
            return Ok(None);
        }
        builder.delete_orphans();
        let mut out = Vec::new();
        builder.write(&mut out)?;
        Ok(Some(out))
    };
    match rewrite() {
        Ok(Some(smaller)) => smaller,
        Ok(None) | Err(_) => module,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::nothing(b"license=GPL\0depends=\0", &[], &[], None)]
    #[case::two(b"depends=dm-mod,dm-log\0name=dm_mirror\0", &["dm-mod", "dm-log"], &[], None)]
    #[case::soft(b"softdep=pre: a b post: c\0", &[], &["a", "b"], None)]
    #[case::only_post(b"softdep=post: c\0", &[], &[], None)]
    #[case::magic(b"vermagic=6.1.0-56-cloud-amd64 SMP preempt\0", &[], &[], Some("6.1.0-56-cloud-amd64"))]
    #[case::no_text(b"depends=\xff\0depends=x\0", &["x"], &[], None)]
    fn modinfo(
        #[case] section: &[u8],
        #[case] depends: &[&str],
        #[case] soft_pre: &[&str],
        #[case] release: Option<&str>,
    ) {
        let info = ModInfo::parse(section);
        assert_eq!(info.depends, depends);
        assert_eq!(info.soft_pre, soft_pre);
        assert_eq!(info.release(), release);
    }

    #[test]
    fn debug_sections_go_and_the_rest_stays() {
        let module = crate::module::tests::elf_with(&[
            (".modinfo", b"depends=a\0".to_vec()),
            (".debug_info", vec![7; 4096]),
        ]);
        let before = module.len();
        let stripped = without_debug_info(module.clone());
        assert!(stripped.len() < before - 4000);
        assert_eq!(ModInfo::of(&stripped).unwrap().depends, ["a"]);

        let plain = without_debug_info(stripped.clone());
        assert_eq!(plain, stripped, "nothing to remove, nothing touched");
        assert_eq!(without_debug_info(b"no ELF".to_vec()), b"no ELF");
    }
}

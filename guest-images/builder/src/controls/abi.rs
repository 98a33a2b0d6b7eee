//! Checks that a kernel will accept a rebuilt module in place of its own.
//!
//! The kernel compares `vermagic`, and the checksum of the type of each imported symbol
//! (kernel/module/version.c). When other modules import from this one, its exported
//! symbols are compared too.

use crate::modinfo::ModInfo;
use object::{Object, ObjectSection};
use std::collections::BTreeMap;

/// The size in bytes of a `struct modversion_info` (include/linux/module.h) on 64 bits:
/// the checksum, then the symbol's name up to a NUL.
const VERSION: usize = 64;

/// The sections with the checksums of what a module exports.
const EXPORTS: [&str; 2] = ["__kcrctab", "__kcrctab_gpl"];

/// How the ABI of the rebuilt module differs from the stock module's.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AbiError {
    /// The file is not an ELF file.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// The `vermagic` differs.
    #[error("its vermagic is {built:?}, that of the stock module {stock:?}")]
    Vermagic {
        /// The `vermagic` of the rebuilt module.
        built: String,
        /// The `vermagic` of the stock module.
        stock: String,
    },
    /// An imported symbol has another type, or no checksum.
    #[error("it takes {symbol} to be another than the kernel's")]
    Import {
        /// The name of the symbol.
        symbol: String,
    },
    /// An exported symbol has another type.
    #[error("what it exports is not what the stock module exports (section {section})")]
    Exports {
        /// The section that differs.
        section: &'static str,
    },
}

/// Compares a rebuilt module with the stock one.
pub(super) fn check(stock: &[u8], built: &[u8]) -> Result<(), AbiError> {
    let unreadable = |error: object::Error| AbiError::Unreadable(error.to_string());
    let magic = |module| -> Result<String, AbiError> {
        let info = ModInfo::of(module).map_err(unreadable)?;
        Ok(info.vermagic.unwrap_or_default().trim().to_owned())
    };
    let (stock_magic, built_magic) = (magic(stock)?, magic(built)?);
    if stock_magic != built_magic {
        return Err(AbiError::Vermagic {
            built: built_magic,
            stock: stock_magic,
        });
    }
    let theirs = imports(&section(stock, "__versions").map_err(unreadable)?);
    let ours = imports(&section(built, "__versions").map_err(unreadable)?);
    if let Some(symbol) = theirs.keys().next()
        && ours.is_empty()
    {
        let symbol = symbol.clone();
        return Err(AbiError::Import { symbol });
    }
    // Only symbols of the stock module are compared here. A fault may call others, and
    // `make` has compared those with the kernel's own list already.
    for (symbol, checksum) in ours {
        if theirs
            .get(&symbol)
            .is_some_and(|theirs| *theirs != checksum)
        {
            return Err(AbiError::Import { symbol });
        }
    }
    for name in EXPORTS {
        if section(stock, name).map_err(unreadable)? != section(built, name).map_err(unreadable)? {
            return Err(AbiError::Exports { section: name });
        }
    }
    Ok(())
}

fn section(module: &[u8], name: &str) -> object::Result<Vec<u8>> {
    match object::File::parse(module)?.section_by_name(name) {
        Some(section) => Ok(section.data()?.to_owned()),
        None => Ok(Vec::new()),
    }
}

fn imports(versions: &[u8]) -> BTreeMap<String, Vec<u8>> {
    versions
        .chunks_exact(VERSION)
        .map(|version| {
            let (checksum, name) = version.split_at(8);
            let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
            (
                String::from_utf8_lossy(name).into_owned(),
                checksum.to_owned(),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::tests::elf_with;
    use rstest::rstest;

    fn module(magic: &str, imports: &[(&str, u8)], exports: u8) -> Vec<u8> {
        let mut versions = Vec::new();
        for (name, checksum) in imports {
            let mut version = vec![0; VERSION];
            version[0] = *checksum;
            version[8..8 + name.len()].copy_from_slice(name.as_bytes());
            versions.extend(version);
        }
        elf_with(&[
            (".modinfo", format!("vermagic={magic}\0").into_bytes()),
            ("__versions", versions),
            ("__kcrctab_gpl", vec![exports; 4]),
        ])
    }

    #[rstest]
    #[case::the_same(module("v SMP ", &[("a", 1), ("b", 2)], 7), Ok(()))]
    #[case::it_calls_more(module("v SMP ", &[("a", 1), ("b", 2), ("c", 3)], 7), Ok(()))]
    #[case::it_calls_less(module("v SMP ", &[("a", 1)], 7), Ok(()))]
    #[case::another_release(
        module("w SMP ", &[("a", 1)], 7),
        Err(AbiError::Vermagic { built: "w SMP".to_owned(), stock: "v SMP".to_owned() })
    )]
    #[case::another_type(module("v SMP ", &[("a", 9)], 7), Err(AbiError::Import { symbol: "a".to_owned() }))]
    #[case::no_checksums(module("v SMP ", &[], 7), Err(AbiError::Import { symbol: "a".to_owned() }))]
    #[case::exports(module("v SMP ", &[("a", 1)], 8), Err(AbiError::Exports { section: "__kcrctab_gpl" }))]
    fn abi(#[case] built: Vec<u8>, #[case] expected: Result<(), AbiError>) {
        let stock = module("v SMP ", &[("a", 1), ("b", 2)], 7);
        assert_eq!(check(&stock, &built), expected);
    }

    #[test]
    fn no_module_at_all() {
        assert!(matches!(check(b"x", b"y"), Err(AbiError::Unreadable(_))));
    }
}

//! Gives the sections of a module addresses, and applies its relocations.
//!
//! A module is not linked: all of its sections begin at 0, and its debug
//! information is full of holes that a loader would fill. Here each section gets
//! a range of its own, and the holes are filled to match.

use crate::image::ImageError;
use object::{
    Object, ObjectKind, ObjectSection, ObjectSymbol, RelocationKind, RelocationTarget, SectionIndex,
};
use std::collections::HashMap;

/// Where each section of an object lies.
pub(crate) struct Layout(HashMap<SectionIndex, u64>);

impl Layout {
    /// The layout of a file. A linked file keeps its own.
    ///
    /// # Errors
    /// A section is larger than `most` bytes: the file is damaged.
    pub(crate) fn of(file: &object::File<'_>, most: u64) -> Result<Self, ImageError> {
        let mut bases = HashMap::new();
        if file.kind() == ObjectKind::Relocatable {
            let mut next = 0x1_0000_u64;
            for section in file.sections() {
                // References between sections of debug information are offsets.
                if section.name().is_ok_and(|name| name.starts_with(".debug")) {
                    continue;
                }
                bases.insert(section.index(), next);
                fits(&section, most)?;
                next += section.size().next_multiple_of(0x1000) + 0x1000;
            }
        }
        Ok(Self(bases))
    }

    /// What is added to an address within a section.
    pub(crate) fn base(&self, section: Option<SectionIndex>) -> u64 {
        let base = section.and_then(|section| self.0.get(&section));
        base.copied().unwrap_or(0)
    }

    /// The content of a section, with its relocations applied.
    ///
    /// # Errors
    /// The section cannot be read, or is larger than `most` bytes.
    pub(crate) fn content(
        &self,
        file: &object::File<'_>,
        name: &str,
        most: u64,
    ) -> Result<Vec<u8>, ImageError> {
        let Some(section) = file.section_by_name(name) else {
            return Ok(Vec::new());
        };
        fits(&section, most)?;
        let mut data = section.uncompressed_data()?.into_owned();
        if file.kind() != ObjectKind::Relocatable {
            return Ok(data);
        }
        for (at, relocation) in section.relocations() {
            let target = match relocation.target() {
                RelocationTarget::Symbol(index) => {
                    let symbol = file.symbol_by_index(index)?;
                    symbol
                        .address()
                        .wrapping_add(self.base(symbol.section_index()))
                }
                RelocationTarget::Section(index) => self.base(Some(index)),
                _ => 0,
            };
            match relocation.kind() {
                RelocationKind::Absolute => {}
                RelocationKind::None => continue,
                // RISC-V and LoongArch: differences of labels.
                _ => {
                    return Err(ImageError::Relocation {
                        section: name.to_owned(),
                    });
                }
            }
            let bytes = usize::from(relocation.size() / 8);
            let hole = usize::try_from(at).ok();
            let hole = hole.and_then(|at| data.get_mut(at..at.checked_add(bytes)?));
            let Some(hole) = hole.filter(|_| bytes == 4 || bytes == 8) else {
                continue;
            };
            let mut value = target.wrapping_add_signed(relocation.addend());
            let little = file.is_little_endian();
            if relocation.has_implicit_addend() {
                let mut addend = [0; 8];
                addend[..bytes].copy_from_slice(hole);
                value = value.wrapping_add(match little {
                    true => u64::from_le_bytes(addend),
                    false => u64::from_be_bytes(addend) >> (64 - 8 * bytes),
                });
            }
            match little {
                true => hole.copy_from_slice(&value.to_le_bytes()[..bytes]),
                false => hole.copy_from_slice(&value.to_be_bytes()[8 - bytes..]),
            }
        }
        Ok(data)
    }
}

/// Refuses a section of more than `most` bytes.
fn fits(section: &object::Section<'_, '_>, most: u64) -> Result<(), ImageError> {
    match section.size() {
        size if size > most => Err(ImageError::TooLarge {
            section: section.name()?.to_owned(),
            size,
        }),
        _ => Ok(()),
    }
}

//! One file with debug information: a vmlinux or a module.

use crate::link::Layout;
use addr2line::Context;
use gimli::{EndianArcSlice, RunTimeEndian};
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};
use std::collections::HashMap;
use std::sync::Arc;
use thiserror::Error;

/// The largest section that is taken, in bytes. The largest section of a kernel with
/// everything built in is a third of this.
const SECTION: u64 = 2 << 30;

/// By how much a size in a trace may exceed that in the file, in bytes: a
/// kernel counts the padding up to the next function.
const PADDING: u64 = 64;

/// How many inlined functions are shown of one frame.
const INLINED: usize = 64;

/// A file from which no source line can be learnt.
#[derive(Debug, Error)]
pub enum ImageError {
    /// It is no ELF file, or a damaged one.
    #[error("it is no object file that can be read")]
    Object(#[from] object::Error),
    /// Its debug information is damaged.
    #[error("its debug information cannot be read")]
    Debug(#[from] gimli::Error),
    /// It was built without debug information, or stripped.
    #[error("it has no debug information (CONFIG_DEBUG_INFO, or a package of debug symbols)")]
    Stripped,
    /// A section is larger than any kernel's.
    #[error("its section {section} has {size} bytes, which is too large")]
    TooLarge {
        /// Name of the section.
        section: String,
        /// Size in bytes.
        size: u64,
    },
    /// A relocation that only some architectures use.
    #[error("its section {section} needs relocations that are not supported")]
    Relocation {
        /// Name of the section.
        section: String,
    },
}

/// Why a frame has no line.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Miss {
    /// The file does not have the function.
    #[error("{0} has no symbol of this name")]
    Unknown(String),
    /// The function has another size: the file is of another build.
    #[error("in {file} the function has {found:#x} bytes: it is of another build")]
    OtherBuild {
        /// The file.
        file: String,
        /// Size in the file, in bytes.
        found: u64,
    },
    /// Several functions have the name and the size.
    #[error("{0} has several functions of this name and size")]
    Ambiguous(String),
    /// There is no line for the address.
    #[error("{0} has no line for this address")]
    NoLine(String),
}

/// A place in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The function, as in the source.
    pub function: String,
    /// `file:line`, if it is known.
    pub file: Option<String>,
    /// Whether the function was inlined into that of the next place.
    pub inlined: bool,
}

struct Symbol {
    address: u64,
    /// Size in bytes, as the file says.
    size: u64,
    /// Distance to the next symbol of the section, in bytes.
    distance: u64,
}

/// A file with debug information.
pub struct Image {
    name: String,
    symbols: HashMap<String, Vec<Symbol>>,
    lines: Context<EndianArcSlice<RunTimeEndian>>,
}

impl Image {
    /// Reads an ELF file. `name` stands for it in messages.
    ///
    /// # Errors
    /// It is no ELF file, is damaged, or has no debug information.
    pub fn parse(name: &str, data: &[u8]) -> Result<Self, ImageError> {
        let file = object::File::parse(data)?;
        if file.section_by_name(".debug_info").is_none() {
            return Err(ImageError::Stripped);
        }
        let layout = Layout::of(&file, SECTION)?;
        let endian = match file.is_little_endian() {
            true => RunTimeEndian::Little,
            false => RunTimeEndian::Big,
        };
        let dwarf = gimli::Dwarf::load(|section| {
            let content = layout.content(&file, section.name(), SECTION)?;
            Ok::<_, ImageError>(EndianArcSlice::new(Arc::from(content), endian))
        })?;
        Ok(Self {
            name: name.to_owned(),
            symbols: symbols(&file, &layout),
            lines: Context::from_dwarf(dwarf)?,
        })
    }

    /// The places of `symbol` plus `offset`, innermost first: inlined functions
    /// come before the one that they were inlined into. `size` is the size of
    /// the function according to the trace. `after_call` says that the address is
    /// the one to which a call returns, so that the line of the call is the one
    /// before it.
    ///
    /// # Errors
    /// The file does not know the place, or not for sure.
    pub fn places(
        &self,
        symbol: &str,
        offset: u64,
        size: u64,
        after_call: bool,
    ) -> Result<Vec<Place>, Miss> {
        let name = || self.name.clone();
        let all = self
            .symbols
            .get(symbol)
            .ok_or_else(|| Miss::Unknown(name()))?;
        let fits = |symbol: &&Symbol| {
            let padded = symbol.size..=symbol.size.saturating_add(PADDING);
            symbol.distance == size || padded.contains(&size)
        };
        let mut found = Vec::new();
        for symbol in all.iter().filter(fits) {
            let back = u64::from(after_call && offset > 0);
            let address = symbol.address.wrapping_add(offset).wrapping_sub(back);
            let places = self.at(address).unwrap_or_default();
            // Aliases of one function are one answer.
            if !found.contains(&places) {
                found.push(places);
            }
        }
        match found.len() {
            0 => Err(Miss::OtherBuild {
                file: name(),
                found: all.first().map_or(0, |symbol| symbol.size),
            }),
            1 if found[0].is_empty() => Err(Miss::NoLine(name())),
            1 => Ok(found.remove(0)),
            _ => Err(Miss::Ambiguous(name())),
        }
    }

    fn at(&self, address: u64) -> Result<Vec<Place>, gimli::Error> {
        let mut frames = self.lines.find_frames(address).skip_all_loads()?;
        let mut places: Vec<Place> = Vec::new();
        while let Some(frame) = frames.next()? {
            if places.len() >= INLINED {
                break;
            }
            let Some(function) = frame.function else {
                continue;
            };
            let file = frame.location.and_then(|location| {
                let file = tidy(location.file?);
                Some(
                    location
                        .line
                        .map_or(file.clone(), |line| format!("{file}:{line}")),
                )
            });
            let name = function.raw_name()?.into_owned();
            places.push(Place {
                function: format!("{:#}", rustc_demangle::demangle(&name)),
                file,
                inlined: true,
            });
        }
        // The outermost is the function that has the symbol.
        if let Some(outer) = places.last_mut() {
            outer.inlined = false;
        }
        Ok(places)
    }
}

/// The functions of a file by name.
fn symbols(file: &object::File<'_>, layout: &Layout) -> HashMap<String, Vec<Symbol>> {
    let code = |section| {
        let section = file.section_by_index(section).ok()?;
        (section.kind() == object::SectionKind::Text).then_some(section)
    };
    let mut all = Vec::new();
    for symbol in file.symbols() {
        let named = matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Unknown);
        let section = symbol.section_index().filter(|_| named).and_then(code);
        let name = symbol.name().ok().filter(|name| !name.is_empty());
        if let (Some(section), Some(name)) = (section, name) {
            let base = layout.base(symbol.section_index());
            // A damaged file may give any size.
            let end = (section.address())
                .saturating_add(section.size())
                .saturating_add(base);
            let address = symbol.address().wrapping_add(base);
            all.push((address, symbol.size(), end, name.to_owned()));
        }
    }
    let mut addresses: Vec<u64> = all.iter().map(|(address, ..)| *address).collect();
    addresses.sort_unstable();
    addresses.dedup();
    let mut symbols: HashMap<String, Vec<Symbol>> = HashMap::new();
    for (address, size, end, name) in all {
        let next = addresses.partition_point(|other| *other <= address);
        let next = addresses.get(next).copied().unwrap_or(end).min(end);
        symbols.entry(name).or_default().push(Symbol {
            address,
            size,
            distance: next.saturating_sub(address),
        });
    }
    symbols
}

/// A path without `.` and `..`.
fn tidy(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." if parts
                .last()
                .is_some_and(|last| !last.is_empty() && *last != "..") =>
            {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_object_file_is_refused() {
        for data in [&b""[..], b"\x7fELF", b"no object at all", &[0x7f; 4096]] {
            assert!(matches!(
                Image::parse("x", data),
                Err(ImageError::Object(_))
            ));
        }
    }

    #[test]
    fn paths_are_tidy() {
        assert_eq!(
            tidy("/b/linux/./drivers/../block/bio.c"),
            "/b/linux/block/bio.c"
        );
        assert_eq!(tidy("../x.c"), "../x.c");
    }
}

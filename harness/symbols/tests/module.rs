//! Looks functions up in an object file that a compiler made: like a module it
//! is not linked, and it has two functions in two sections that both begin at 0.

use halfway_symbols::{ImageError, Miss, OpenError, Symbols};
use object::{Object, ObjectSymbol};
use std::path::Path;
use std::process::Command;

const SOURCE: &str = "\
volatile int sink;
static inline __attribute__((always_inline)) void inner(int x)
{
    sink = x * 3;
}
__attribute__((section(\".text.first\"))) void first_one(int x)
{
    inner(x);
}
__attribute__((section(\".text.second\"))) void second_one(int x)
{
    sink = x;
}
";

/// A directory with the object as `my-module.ko`.
fn compiled(options: &[&str]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("unit.c");
    std::fs::write(&source, SOURCE).unwrap();
    let done = Command::new("cc")
        .args(["-O1", "-c", "-o", "my-module.ko", "unit.c"])
        .args(options)
        .current_dir(directory.path())
        .status()
        .unwrap();
    assert!(done.success());
    directory
}

fn size(directory: &Path, name: &str) -> u64 {
    let data = std::fs::read(directory.join("my-module.ko")).unwrap();
    let file = object::File::parse(&*data).unwrap();
    file.symbol_by_name(name).unwrap().size()
}

#[test]
fn functions_of_a_module_have_lines_and_inlined_functions() {
    for options in [&["-g"][..], &["-g", "-gdwarf-4"], &["-g", "-gz"]] {
        let directory = compiled(options);
        let mut symbols = Symbols::open(directory.path()).unwrap();
        // The last byte of each function is its `ret`, but the store is in the
        // inlined one.
        let whole = size(directory.path(), "first_one");
        let mut seen = Vec::new();
        for offset in 0..whole {
            let places = symbols
                .places(Some("my_module"), "first_one", offset, whole, false)
                .unwrap();
            let outer = places.last().unwrap();
            assert_eq!(
                (outer.function.as_str(), outer.inlined),
                ("first_one", false)
            );
            if places.len() == 2 {
                assert!(places[0].inlined);
                let file = places[0].file.clone().unwrap();
                assert!(file.ends_with("unit.c:4"), "{file}");
                seen.push(places[0].function.clone());
            }
        }
        assert!(seen.contains(&"inner".to_owned()), "{options:?}: {seen:?}");
        let whole = size(directory.path(), "second_one");
        let places = symbols
            .places(Some("my_module"), "second_one", 0, whole, false)
            .unwrap();
        let file = places[0].file.clone().unwrap();
        let line: u32 = file.rsplit(':').next().unwrap().parse().unwrap();
        assert!((11..=13).contains(&line), "{file}");
    }
}

#[test]
fn what_does_not_fit_has_no_line() {
    let directory = compiled(&["-g"]);
    let mut symbols = Symbols::open(directory.path()).unwrap();
    let module = Some("my_module");
    let other = symbols.places(module, "first_one", 1, 0x999, true);
    assert!(matches!(other, Err(Some(Miss::OtherBuild { .. }))));
    let unknown = symbols.places(module, "nobody", 1, 2, true);
    assert!(matches!(unknown, Err(Some(Miss::Unknown(_)))));
    assert_eq!(symbols.places(None, "first_one", 1, 2, true), Err(None));
}

#[test]
fn a_module_without_debug_information_is_told_of_once() {
    let directory = compiled(&["-g0"]);
    let mut symbols = Symbols::open(directory.path()).unwrap();
    for expected in [1, 0] {
        let places = symbols.places(Some("my_module"), "first_one", 0, 9, false);
        assert_eq!(places, Err(None));
        assert_eq!(symbols.useless().len(), expected);
    }
    let single = Symbols::open(&directory.path().join("my-module.ko"));
    assert!(matches!(single, Err(OpenError::Image { .. })));
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(
        Symbols::open(empty.path()),
        Err(OpenError::Empty(_))
    ));
}

/// Bytes of the header of a section in a 64-bit ELF file.
const HEADER: usize = 64;

#[test]
fn a_section_larger_than_any_is_refused() {
    let directory = compiled(&["-g"]);
    let file = directory.path().join("my-module.ko");
    let mut data = std::fs::read(&file).unwrap();
    let word = |at: usize| data[at..at + 8].try_into().map(u64::from_le_bytes).unwrap();
    let (table, number) = (word(0x28) as usize, usize::from(data[0x3c]));
    // `.bss` has no bytes in the file, so that no reader holds its size against them.
    let bss = (0..number)
        .map(|index| table + index * HEADER)
        .find(|at| data[at + 4] == 8)
        .unwrap();
    data[bss + 0x20..bss + 0x28].fill(0xff);
    std::fs::write(&file, data).unwrap();
    let refused = Symbols::open(&file);
    assert!(matches!(
        refused,
        Err(OpenError::Image {
            source: ImageError::TooLarge { .. },
            ..
        })
    ));
}

//! Programs for the guest.

use halfway_builder::{Extra, program, shell_tools};
use std::process::Command;

/// Programs of the host with the libraries that they need, and a shell.
///
/// # Panics
/// If a program is not installed. `ci/setup` installs them.
pub fn tools(programs: &[String]) -> Vec<Extra> {
    let mut extra = shell_tools().expect("`ci/setup` installs busybox-static");
    for program in programs {
        let mut ldd = Command::new("ldd");
        ldd.arg(program);
        let ldd = program::run(ldd)
            .unwrap_or_else(|why| panic!("`ci/setup` installs {program}: {why}"))
            .stdout;
        let ldd = String::from_utf8(ldd).unwrap();
        let words = ldd.split_whitespace();
        let libraries = words.filter(|word| word.starts_with('/') && !word.ends_with(':'));
        for file in libraries.chain([program.as_str()]) {
            let file = Extra::File {
                guest: file.to_owned(),
                host: file.into(),
                mode: 0o755,
            };
            if !extra.contains(&file) {
                extra.push(file);
            }
        }
    }
    extra
}

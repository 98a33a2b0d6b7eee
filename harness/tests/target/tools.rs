//! Programs for the guest.

use halfway_builder::{Extra, shell_tools};
use std::path::Path;

/// Programs of the host, with the libraries that they need.
pub fn tools(programs: &[String]) -> Option<Vec<Extra>> {
    let mut extra = shell_tools().ok()?;
    for program in programs {
        let ldd = std::process::Command::new("ldd")
            .arg(program)
            .output()
            .ok()?;
        let ldd = String::from_utf8(ldd.stdout).ok()?;
        let words = ldd.split_whitespace();
        let libraries = words.filter(|word| word.starts_with('/') && !word.ends_with(':'));
        for file in libraries.chain([program.as_str()]) {
            let file = Extra::File {
                guest: file.to_owned(),
                host: file.into(),
                mode: 0o755,
            };
            if !Path::new(program).exists() {
                return None;
            }
            if !extra.contains(&file) {
                extra.push(file);
            }
        }
    }
    Some(extra)
}

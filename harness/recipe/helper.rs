//! A program for memory that dd does not have: segments, and buffers that begin anywhere.

use std::path::Path;
use std::process::{Command, Stdio};

const SOURCE: &str = include_str!("rw.c");

/// What the compiler is told, so that the program is small and needs no library.
const FLAGS: &str = "-Os -nostdlib -static -fno-builtin -fno-stack-protector";

/// What makes it smaller still.
const SMALLER: [&str; 5] = [
    "-s",
    "-fno-asynchronous-unwind-tables",
    "-Wl,--build-id=none",
    "-Wl,-z,noseparate-code",
    "-Wl,-z,max-page-size=4096",
];

/// The program, built with the host's compiler; `None` if it has none, or one that cannot.
/// It goes into the script, for guests without a compiler.
pub fn build() -> Option<Vec<u8>> {
    let directory = tempfile::tempdir().ok()?;
    let source = directory.path().join("rw.c");
    std::fs::write(&source, SOURCE).ok()?;
    let program = directory.path().join("rw");
    compiled(&source, &program)?;
    std::fs::read(program).ok()
}

fn compiled(source: &Path, program: &Path) -> Option<()> {
    let ended = Command::new("cc")
        .args(FLAGS.split(' '))
        .args(SMALLER)
        .arg("-o")
        .args([program, source])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    ended.ok()?.success().then_some(())
}

/// The lines that make the program in the guest.
pub fn lines(program: Option<&[u8]>) -> Vec<String> {
    let mut lines = vec![
        String::new(),
        "# dd does not say where its memory lies, so a program does the I/O.".to_owned(),
        "cat >\"$work/rw.c\" <<'END'".to_owned(),
    ];
    lines.extend(SOURCE.lines().map(str::to_owned));
    lines.push("END".to_owned());
    lines.push("if command -v cc >/dev/null; then".to_owned());
    lines.push(format!("  cc {FLAGS} -o \"$work/rw\" \"$work/rw.c\""));
    match program {
        Some(program) => {
            lines.push("else".to_owned());
            lines.push("  # The same, compiled.".to_owned());
            lines.push("  base64 -d >\"$work/rw\" <<'END'".to_owned());
            let text = base64(program);
            let mut rest = text.as_str();
            while !rest.is_empty() {
                let (line, after) = rest.split_at(rest.len().min(76));
                lines.push(line.to_owned());
                rest = after;
            }
            lines.push("END".to_owned());
        }
        None => {
            lines.push("else".to_owned());
            lines.push("  cannot \"it has no C compiler\"".to_owned());
        }
    }
    lines.push("fi".to_owned());
    lines.push("chmod +x \"$work/rw\"".to_owned());
    lines
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let byte = |index: usize| u32::from(three.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place > three.len() {
                '='
            } else {
                char::from(letter)
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// The vectors of RFC 4648.
    #[rstest]
    #[case("", "")]
    #[case("f", "Zg==")]
    #[case("fo", "Zm8=")]
    #[case("foo", "Zm9v")]
    #[case("foobar", "Zm9vYmFy")]
    fn base64_is_the_usual_one(#[case] bytes: &str, #[case] expected: &str) {
        assert_eq!(base64(bytes.as_bytes()), expected);
    }
}

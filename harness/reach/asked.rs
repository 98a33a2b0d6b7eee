//! What a text asks about, in the words that scenarios are ranked by.

use crate::message;
use crate::table::Table;
use halfway_crash::{Report, clean};
use std::collections::BTreeSet;

/// How many functions of a report count. Those further out are how the kernel got there.
const FUNCTIONS: usize = 24;

/// How many bytes of a text are looked at for words.
const TEXT: usize = 256 << 10;

/// What a text asks about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The functions that its first report names, the guilty one first.
    pub functions: Vec<String>,
    /// The messages of the kernel in it that scenarios were seen to cause, in the form of
    /// [`plain`](crate::message::plain).
    pub messages: BTreeSet<String>,
    /// What a person says in it: the lines that are not the kernel's.
    pub prose: String,
    /// The words of that.
    pub words: BTreeSet<String>,
}

impl Asked {
    /// Of a text, and the reports that were found in it, the most telling first.
    pub fn of(text: &str, reports: &[Report], table: &Table) -> Self {
        let text = cut(text, TEXT);
        let mut asked = Asked::default();
        // An echo and the reports after the first are about its consequences.
        if let Some(report) = reports.first() {
            let frames = report.frames.iter().map(|frame| &frame.function);
            for function in report.function.iter().chain(frames) {
                if asked.functions.len() < FUNCTIONS && !asked.functions.contains(function) {
                    asked.functions.push(function.clone());
                }
            }
        }
        for line in clean::lines(text) {
            let plain = message::plain(&line.text);
            let known = plain
                .as_deref()
                .and_then(|plain| table.known_message(plain));
            let prose = match known {
                Some((message, after)) => {
                    asked.messages.insert(message.to_owned());
                    after
                }
                None if line.marked || is_of_kernel(&line.text) => continue,
                None => &line.text,
            };
            asked.prose.push_str(prose);
            asked.prose.push('\n');
        }
        asked.words = words(&asked.prose);
        asked
    }

    /// Whether a person speaks of what scenarios play.
    pub fn speaks_of_ours(&self) -> bool {
        const OURS: [&str; 10] = [
            "mirror",
            "mirrors",
            "raid1",
            "multipath",
            "multipathd",
            "mapper",
            "dmsetup",
            "dm_mirror",
            "dm_multipath",
            "queue_if_no_path",
        ];
        OURS.iter().any(|word| self.words.contains(*word))
    }
}

/// Whether a line without a time stamp is the kernel's all the same. That a disk failed is
/// why a case is run, and nobody's complaint.
fn is_of_kernel(line: &str) -> bool {
    const KERNEL: [&str; 8] = [
        "+0x",
        "device-mapper:",
        "I/O error, dev ",
        "I/O error on dev",
        "blk_update_request:",
        "print_req_error:",
        "Sense Key",
        "Result: hostbyte",
    ];
    KERNEL.iter().any(|words| line.contains(words))
}

/// The words of a text, without those that any English text has.
pub fn words(text: &str) -> BTreeSet<String> {
    const ANY: [&str; 34] = [
        "the", "and", "for", "not", "that", "this", "with", "when", "was", "are", "has", "have",
        "from", "its", "then", "does", "they", "into", "what", "which", "while", "all", "one",
        "two", "come", "comes", "after", "before", "still", "even", "never", "back", "did",
        "again",
    ];
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| word.len() > 2 && word.len() < 32)
        .map(str::to_lowercase)
        .filter(|word| !word.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .filter(|word| !ANY.contains(&&**word))
        .collect()
}

/// At most that many bytes of a text.
fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_report_gives_its_functions_and_a_text_its_words() {
        let mut table = Table::new("6.1");
        let said = message::plain("device-mapper: multipath: 253:0: Failing path 8:16.");
        table.add("a", [], said);
        let text = "Hello, my mirror died:\nBUG: kernel NULL pointer dereference, address: 08\n\
                    RIP: 0010:bio_advance+0x10/0x40\nCall Trace:\n do_mirror+0x1/0x2 [dm_mirror]\n\
                    device-mapper: multipath: 254:3: Failing path 254:0. It hangs.\n";
        let asked = Asked::of(text, &halfway_crash::decode(text), &table);
        assert_eq!(asked.functions, ["bio_advance", "do_mirror"]);
        assert!(asked.words.contains("mirror") && !asked.words.contains("the"));
        assert_eq!(asked.messages.len(), 1);
        assert!(asked.prose.contains("It hangs.") && asked.prose.contains("Hello"));
        assert!(!asked.prose.contains("Failing") && !asked.prose.contains("do_mirror"));
    }

    proptest! {
        #[test]
        fn any_text_asks(text: String) {
            let reports = halfway_crash::decode(&text);
            let _ = Asked::of(&text, &reports, &Table::default());
        }
    }
}

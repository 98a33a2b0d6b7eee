//! Console text -> crash signature.
//!
//! A kernel's last words differ from run to run (addresses, times, task
//! names), so a crash is known by a *title* made from the words that stay.

use regex::Regex;
use std::sync::LazyLock;

/// What a kernel's text says went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crash {
    /// Stable from run to run, such as `kernel BUG at drivers/md/dm-io.c`.
    pub title: String,
    /// The lines around it.
    pub excerpt: String,
    /// Whether the kernel goes on after it, as after a warning.
    pub survivable: bool,
}

struct Format {
    pattern: Regex,
    title: &'static str,
    survivable: bool,
}

/// Lines of text that follow a crash's first line and belong to it.
const EXCERPT: usize = 40;

/// The formats, the most telling first: a panic is mostly the echo of
/// something above it.
static FORMATS: LazyLock<Vec<Format>> = LazyLock::new(|| {
    let format = |pattern: &str, title: &'static str, survivable: bool| Format {
        pattern: Regex::new(pattern).expect("the table's patterns are tested"),
        title,
        survivable,
    };
    vec![
        format(
            r"kernel BUG at (?P<what>[^:!\s]+)",
            "kernel BUG at {}",
            false,
        ),
        format(
            r"BUG: kernel NULL pointer dereference",
            "NULL pointer dereference",
            false,
        ),
        format(
            r"BUG: unable to handle (?:page fault|kernel paging request)",
            "page fault in the kernel",
            false,
        ),
        format(
            r"general protection fault",
            "general protection fault",
            false,
        ),
        format(r"BUG: KASAN: (?P<what>[a-z-]+)", "KASAN: {}", false),
        format(
            r"stack segment: |double fault: ",
            "stack or double fault",
            false,
        ),
        format(r"divide error: ", "divide error", false),
        format(r"invalid opcode: ", "invalid opcode", false),
        format(r"BUG: soft lockup", "soft lockup", false),
        format(r"watchdog: BUG: (?P<what>\w+ lockup)", "{}", false),
        format(
            r"rcu: INFO: rcu_\w+ (?:self-)?detected stall",
            "RCU stall",
            false,
        ),
        format(r"INFO: task \S+ blocked for more than", "hung task", true),
        format(r"list_(?:add|del) corruption", "list corruption", true),
        format(r"refcount_t: (?P<what>[a-z-]+)", "refcount: {}", true),
        format(r"UBSAN: (?P<what>[a-z-]+)", "UBSAN: {}", true),
        format(r"BUG: (?P<what>[A-Za-z ]+)", "BUG: {}", true),
        format(
            r"WARNING: (?:CPU: \d+ PID: \d+ )?at (?P<what>[^:\s]+)",
            "WARNING at {}",
            true,
        ),
        format(r"Oops: ", "oops", false),
        format(
            r"Kernel panic - not syncing: (?P<what>[^\r\n]{1,60})",
            "panic: {}",
            false,
        ),
    ]
});

/// The most telling crash in `text`, if there is one.
pub fn find(text: &str) -> Option<Crash> {
    FORMATS.iter().find_map(|format| {
        let found = format.pattern.captures(text)?;
        let what = found.name("what").map_or("", |what| what.as_str().trim());
        let whole = found.get(0)?;
        let from = text[..whole.start()]
            .rfind('\n')
            .map_or(0, |newline| newline + 1);
        let excerpt: Vec<&str> = text[from..].lines().take(EXCERPT).collect();
        Some(Crash {
            title: format.title.replace("{}", what),
            excerpt: excerpt.join("\n"),
            survivable: format.survivable,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case(
        "[ 1.0] kernel BUG at drivers/md/dm-io.c:123!\n[ 1.0] invalid opcode: 0000 [#1]",
        "kernel BUG at drivers/md/dm-io.c"
    )]
    #[case(
        "x\n[    2.5] BUG: kernel NULL pointer dereference, address: 0000000000000010\nOops: 0002",
        "NULL pointer dereference"
    )]
    #[case(
        "[ 3.1] BUG: unable to handle page fault for address: ffffc90000\n",
        "page fault in the kernel"
    )]
    #[case(
        "general protection fault, probably for non-canonical address 0xdead000000000100: 0000 [#1]",
        "general protection fault"
    )]
    #[case(
        "WARNING: CPU: 0 PID: 12 at block/bio.c:1500 bio_advance+0x10/0x20",
        "WARNING at block/bio.c"
    )]
    #[case(
        "WARNING: at block/bio.c:1500 bio_advance+0x10/0x20, CPU#0: kworker/0:1/12",
        "WARNING at block/bio.c"
    )]
    #[case(
        "Kernel panic - not syncing: sysrq triggered crash\r\n",
        "panic: sysrq triggered crash"
    )]
    #[case(
        "[ 9.9] Oops: general protection fault, probably for",
        "general protection fault"
    )]
    #[case(
        "INFO: task kworker/0:1:12 blocked for more than 120 seconds.",
        "hung task"
    )]
    #[case(
        "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [dd:77]",
        "soft lockup"
    )]
    #[case(
        "BUG: scheduling while atomic: dd/77/0x2",
        "BUG: scheduling while atomic"
    )]
    fn texts_have_titles(#[case] text: &str, #[case] title: &str) {
        assert_eq!(find(text).map(|crash| crash.title).as_deref(), Some(title));
    }

    #[rstest]
    #[case("")]
    #[case("device-mapper: raid1: Mirror read failed from 254:0. Trying alternative device.")]
    #[case("I/O error, dev vda, sector 2300 op 0x0:(READ) flags 0x0 phys_seg 64 prio class 2")]
    #[case("Debugging is fun")]
    fn ordinary_texts_have_none(#[case] text: &str) {
        assert_eq!(find(text), None);
    }

    #[test]
    fn the_cause_comes_before_its_echo() {
        let text = "Kernel panic - not syncing: Fatal exception\nkernel BUG at block/bio.c:9!";
        assert_eq!(find(text).unwrap().title, "kernel BUG at block/bio.c");
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in "(\\PC|\n){0,200}") {
            let _ = find(&text);
        }
    }
}

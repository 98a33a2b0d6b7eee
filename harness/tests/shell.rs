//! Tests of `halfway shell`, in a terminal as a person uses it, and from a script.

use rustix::process::{ioctl_tiocsctty, setsid};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{self, LocalModes, Termios, Winsize};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Long enough for a busy host, and for a kernel that must be fetched first.
const PATIENCE: Duration = Duration::from_secs(120);

const SCENARIO: &str = r#"
question = "Does a read that one leg fails in its middle come back whole from the other leg?"
[legs]
max_sectors_kb = 64
[[fault]]
leg = 0
at = 252
"#;

/// Allows one guest at a time: two would share two cores with the other tests.
static GUEST: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    GUEST.lock().unwrap_or_else(PoisonError::into_inner)
}

fn halfway(place: &TempDir) -> Command {
    let scenario = place.path().join("halfway.toml");
    std::fs::write(&scenario, SCENARIO).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_halfway"));
    command
        .arg("shell")
        .arg(scenario)
        .current_dir(env!("CARGO_MANIFEST_DIR").to_owned() + "/..")
        .env("TMPDIR", place.path())
        .env("TERM", "xterm-mono");
    command
}

fn winsize(rows: u16, columns: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

/// `halfway shell` on a terminal of its own, and the person who uses it.
struct Person {
    terminal: OwnedFd,
    /// Kept open, so that the terminal can still be examined after the end.
    _other_side: OwnedFd,
    before: Termios,
    child: Child,
    shown: Arc<Mutex<String>>,
    /// How many bytes of the output were examined already.
    seen: usize,
    _place: TempDir,
    _alone: MutexGuard<'static, ()>,
}

impl Person {
    /// Starts the program and waits for the prompt.
    fn new() -> Self {
        let alone = alone();
        let place = tempfile::tempdir().unwrap();
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let terminal = openpt(flags).unwrap();
        unlockpt(&terminal).unwrap();
        let side = ioctl_tiocgptpeer(&terminal, flags).unwrap();
        termios::tcsetwinsize(&terminal, winsize(24, 80)).unwrap();
        let mut command = halfway(&place);
        command
            .stdin(side.try_clone().unwrap())
            .stdout(side.try_clone().unwrap())
            .stderr(side.try_clone().unwrap());
        // SAFETY: both are system calls that touch no memory.
        unsafe {
            command.pre_exec(|| {
                setsid()?;
                Ok(ioctl_tiocsctty(rustix::stdio::stdin())?)
            });
        }
        let shown = Arc::new(Mutex::new(String::new()));
        let (screen, mut output) = (shown.clone(), File::from(terminal.try_clone().unwrap()));
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut chunk) {
                let text = String::from_utf8_lossy(&chunk[..count]);
                *screen.lock().unwrap() += &text.replace("\x1b[6n", "");
            }
        });
        let mut person = Person {
            before: termios::tcgetattr(&terminal).unwrap(),
            child: command.spawn().unwrap(),
            terminal,
            _other_side: side,
            shown,
            seen: 0,
            _place: place,
            _alone: alone,
        };
        person.sees(PROMPT);
        person
    }

    fn types(&self, keys: &str) {
        let terminal = self.terminal.try_clone().unwrap();
        File::from(terminal).write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until `text` is shown, after everything that was waited for before. Returns
    /// what was shown before it.
    fn sees(&mut self, text: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let shown = self.shown.lock().unwrap().clone();
            let new = &shown[self.seen..];
            if let Some(at) = new.find(text) {
                self.seen += at + text.len();
                return new[..at].to_owned();
            }
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < until,
                "no {text:?}: {shown}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Runs a command and waits for the next prompt. Returns what the command printed.
    fn runs(&mut self, command: &str) -> String {
        self.types(&format!("{command}\r"));
        self.sees(&format!("{command}\r\n"));
        self.sees(PROMPT)
    }

    /// Waits for the program's end. Returns its exit status; it must have restored the
    /// terminal.
    fn leaves(mut self) -> (Option<i32>, String) {
        let until = Instant::now() + PATIENCE;
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status.code(),
                None => assert!(Instant::now() < until, "it does not end"),
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let after = termios::tcgetattr(&self.terminal).unwrap();
        assert_eq!(after.local_modes, self.before.local_modes);
        assert_eq!(after.input_modes, self.before.input_modes);
        assert_eq!(after.output_modes, self.before.output_modes);
        std::thread::sleep(Duration::from_millis(100));
        let shown = self.shown.lock().unwrap();
        (status, shown[self.seen..].to_owned())
    }
}

/// The prompt. Busybox's shell prints more after it: it asks the terminal where the
/// cursor is.
const PROMPT: &str = "halfway:/# ";

#[test]
fn a_person_works_in_it() {
    let mut person = Person::new();
    let modes = termios::tcgetattr(&person.terminal).unwrap().local_modes;
    assert!(!modes.intersects(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG));

    // The command is echoed, lines end with CR, and each line begins in the first column.
    let status = person.runs("dmsetup status");
    assert!(status.contains("halfway: 0 131072 mirror 2 "), "{status}");
    let lines = status.matches('\n').count();
    assert!(
        lines > 0 && lines == status.matches("\r\n").count(),
        "{status:?}"
    );
    let terminal = person.runs("tty; echo $TERM");
    assert_eq!(terminal, "/dev/pts/0\r\nxterm-mono\r\n");

    // The size of the terminal, before and after a change.
    assert_eq!(person.runs("stty size"), "24 80\r\n");
    termios::tcsetwinsize(&person.terminal, winsize(50, 132)).unwrap();
    let until = Instant::now() + PATIENCE;
    while person.runs("stty size") != "50 132\r\n" {
        assert!(Instant::now() < until, "the new size does not arrive");
    }

    // Ctrl-C and Ctrl-Z. Wait until the command runs: before that, the shell itself gets
    // the keys.
    let sleep = "sh -c \"echo be''gun; exec sleep 1000\"\r";
    person.types(sleep);
    person.sees("begun\r\n");
    person.types("\x03");
    person.sees(PROMPT);
    assert_eq!(person.runs("echo $?"), "130\r\n");
    person.types(sleep);
    person.sees("begun\r\n");
    person.types("\x1a");
    person.sees(PROMPT);
    assert!(person.runs("jobs").contains("Stopped"));
    // A stopped job reacts to no other signal.
    person.runs("kill -9 %1; wait");

    // The fault: armed, disarmed, armed again, and what it fails.
    let fault = "leg 0 fails every read that covers sector 2300 with EIO";
    let read = "dd if=/dev/mapper/halfway of=/dev/null bs=256k skip=4 count=1 iflag=direct 2>&1";
    let told = person.runs("halfway-fault");
    assert!(
        told.contains(&format!("armed: {fault}")) && told.contains("No request"),
        "{told}"
    );
    let told = person.runs("halfway-fault disarm");
    assert!(told.contains(&format!("disarmed: {fault}")), "{told}");
    assert!(person.runs(read).contains("1+0 records in"));
    assert!(person.runs("dmsetup status halfway").contains(" AA "));
    let told = person.runs("halfway-fault arm");
    assert!(
        told.contains("armed: ") && told.contains("No request"),
        "{told}"
    );
    assert!(person.runs(read).contains("1+0 records in"));
    assert!(person.runs("dmsetup status halfway").contains(" RA "));
    let told = person.runs("halfway-fault");
    assert!(told.contains("1 request has failed"), "{told}");
    assert!(told.contains("leg 0 read 2176+128 error -5"), "{told}");

    // The case's own I/O, judged, first on a stack that is no longer new, then on a new
    // one.
    let told = person.runs("halfway-io");
    assert!(told.contains("262144 bytes"), "{told}");
    assert!(told.contains("other I/O has reached its disks"), "{told}");
    let told = person.runs("halfway-reset; dmsetup status halfway");
    assert!(told.contains(" AA "), "{told}");
    let told = person.runs("halfway-io");
    assert!(told.contains("\npass: leg 0 failed 1 request(s)"), "{told}");
    assert!(!told.contains("halfway-reset"), "{told}");
    let told = person.runs("halfway-reset; halfway-fault disarm >/dev/null; halfway-io; echo =$?=");
    assert!(told.contains("\npass: ") && told.contains("=0="), "{told}");
    let told = person.runs("halfway-fault nonsense; echo =$?=");
    assert!(
        told.contains("halfway-fault disarm|arm") && told.contains("=2="),
        "{told}"
    );

    // The ways to leave.
    person.runs("sh -c 'exit 5'");
    person.types("\x04");
    let (status, _) = person.leaves();
    assert_eq!(status, Some(5));
}

#[test]
fn a_kernel_that_crashes_gives_the_terminal_back() {
    let person = Person::new();
    person.types("echo c >/proc/sysrq-trigger\r");
    let (status, shown) = person.leaves();
    assert_eq!(status, Some(1), "{shown}");
    assert!(shown.contains("sysrq"), "{shown}");
    assert!(shown.contains("The guest's kernel said: "), "{shown}");
}

#[test]
fn a_script_that_is_piped_in_has_its_output_and_its_status() {
    let _alone = alone();
    let place = tempfile::tempdir().unwrap();
    let mut child = halfway(&place)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut script = child.stdin.take().unwrap();
    // Ctrl-] leaves the client in a terminal, but is an ordinary byte in a script.
    let text = "dmsetup status halfway; echo nothing >&2; printf '\x1d' | od -An -c\nfalse\n";
    script.write_all(text.as_bytes()).unwrap();
    drop(script);
    let output = child.wait_with_output().unwrap();
    let (out, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!(output.status.code(), Some(1), "{out}{errors}");
    assert!(out.starts_with("0 131072 mirror 2 "), "{out}{errors}");
    assert!(out.contains("035") && !out.contains("halfway:"), "{out}");
    assert!(errors.contains("\nnothing\n"), "{errors}");
}

/// Recipes need disks that are none of the case's.
#[test]
fn a_script_gets_disks_of_its_own() {
    let _alone = alone();
    let place = tempfile::tempdir().unwrap();
    let mut child = halfway(&place)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut script = child.stdin.take().unwrap();
    let text = "modprobe null_blk nr_devices=1 && modprobe dm-flakey && [ -b /dev/nullb0 ] && \
                dmsetup targets | grep flakey; modprobe nonsense && echo there\n";
    script.write_all(text.as_bytes()).unwrap();
    drop(script);
    let output = child.wait_with_output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(
        out.starts_with("flakey ") && !out.contains("there"),
        "{out}"
    );
    assert_eq!(output.status.code(), Some(1), "{out}");
}

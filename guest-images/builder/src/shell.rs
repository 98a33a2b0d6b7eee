//! The programs for an interactive guest, copied from the host.

use crate::file::{self, FileError};
use crate::image::is_static_elf;
use crate::initramfs::Extra;
use crate::program::{self, ProgramError};
use halfway_protocol::session::COMMANDS;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Modules that `modprobe` finds in a guest with a shell, besides those that are loaded:
/// other disks, and targets that fail or delay I/O.
pub const SHELL_MODULES: &[&str] = &[
    "brd",
    "dm_delay",
    "dm_dust",
    "dm_flakey",
    "dm_mirror",
    "dm_multipath",
    "dm_queue_length",
    "dm_round_robin",
    "dm_service_time",
    "dm_snapshot",
    "loop",
    "null_blk",
    "scsi_debug",
    "sd_mod",
];

/// Why there are no programs for a shell.
#[derive(Debug, thiserror::Error)]
pub enum ShellError {
    /// The host has no busybox.
    #[error("there is no busybox on this host: install busybox-static")]
    NoBusybox,
    /// The host's busybox needs libraries.
    #[error("{} is linked dynamically: install busybox-static", .0.display())]
    DynamicBusybox(PathBuf),
    /// A program does not run here, or its libraries cannot be found.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
}

/// The programs of a shell session: `/bin/busybox` with a link in `/bin` for each of its
/// commands, such as `sh`; the commands that the host answers, which are links to the
/// agent; and `/sbin/dmsetup` with its libraries, if the host has it.
pub fn shell_tools() -> Result<Vec<Extra>, ShellError> {
    let busybox = find(&["/bin/busybox", "/usr/bin/busybox"]).ok_or(ShellError::NoBusybox)?;
    if !is_static_elf(&file::read(&busybox)?) {
        return Err(ShellError::DynamicBusybox(busybox));
    }
    let mut tools = vec![copy("/bin/busybox", &busybox)];
    let applets = output(&busybox, &["--list"])?;
    for applet in applets.lines().filter(|applet| *applet != "busybox") {
        tools.push(Extra::Link {
            guest: format!("/bin/{applet}"),
            target: "busybox".to_owned(),
        });
    }
    for command in COMMANDS {
        tools.push(Extra::Link {
            guest: format!("/bin/{command}"),
            target: "/init".to_owned(),
        });
    }
    if let Some(dmsetup) = find(&["/sbin/dmsetup", "/usr/sbin/dmsetup"]) {
        tools.push(copy("/sbin/dmsetup", &dmsetup));
        // ldd fails for a statically linked program.
        if !is_static_elf(&file::read(&dmsetup)?) {
            let libraries = output(Path::new("ldd"), &[&dmsetup.to_string_lossy()])?;
            for library in libraries_of(&libraries) {
                tools.push(copy(library, Path::new(library)));
            }
        }
    }
    Ok(tools)
}

fn find(places: &[&str]) -> Option<PathBuf> {
    places.iter().map(PathBuf::from).find(|path| path.exists())
}

fn copy(guest: &str, host: &Path) -> Extra {
    Extra::File {
        guest: guest.to_owned(),
        host: host.to_owned(),
        mode: 0o755,
    }
}

fn output(program: &Path, arguments: &[&str]) -> Result<String, ProgramError> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    let output = program::run(command)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The paths in the output of ldd(1): the libraries and the dynamic loader. The vDSO is
/// left out, because it is not a file.
fn libraries_of(ldd: &str) -> impl Iterator<Item = &str> {
    ldd.lines().filter_map(|line| {
        line.split_whitespace()
            .find(|word| word.starts_with('/') && !word.ends_with(':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ldd_names_libraries_and_the_loader() {
        let text = "\tlinux-vdso.so.1 (0x00007ffd)\n\
                    \tlibdevmapper.so.1.02.1 => /lib/x86_64-linux-gnu/libdevmapper.so.1.02.1 (0x00007f)\n\
                    \tlibgone.so => not found\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        let found: Vec<_> = libraries_of(text).collect();
        assert_eq!(
            found,
            [
                "/lib/x86_64-linux-gnu/libdevmapper.so.1.02.1",
                "/lib64/ld-linux-x86-64.so.2"
            ]
        );
    }
}

//! The first process of a Halfway guest (PID 1). It prepares the guest, and then does
//! what the harness asks over a virtio-serial port ([`halfway_protocol`]).
//!
//! It is synchronous: the main thread answers one call after the other. Only the I/O
//! under test runs in a thread of its own ([`io`]), since it may never return.
//!
//! * [`boot`]: mounts, modules, the greeting. [`facilities`]: what the kernel lacks.
//! * [`port`]: the connection to the harness. [`serve`]: answers calls.
//! * [`dm`], [`disks`], [`scsi`], [`io`]: the dm stack, the disks beneath it, and the
//!   I/O.
//! * [`trace`], [`watch`], [`kmsg`]: what the kernel reports about the I/O.
//! * [`program`]: programs in the guest, and their file system.
//! * [`shell`]: an interactive session. [`end`]: how the guest ends.

mod boot;
mod disks;
mod dm;
mod end;
mod facilities;
mod io;
mod kmsg;
mod port;
mod program;
mod refuse;
mod scsi;
mod serve;
mod shell;
mod sysfs;
mod trace;
mod watch;

use std::thread;
use std::time::Duration;

fn main() {
    if let Some(status) = shell::called() {
        std::process::exit(status.into());
    }
    let hello = boot::up();
    let mut port = loop {
        match port::Port::open(halfway_protocol::PORT, Duration::from_secs(10)) {
            Ok(port) => break port,
            // Only the console is left to report it, and the first process must not exit.
            Err(refusal) => eprintln!("halfway-agent: {refusal}"),
        }
    };
    port.send(&hello);
    serve::Agent::default().serve(&mut port);
    // Reached only if the port is gone for good.
    eprintln!("halfway-agent: the port to the harness is gone");
    loop {
        thread::park();
    }
}

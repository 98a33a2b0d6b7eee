//! The first process of a Halfway guest: brings the kernel's interfaces up,
//! then does what the harness asks over a virtio-serial port
//! ([`halfway_protocol`]).
//!
//! It is synchronous: calls are answered one after the other by the main
//! thread. Only the I/O under test runs in a thread of its own ([`io`]), since
//! it may never come back.
//!
//! * [`boot`]: mounts, modules, the greeting. [`facilities`]: what the kernel lacks.
//! * [`port`]: the line to the harness. [`serve`]: from call to answer.
//! * [`dm`], [`disks`], [`scsi`], [`io`]: the stack, what lies beneath it, and
//!   what is done to it.
//! * [`trace`], [`watch`], [`kmsg`]: what the kernel says of it.
//! * [`program`]: programs of the guest's own, and their file system.
//! * [`shell`], [`end`]: for a person, and for the guest's end.

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
    let hello = boot::up();
    let mut port = loop {
        match port::Port::open(halfway_protocol::PORT, Duration::from_secs(10)) {
            Ok(port) => break port,
            // The console is the only way left to say it, and the first
            // process may not end.
            Err(refusal) => eprintln!("halfway-agent: {refusal}"),
        }
    };
    port.send(&hello);
    serve::Agent::default().serve(&mut port);
    // Reached only when the port is gone for good.
    eprintln!("halfway-agent: the port to the harness is gone");
    loop {
        thread::park();
    }
}

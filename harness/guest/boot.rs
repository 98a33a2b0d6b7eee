//! From QEMU's start to the agent's hello.
//!
//! A boot is watched for progress. Under TCG a guest sometimes starves in timer
//! calibration when several boot at once; such a boot is given up and tried
//! again, and is never a verdict on the kernel.

use super::client::Guest;
use crate::machine::{Booting, Machine, Wreck};
use halfway_protocol::message::Hello;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

/// The longest hello that is believed, in bytes.
const LONGEST_HELLO: usize = 64 * 1024;

/// Why a guest did not come up. The caller may try again, except where the
/// agent is not ours.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// QEMU ended: the kernel panicked while booting, most likely.
    #[error("QEMU ended while the guest was booting ({status}){}", tail(.wreck))]
    Ended {
        /// How it ended.
        status: String,
        /// What it left.
        wreck: Wreck,
    },
    /// Neither the console nor the agent said anything for too long.
    #[error("the guest made no progress for {} s while booting{}", .patience.as_secs(), tail(.wreck))]
    Stalled {
        /// How long it was given.
        patience: Duration,
        /// What it left.
        wreck: Wreck,
    },
    /// The agent speaks another protocol.
    #[error("the guest's agent is not ours: {0}; rebuild with `cargo build`")]
    Stranger(String),
}

fn tail(wreck: &Wreck) -> String {
    let lines: Vec<&str> = wreck.console.lines().rev().take(12).collect();
    if lines.is_empty() {
        return "; its console said nothing".to_owned();
    }
    let lines: Vec<&str> = lines.into_iter().rev().collect();
    format!("; its console's last lines:\n  {}", lines.join("\n  "))
}

/// A machine that serves, and what is needed to talk to it.
pub struct Booted {
    /// The machine.
    pub machine: Machine,
    /// Its agent.
    pub guest: Guest,
    /// What the agent said.
    pub hello: Hello,
    /// The interactive shell's stream, where one was asked for.
    pub shell: Option<UnixStream>,
    /// From QEMU's start to the hello.
    pub took: Duration,
}

/// Waits for the hello. `patience` is how long the guest may show no progress,
/// and how long an ordinary call may take later.
pub async fn boot(mut booting: Booting, patience: Duration) -> Result<Booted, BootError> {
    let mut line = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        enum Heard {
            Bytes(usize),
            Console,
            Ended(String),
            Nothing,
        }
        // Borrow each part once; `select!` polls them side by side.
        let heard = {
            let (agent, console, ended) = booting.watch();
            tokio::select! {
                count = agent.read(&mut chunk) => Heard::Bytes(count.unwrap_or(0)),
                () = console.more() => Heard::Console,
                status = ended => Heard::Ended(status),
                () = tokio::time::sleep(patience) => Heard::Nothing,
            }
        };
        match heard {
            Heard::Bytes(0) => {
                let status = "it closed the agent's port".to_owned();
                return Err(BootError::Ended {
                    status,
                    wreck: booting.end().await,
                });
            }
            Heard::Bytes(count) => {
                line.extend_from_slice(&chunk[..count]);
                if line.ends_with(b"\n") {
                    break;
                }
                if line.len() > LONGEST_HELLO {
                    booting.end().await;
                    return Err(BootError::Stranger("its hello has no end".to_owned()));
                }
            }
            // Noise is progress, but not for ever.
            Heard::Console if booting.elapsed() < 10 * patience => {}
            Heard::Ended(status) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
                return Err(BootError::Ended {
                    status,
                    wreck: booting.end().await,
                });
            }
            Heard::Console | Heard::Nothing => {
                return Err(BootError::Stalled {
                    patience,
                    wreck: booting.end().await,
                });
            }
        }
    }
    let took = booting.elapsed();
    let hello: Hello = match serde_json::from_slice(&line) {
        Ok(hello) => hello,
        Err(error) => {
            booting.end().await;
            return Err(BootError::Stranger(error.to_string()));
        }
    };
    if hello.protocol != halfway_protocol::VERSION {
        booting.end().await;
        return Err(BootError::Stranger(format!(
            "it speaks version {}, we speak {}",
            hello.protocol,
            halfway_protocol::VERSION
        )));
    }
    let (machine, agent, shell) = booting.up();
    let guest = Guest::new(agent, patience);
    Ok(Booted {
        machine,
        guest,
        hello,
        shell,
        took,
    })
}

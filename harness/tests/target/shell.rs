//! The interactive shell on a kernel that gives no terminals.

use crate::daemon::PATIENCE;
use crate::rig::{Rig, run};
use crate::tools::tools;
use halfway_protocol::message::Request;
use halfway_protocol::session::{Frame, Message, Size, Terminal};
use halfway_target::Target;

/// The next frame from the guest's shell.
macro_rules! next {
    ($shell:expr) => {
        tokio::time::timeout(PATIENCE, $shell.reader.next())
            .await
            .expect("the guest says something")
            .unwrap()
            .expect("the guest lives")
    };
}

#[test]
fn a_kernel_without_terminals_gives_a_shell_all_the_same_and_says_so() {
    let tools = tools(&[]);
    run(async {
        let (daemon, configs) = Rig::two_paths().await;
        let (target, journal) = Target::start(configs).unwrap();
        let mut rig = Rig::boot(daemon, target, journal, tools, &[]).await;
        // As on a kernel without CONFIG_UNIX98_PTYS, no pseudo terminal can be opened.
        rig.call(Request::WriteFile {
            path: "/proc/sys/kernel/pty/max".to_owned(),
            text: "0".to_owned(),
        })
        .await;
        let size = Size {
            rows: 24,
            columns: 80,
        };
        let kind = "xterm".to_owned();
        let mut shell = rig.session(Some(Terminal { kind, size })).await;
        let started = next!(shell);
        let Frame::Message(Message::Started {
            without_terminal: Some(why),
        }) = started
        else {
            panic!("{started:?}");
        };
        assert!(why.contains("CONFIG_UNIX98_PTYS"), "{why}");
        let typed = Frame::Input(b"echo $((6 * 7)); exit 4\n".to_vec());
        shell.writer.send(&typed).await.unwrap();
        let mut shown = Vec::new();
        let status = loop {
            match next!(shell) {
                Frame::Output(bytes) => shown.extend(bytes),
                Frame::Message(Message::Exited { status }) => break status,
                _ => {}
            }
        };
        let shown = String::from_utf8(shown).unwrap();
        assert!(shown.contains("42") && status == 4, "{status}: {shown}");
    });
}

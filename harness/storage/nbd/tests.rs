//! Tests with a client that encodes the protocol's bytes itself, and with QEMU's.

use super::*;
use crate::storage::medium::Medium;
use halfway_case::observation::{Command, Member};
use halfway_protocol::content::SECTOR;
use proptest::prelude::*;
use rstest::rstest;
use tokio::io::DuplexStream;

const GO: u32 = 7;
const EXPORT_NAME: u32 = 1;
const READ: u16 = 0;
const WRITE: u16 = 1;

fn ledger() -> Arc<Mutex<Ledger>> {
    Arc::new(Mutex::new(Ledger::new(vec![
        Medium::new(Member::Leg(0), 64, 5),
        Medium::new(Member::Log, 8, 5),
    ])))
}

fn exports() -> Arc<[Export]> {
    [("leg0", 64), ("log", 8)]
        .map(|(name, sectors)| Export {
            name: name.to_owned(),
            bytes: sectors * SECTOR as u64,
        })
        .into()
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

struct Client {
    stream: DuplexStream,
}

impl Client {
    /// Opens a connection, and reads and answers the server's greeting.
    async fn connect(ledger: &Arc<Mutex<Ledger>>) -> (Self, tokio::task::JoinHandle<End>) {
        let (stream, theirs) = tokio::io::duplex(1 << 20);
        let server = tokio::spawn(converse(theirs, exports(), ledger.clone()));
        let mut client = Client { stream };
        assert_eq!(client.take(18).await, b"NBDMAGICIHAVEOPT\0\x03");
        client.stream.write_u32(3).await.unwrap();
        (client, server)
    }

    async fn take(&mut self, count: usize) -> Vec<u8> {
        let mut data = vec![0; count];
        self.stream.read_exact(&mut data).await.unwrap();
        data
    }

    async fn option(&mut self, option: u32, data: &[u8]) {
        self.stream.write_all(b"IHAVEOPT").await.unwrap();
        self.stream.write_u32(option).await.unwrap();
        self.stream.write_u32(data.len() as u32).await.unwrap();
        self.stream.write_all(data).await.unwrap();
    }

    async fn option_reply(&mut self) -> (u32, u32, Vec<u8>) {
        assert_eq!(self.take(8).await, 0x3e889045565a9u64.to_be_bytes());
        let option = self.stream.read_u32().await.unwrap();
        let reply = self.stream.read_u32().await.unwrap();
        let length = self.stream.read_u32().await.unwrap();
        (option, reply, self.take(length as usize).await)
    }

    async fn go(ledger: &Arc<Mutex<Ledger>>) -> (Self, tokio::task::JoinHandle<End>) {
        let (mut client, server) = Client::connect(ledger).await;
        client.option(GO, b"\0\0\0\x04leg0\0\0").await;
        while client.option_reply().await.1 != 1 {}
        (client, server)
    }

    async fn request(&mut self, command: u16, cookie: u64, offset: u64, length: u32) {
        self.stream.write_u32(0x25609513).await.unwrap();
        self.stream.write_u16(0).await.unwrap();
        self.stream.write_u16(command).await.unwrap();
        self.stream.write_u64(cookie).await.unwrap();
        self.stream.write_u64(offset).await.unwrap();
        self.stream.write_u32(length).await.unwrap();
    }

    async fn reply(&mut self) -> (u32, u64) {
        assert_eq!(self.stream.read_u32().await.unwrap(), 0x67446698);
        let error = self.stream.read_u32().await.unwrap();
        (error, self.stream.read_u64().await.unwrap())
    }
}

#[test]
fn go_tells_size_flags_and_block_sizes() {
    run(async {
        let (mut client, _) = Client::connect(&ledger()).await;
        client.option(GO, b"\0\0\0\x03log\0\x01\0\x03").await;
        let (option, reply, about) = client.option_reply().await;
        assert_eq!((option, reply), (GO, 3));
        assert_eq!(about, [0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0x6d]);
        let (_, reply, about) = client.option_reply().await;
        assert_eq!(reply, 3);
        assert_eq!(about, [0, 3, 0, 0, 2, 0, 0, 0, 0x10, 0, 2, 0, 0, 0]);
        assert_eq!(client.option_reply().await, (GO, 1, Vec::new()));
    });
}

/// Other requests overtake a held one. It is answered when it is released.
#[test]
fn what_is_kept_is_overtaken() {
    run(async {
        let ledger = ledger();
        let (mut client, _) = Client::go(&ledger).await;
        locked(&ledger).hold(Member::Leg(0), Command::Write, 1, Some(Errno::IO));
        client.request(WRITE, 7, 512, 512).await;
        client.stream.write_all(&[9; SECTOR]).await.unwrap();
        client.request(WRITE, 8, 1024, 512).await;
        client.stream.write_all(&[9; SECTOR]).await.unwrap();
        assert_eq!(client.reply().await, (0, 8));
        assert!(locked(&ledger).all_held());
        locked(&ledger).release_all();
        assert_eq!(client.reply().await, (5, 7));
        client.request(WRITE, 9, 512, 512).await;
        client.stream.write_all(&[9; SECTOR]).await.unwrap();
        assert_eq!(client.reply().await, (0, 9));
        let order: Vec<_> = (locked(&ledger).entries().iter())
            .map(|entry| (entry.sector, entry.result))
            .collect();
        assert_eq!(order, [(2, Some(0)), (1, Some(-5)), (1, Some(0))]);
    });
}

#[test]
fn export_name_goes_straight_to_requests() {
    run(async {
        let (mut client, _) = Client::connect(&ledger()).await;
        client.option(EXPORT_NAME, b"leg0").await;
        assert_eq!(client.take(10).await, [0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0x6d]);
        client.request(READ, 1, 0, 512).await;
        assert_eq!(client.reply().await, (0, 1));
    });
}

#[rstest]
#[case::unknown_export(GO, b"\0\0\0\x04leg9\0\0", 1 << 31 | 6)]
#[case::bad_data(GO, b"\0\0\0\x09leg9\0\0", 1 << 31 | 3)]
#[case::structured_replies(8, b"", 1 << 31 | 1)]
#[case::tls(5, b"", 1 << 31 | 1)]
#[case::list_with_data(3, b"x", 1 << 31 | 3)]
fn an_option_that_is_refused_leaves_the_others(
    #[case] option: u32,
    #[case] data: &[u8],
    #[case] expected: u32,
) {
    run(async {
        let (mut client, _) = Client::connect(&ledger()).await;
        client.option(option, data).await;
        assert_eq!(client.option_reply().await, (option, expected, Vec::new()));
        client.option(3, b"").await;
        assert_eq!(client.option_reply().await.2, b"\0\0\0\x04leg0");
        assert_eq!(client.option_reply().await.2, b"\0\0\0\x03log");
        assert_eq!(client.option_reply().await.1, 1);
    });
}

#[test]
fn pipelined_requests_are_answered_and_entered_in_order() {
    run(async {
        let ledger = ledger();
        let (mut client, server) = Client::go(&ledger).await;
        client.request(WRITE, 10, 512, 1024).await;
        client.stream.write_all(&[7; 1024]).await.unwrap();
        client.request(READ, 11, 1000, 100).await;
        client.request(3, 12, 0, 0).await;
        client.request(4, 13, 0, 512).await;
        client.request(6, 14, 1024, 512).await;
        client.request(READ, 15, 0, 2048).await;

        assert_eq!(client.reply().await, (0, 10));
        assert_eq!(client.reply().await, (0, 11));
        assert_eq!(client.take(100).await, [7; 100]);
        for cookie in 12..=14 {
            assert_eq!(client.reply().await, (0, cookie));
        }
        assert_eq!(client.reply().await, (0, 15));
        let data = client.take(2048).await;
        assert!(data[..512].iter().all(|byte| *byte == 0));
        assert!(data[512..1024].iter().all(|byte| *byte == 7));
        assert!(data[1024..1536].iter().all(|byte| *byte == 0));
        let mut fresh = [0; 512];
        Medium::new(Member::Leg(0), 64, 5)
            .read(1536, &mut fresh)
            .unwrap();
        assert_eq!(data[1536..], fresh);

        client.request(2, 16, 0, 0).await;
        assert!(matches!(server.await.unwrap(), End::Closed));
        let entries = locked(&ledger).take();
        let seen: Vec<_> = entries
            .iter()
            .map(|entry| (entry.command, entry.sector, entry.sectors))
            .collect();
        assert_eq!(
            seen,
            [
                (Command::Write, 1, 2),
                (Command::Read, 1, 2),
                (Command::Flush, 0, 0),
                (Command::Discard, 0, 1),
                (Command::WriteZeroes, 2, 1),
                (Command::Read, 0, 4),
            ]
        );
    });
}

#[rstest]
#[case::read_beyond(READ, 64 * 512, 512, 22)]
#[case::write_beyond(WRITE, 64 * 512 - 4, 8, 28)]
#[case::zeroes_beyond(6, u64::MAX, u32::MAX, 28)]
#[case::trim_beyond(4, 0, u32::MAX, 22)]
#[case::block_status(7, 0, 512, 22)]
#[case::no_such_command(999, 0, 512, 22)]
fn a_bad_request_is_refused_and_the_next_one_served(
    #[case] command: u16,
    #[case] offset: u64,
    #[case] length: u32,
    #[case] errno: u32,
) {
    run(async {
        let (mut client, _) = Client::go(&ledger()).await;
        client.request(command, 1, offset, length).await;
        if command == WRITE {
            let data = vec![0; length as usize];
            client.stream.write_all(&data).await.unwrap();
        }
        assert_eq!(client.reply().await, (errno, 1));
        client.request(READ, 2, 0, 1).await;
        assert_eq!(client.reply().await, (0, 2));
    });
}

#[rstest]
#[case::write(WRITE)]
#[case::read(READ)]
fn a_request_that_is_too_long_ends_the_connection(#[case] command: u16) {
    run(async {
        let (mut client, server) = Client::go(&ledger()).await;
        client.request(command, 1, 0, (32 << 20) + 1).await;
        let End::Violation(violation) = server.await.unwrap() else {
            panic!("not a violation");
        };
        assert_eq!(
            violation.to_string(),
            "an NBD request of 33554433 bytes is longer than 33554432"
        );
    });
}

#[rstest]
#[case::flags(b"\0\0\0\0".to_vec(), "flags are 0x0")]
#[case::option_magic(b"\0\0\0\x03IHAVENOT\0\0\0\0\0\0\0\0".to_vec(), "option begins with")]
#[case::option_length(b"\0\0\0\x03IHAVEOPT\0\0\0\x07\xff\xff\xff\xff".to_vec(), "longer than 8192")]
#[case::export(b"\0\0\0\x03IHAVEOPT\0\0\0\x01\0\0\0\x02no".to_vec(), "no NBD export named \"no\"")]
#[case::request_magic(
    [&b"\0\0\0\x03IHAVEOPT\0\0\0\x01\0\0\0\x03log"[..], &[9; 28]].concat(),
    "request begins with 0x9090909"
)]
fn garbage_ends_the_connection_with_a_reason(#[case] input: Vec<u8>, #[case] reason: &str) {
    run(async {
        let (mut stream, theirs) = tokio::io::duplex(1 << 16);
        let server = tokio::spawn(converse(theirs, exports(), ledger()));
        stream.write_all(&input).await.unwrap();
        let End::Violation(violation) = server.await.unwrap() else {
            panic!("not a violation");
        };
        let text = violation.to_string();
        assert!(text.contains(reason), "{text}");
    });
}

proptest! {
    /// The server ends, whatever follows a valid beginning.
    #[test]
    fn no_input_hangs_or_breaks_the_server(
        beginning in prop::sample::select(vec![
            &b""[..],
            &b"\0\0\0\x03"[..],
            &b"\0\0\0\x03IHAVEOPT\0\0\0\x07\0\0\0\x0a"[..],
            &b"\0\0\0\x03IHAVEOPT\0\0\0\x01\0\0\0\x03log\x25\x60\x95\x13\0\0\0"[..],
        ]),
        rest in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        run(async {
            let (mut stream, theirs) = tokio::io::duplex(1 << 16);
            let server = tokio::spawn(converse(theirs, exports(), ledger()));
            let _ = stream.write_all(&[beginning, &rest].concat()).await;
            drop(stream);
            server.await.unwrap();
        });
    }
}

//! The NBD client against a server that sends what a test tells it to.

use halfway_target::nbd::{Client, ConnectError, Interrupt};
use halfway_target::scsi::transfer::{Storage, StorageError};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tempfile::TempDir;

const FLUSH_FUA_TRIM_ZEROES: u16 = 1 | 1 << 2 | 1 << 3 | 1 << 5 | 1 << 6;
const INFO: u32 = 3;
const ACK: u32 = 1;
const UNKNOWN: u32 = 1 << 31 | 6;

struct Server {
    path: PathBuf,
    _directory: TempDir,
    thread: JoinHandle<()>,
}

/// A server that handles one connection after the other, each with one of
/// `scripts`.
fn server(scripts: Vec<fn(UnixStream)>) -> Server {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("nbd");
    let listener = UnixListener::bind(&path).unwrap();
    let thread = thread::spawn(move || {
        for script in scripts {
            let (stream, _) = listener.accept().unwrap();
            stream
                .set_read_timeout(Some(Duration::from_secs(20)))
                .unwrap();
            script(stream);
        }
    });
    Server {
        path,
        _directory: directory,
        thread,
    }
}

fn connect(server: &Server) -> Result<Client, ConnectError> {
    Client::connect(&server.path, "leg0", Interrupt::default())
}

fn take<const N: usize>(stream: &mut UnixStream) -> [u8; N] {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

fn option_reply(stream: &mut UnixStream, kind: u32, data: &[u8]) {
    let mut reply = 0x3_e889_0455_65a9u64.to_be_bytes().to_vec();
    for word in [7, kind, data.len() as u32] {
        reply.extend(word.to_be_bytes());
    }
    reply.extend(data);
    stream.write_all(&reply).unwrap();
}

/// The handshake up to the client's `NBD_OPT_GO` for `leg0`.
fn greet(stream: &mut UnixStream) {
    stream.write_all(b"NBDMAGICIHAVEOPT\0\x03").unwrap();
    assert_eq!(take(stream), [0, 0, 0, 3]);
    assert_eq!(
        &take::<26>(stream),
        b"IHAVEOPT\0\0\0\x07\0\0\0\x0a\0\0\0\x04leg0\0\0"
    );
}

fn go(stream: &mut UnixStream, flags: u16) {
    greet(stream);
    let mut export = vec![0, 0];
    export.extend(4096u64.to_be_bytes());
    export.extend(flags.to_be_bytes());
    option_reply(stream, INFO, &export);
    // A piece of information that was not asked for.
    option_reply(stream, INFO, &[0, 3, 0, 0, 0, 1, 0, 0, 0x10, 0, 2, 0, 0, 0]);
    option_reply(stream, ACK, &[]);
}

/// Reads a request, answers it with `errno`, and returns its flags, command,
/// offset and length.
fn answer(stream: &mut UnixStream, errno: u32) -> (u16, u16, u64, u32) {
    let request = take::<28>(stream);
    assert_eq!(request[..4], [0x25, 0x60, 0x95, 0x13]);
    let mut reply = 0x6744_6698u32.to_be_bytes().to_vec();
    reply.extend(errno.to_be_bytes());
    reply.extend(&request[8..16]);
    let command = u16::from_be_bytes([request[4 + 2], request[5 + 2]]);
    let length = u32::from_be_bytes(request[24..].try_into().unwrap());
    if command == 1 {
        let mut data = vec![0; length as usize];
        stream.read_exact(&mut data).unwrap();
        assert!(data.iter().all(|byte| *byte == 7));
    }
    stream.write_all(&reply).unwrap();
    let flags = u16::from_be_bytes([request[4], request[5]]);
    let offset = u64::from_be_bytes(request[16..24].try_into().unwrap());
    (flags, command, offset, length)
}

#[test]
fn every_command_and_its_errno() {
    let server = server(vec![|mut stream| {
        go(&mut stream, FLUSH_FUA_TRIM_ZEROES);
        assert_eq!(answer(&mut stream, 0), (0, 0, 512, 4));
        stream.write_all(b"data").unwrap();
        assert_eq!(answer(&mut stream, 5), (0, 0, 0, 8));
        assert_eq!(answer(&mut stream, 0), (1, 1, 1024, 6));
        assert_eq!(answer(&mut stream, 28), (0, 1, 0, 2));
        assert_eq!(answer(&mut stream, 0), (0, 6, 8, 16));
        assert_eq!(answer(&mut stream, 0), (2, 6, 8, 16));
        assert_eq!(answer(&mut stream, 0), (0, 4, 24, 8));
        assert_eq!(answer(&mut stream, 108), (0, 3, 0, 0));
    }]);
    let mut client = connect(&server).unwrap();
    assert_eq!(client.size(), 4096);
    let mut data = [0; 4];
    client.read(512, &mut data).unwrap();
    assert_eq!(&data, b"data");
    let refused = client.read(0, &mut [0; 8]);
    assert!(matches!(refused, Err(StorageError::Refused(5))));
    client.write(1024, &[7; 6], true).unwrap();
    let refused = client.write(0, &[7; 2], false);
    assert!(matches!(refused, Err(StorageError::Refused(28))));
    client.zero(8, 16, true).unwrap();
    client.zero(8, 16, false).unwrap();
    client.trim(24, 8).unwrap();
    assert!(matches!(client.flush(), Err(StorageError::Refused(108))));
    server.thread.join().unwrap();
}

#[test]
fn without_fua_a_flush_follows() {
    let server = server(vec![|mut stream| {
        go(&mut stream, 1 | 1 << 2);
        assert_eq!(answer(&mut stream, 0), (0, 1, 0, 2));
        assert_eq!(answer(&mut stream, 5), (0, 3, 0, 0));
    }]);
    let mut client = connect(&server).unwrap();
    let written = client.write(0, &[7; 2], true);
    assert!(matches!(written, Err(StorageError::Refused(5))));
    // The server cannot trim, which is ignored, nor write zeros, which is an
    // error.
    client.trim(0, 8).unwrap();
    assert!(client.zero(0, 8, true).is_err());
    server.thread.join().unwrap();
}

#[test]
fn a_connection_that_breaks_fails_one_request() {
    let server = server(vec![
        |mut stream| {
            go(&mut stream, FLUSH_FUA_TRIM_ZEROES);
            take::<28>(&mut stream);
        },
        |mut stream| {
            go(&mut stream, FLUSH_FUA_TRIM_ZEROES);
            take::<28>(&mut stream);
            // A reply to another request.
            stream
                .write_all(b"\x67\x44\x66\x98\0\0\0\0\0\0\0\0\0\0\0\x63")
                .unwrap();
        },
        |mut stream| {
            go(&mut stream, FLUSH_FUA_TRIM_ZEROES);
            answer(&mut stream, 0);
        },
    ]);
    let mut client = connect(&server).unwrap();
    assert!(matches!(client.flush(), Err(StorageError::Lost(_))));
    assert!(matches!(client.flush(), Err(StorageError::Lost(_))));
    client.flush().unwrap();
    server.thread.join().unwrap();
}

#[test]
fn a_request_that_hangs_can_be_interrupted() {
    let server = server(vec![|mut stream| {
        go(&mut stream, FLUSH_FUA_TRIM_ZEROES);
        take::<28>(&mut stream);
        // Waits until the client closes the connection.
        let _ = stream.read(&mut [0]);
    }]);
    let interrupt = Interrupt::default();
    let mut client = Client::connect(&server.path, "leg0", interrupt.clone()).unwrap();
    let waiting = thread::spawn(move || {
        let first = client.flush();
        (first.is_err(), client.flush().is_err())
    });
    thread::sleep(Duration::from_millis(50));
    interrupt.interrupt();
    assert_eq!(waiting.join().unwrap(), (true, true));
    server.thread.join().unwrap();
}

#[test]
fn a_server_that_is_none_or_has_no_such_export() {
    let refusing = server(vec![|mut stream| {
        greet(&mut stream);
        option_reply(&mut stream, UNKNOWN, b"no leg0 here");
    }]);
    let error = connect(&refusing).unwrap_err();
    assert!(error.to_string().ends_with("no leg0 here"), "{error}");
    let stranger = server(vec![|mut stream| {
        stream.write_all(b"220 mail.example ESMTP").unwrap();
    }]);
    let error = connect(&stranger).unwrap_err();
    assert!(matches!(error, ConnectError::Protocol { .. }), "{error}");
    let sizeless = server(vec![|mut stream| {
        greet(&mut stream);
        option_reply(&mut stream, ACK, &[]);
    }]);
    let error = connect(&sizeless).unwrap_err();
    assert!(matches!(error, ConnectError::Protocol { .. }), "{error}");
}

//! Rings as a broken or hostile guest fills them. Whatever they contain, each
//! request is taken once and answered within its own memory, and soon.

mod memory;

use halfway_scsi::{Reply, Reports};
use halfway_target::journal::Journal;
use halfway_target::scsi::unit::Unit;
use halfway_target::vhost::Memory;
use halfway_target::vhost::device::Device;
use halfway_target::vhost::ring::Ring;
use halfway_target::vhost::worker::Worker;
use halfway_target::{BlockSize, Entry, Identity, Policy, Presence};
use memory::Bytes;
use proptest::prelude::*;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};
use vhost_user_backend::{VhostUserBackend, VringT};
use vm_memory::{Bytes as _, GuestAddress, GuestMemoryAtomic};
use vmm_sys_util::epoll::EventSet;

/// Fewest inputs of each property; `PROPTEST_CASES` asks for more.
const INPUTS: u32 = 3000;
/// No input may take longer than this; the machine may be busy with something
/// else.
const SOON: Duration = Duration::from_secs(5);

const MEMORY: u64 = 1 << 20;
const RING: u16 = 16;
const TABLE: u64 = 0;
const AVAILABLE: u64 = 0x1000;
const USED: u64 = 0x2000;
const HEADER: u64 = 0x3000;
const RESPONSE: u64 = 0x4000;
const DATA: u64 = 0x10000;
const GUARD: u8 = 0x5c;

/// Bytes of the unit; one of them is bad.
const BYTES: u64 = 256 * 512;
const BAD_BYTE: u64 = 100 * 512;

struct Guest {
    device: Device<Bytes>,
    journal: Receiver<Entry>,
    memory: Memory,
    rings: [Ring; 3],
}

/// A descriptor: address, length, flags, next.
type Descriptor = (u64, u32, u16, u16);

const NEXT: u16 = 1;
const WRITABLE: u16 = 2;
const INDIRECT: u16 = 4;

impl Guest {
    /// A guest whose unit has blocks of this size, with `BAD_BYTE` in one of
    /// them.
    fn new(block: BlockSize) -> Self {
        let range = [(GuestAddress(0), MEMORY as usize)];
        let memory = Memory::from_ranges(&range).unwrap();
        let (journal, entries) = Journal::new();
        let mut storage = Bytes::new(BYTES as usize);
        storage.bad = vec![(BAD_BYTE, 5)];
        let unit = Unit {
            identity: Identity {
                block,
                ..Identity::new("leg0")
            },
            blocks: BYTES / u64::from(block.bytes()),
        };
        let worker = Worker {
            unit,
            storage,
            journal,
        };
        let device = Device::new(worker).unwrap();
        let shared = GuestMemoryAtomic::new(memory.clone());
        device.update_memory(shared.clone()).unwrap();
        let ring = || {
            let ring = Ring::new(shared.clone(), RING).unwrap();
            ring.set_queue_size(RING);
            ring.set_queue_info(TABLE, AVAILABLE, USED).unwrap();
            ring.set_queue_ready(true);
            ring.set_enabled(true);
            ring
        };
        Guest {
            device,
            journal: entries,
            memory,
            rings: [ring(), ring(), ring()],
        }
    }

    fn put<T: vm_memory::ByteValued>(&self, at: u64, value: T) {
        self.memory.write_obj(value, GuestAddress(at)).unwrap();
    }

    fn get<T: vm_memory::ByteValued>(&self, at: u64) -> T {
        self.memory.read_obj(GuestAddress(at)).unwrap()
    }

    fn describe(&self, table: u64, chain: &[Descriptor]) {
        for (at, (address, length, flags, next)) in (table..).step_by(16).zip(chain) {
            self.put(at, *address);
            self.put(at + 8, *length);
            self.put(at + 12, *flags);
            self.put(at + 14, *next);
        }
    }

    fn offer(&self, heads: &[u16], index: u16) {
        for (at, head) in (AVAILABLE + 4..).step_by(2).zip(heads) {
            self.put(at, *head);
        }
        self.put(AVAILABLE + 2, index);
    }

    /// Kicks a queue, and returns how many requests were given back.
    fn kick(&self, queue: u16) -> u16 {
        let since = Instant::now();
        let before: u16 = self.get(USED + 2);
        self.device
            .handle_event(queue, EventSet::IN, &self.rings, 0)
            .unwrap();
        assert!(since.elapsed() < SOON);
        self.get::<u16>(USED + 2).wrapping_sub(before)
    }
}

fn descriptor() -> impl Strategy<Value = Descriptor> {
    let address = prop_oneof![
        6 => 0..MEMORY,
        2 => (0..4u64).prop_map(|slot| HEADER + slot * 64),
        1 => any::<u64>(),
    ];
    let length = prop_oneof![
        6 => 0..600u32,
        2 => 0..(MEMORY as u32),
        1 => any::<u32>(),
    ];
    let flags = prop_oneof![9 => 0..4u16, 1 => any::<u16>()];
    let next = prop_oneof![9 => 0..RING, 1 => any::<u16>()];
    (address, length, flags, next)
}

/// A request's header: its address, its tag, and a CDB that often is a valid
/// one.
fn header() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        0x00u8, 0x03, 0x08, 0x0a, 0x12, 0x1a, 0x25, 0x28, 0x2a, 0x2f, 0x35, 0x42, 0x5a, 0x5e, 0x88,
        0x8a, 0x8f, 0x91, 0x93, 0x9e, 0xa0, 0xa3, 0xa8, 0xaa, 0xaf,
    ]);
    let opcode = prop_oneof![9 => known, 1 => any::<u8>()];
    // Mostly zeros, so that often only one field is wrong.
    let field = prop_oneof![6 => Just(0u8), 3 => 0..16u8, 1 => any::<u8>()];
    let lun = prop_oneof![
        8 => Just([1u8, 0, 0x40, 0]),
        1 => Just([1, 0, 0x40, 1]),
        1 => any::<[u8; 4]>(),
    ];
    (lun, opcode, prop::collection::vec(field, 31), any::<u64>()).prop_map(
        |(lun, opcode, rest, tag)| {
            let mut header = lun.to_vec();
            header.extend([0; 4]);
            header.extend(tag.to_le_bytes());
            header.extend([0; 3]);
            header.push(opcode);
            header.extend(rest);
            header
        },
    )
}

fn inputs() -> ProptestConfig {
    let asked = ProptestConfig::default();
    ProptestConfig {
        cases: asked.cases.max(INPUTS),
        failure_persistence: None,
        ..asked
    }
}

proptest! {
    #![proptest_config(inputs())]

    /// Random descriptors, rings and headers, on a queue of commands and on the
    /// control queue.
    #[test]
    fn nothing_in_a_ring_breaks_the_device(
        table in prop::collection::vec(descriptor(), usize::from(RING)),
        indirect in prop::collection::vec(descriptor(), 4),
        heads in prop::collection::vec(prop_oneof![9 => 0..RING, 1 => any::<u16>()], usize::from(RING)),
        index in prop_oneof![9 => 0..=RING, 1 => any::<u16>()],
        header in header(),
        queue in prop::sample::select(vec![0u16, 1, 2, 11, 9999]),
    ) {
        let guest = Guest::new(BlockSize::B512);
        guest.memory.write_slice(&header, GuestAddress(HEADER)).unwrap();
        guest.describe(HEADER + 0x200, &indirect);
        guest.describe(TABLE, &table);
        guest.offer(&heads, index);
        // A ring may overwrite itself; what it contains then is not known.
        guest.kick(queue);
        guest.kick(queue);
    }

    /// A well-formed request with any CDB and buffers of any length is given
    /// back once, and everything that was written lies within its own buffers.
    #[test]
    fn any_command_is_answered_within_its_buffers(
        header in header(),
        out in prop_oneof![3 => Just(0u32), 2 => 0..4096u32, 2 => (0..128u32).prop_map(|blocks| blocks * 512)],
        room in prop_oneof![3 => Just(0u32), 2 => 0..4096u32, 2 => (0..256u32).prop_map(|blocks| blocks * 512)],
        indirect: bool,
        block in prop::sample::select(vec![BlockSize::B512, BlockSize::B4096]),
        report in prop::sample::select(vec![
            "medium-error", "short-good+medium-error", "busy", "bad-target", "residual-unaligned",
            "without-information", "no-answer",
        ]),
    ) {
        let guest = Guest::new(block);
        guest.device.set(|setting| setting.policy = Policy {
            reports: Reports::default().with(5, report.parse().unwrap()),
            ..Policy::default()
        });
        guest.memory.write_slice(&header, GuestAddress(HEADER)).unwrap();
        let guarded = vec![GUARD; room as usize + 512];
        let inward = DATA + 0x20000;
        guest.memory.write_slice(&guarded, GuestAddress(inward)).unwrap();
        guest.memory.write_slice(&[GUARD; 256], GuestAddress(RESPONSE)).unwrap();
        let chain = [
            (HEADER, header.len() as u32, NEXT, 1),
            (DATA, out, NEXT, 2),
            (RESPONSE, 108, NEXT | WRITABLE, 3),
            (inward, room, WRITABLE, 0),
        ];
        if indirect {
            guest.describe(HEADER + 0x200, &chain);
            guest.describe(TABLE, &[(HEADER + 0x200, 64, INDIRECT, 0)]);
        } else {
            guest.describe(TABLE, &chain);
        }
        guest.offer(&[0], 1);
        let given_back = guest.kick(2);
        let entry = guest.journal.try_iter().last();
        let held = matches!(entry, Some(Entry { answer: Reply::Nothing, .. }));
        prop_assert_eq!(given_back, u16::from(!held));
        let mut after = vec![0; guarded.len()];
        guest.memory.read_slice(&mut after, GuestAddress(inward)).unwrap();
        let used: u32 = if held { 0 } else { guest.get(USED + 8) };
        let data = used.saturating_sub(108) as usize;
        prop_assert!(held || used >= 108);
        prop_assert!(data <= room as usize);
        prop_assert!(after[data..].iter().all(|byte| *byte == GUARD));
        prop_assert!((108..256).all(|at| guest.get::<u8>(RESPONSE + at) == GUARD));
        if !held {
            let sense_length: u32 = guest.get(RESPONSE);
            let residual: u32 = guest.get(RESPONSE + 4);
            let (status, response): (u8, u8) = (guest.get(RESPONSE + 10), guest.get(RESPONSE + 11));
            prop_assert!(sense_length <= 96);
            prop_assert_eq!(status == 2, sense_length > 0);
            prop_assert!(response == 0 || status == 0);
            // This false residual is computed from the command's own transfer,
            // which may be larger than its buffers.
            prop_assert!(residual <= out.max(room) || report == "residual-unaligned");
            if status == 0 && response == 0 && out == 0 && report != "without-information" {
                prop_assert_eq!(residual as usize + data, room as usize);
            }
        }
        // A request that is not answered is given back when its ring stops.
        guest.rings[2].set_queue_ready(false);
        guest.device.stop_vring(2).unwrap();
        prop_assert_eq!(guest.get::<u16>(USED + 2), 1);
        if held {
            const RESET: u8 = 4;
            prop_assert_eq!(guest.get::<u8>(RESPONSE + 11), RESET);
        }
    }
}

/// A guest with a READ (10) of the bad block whose answer is kept back.
fn held() -> Guest {
    let guest = Guest::new(BlockSize::B512);
    guest.device.set(|setting| {
        setting.policy.reports = Reports::default().with(5, "no-answer".parse().unwrap());
    });
    let mut header = vec![1, 0, 0x40, 0, 0, 0, 0, 0];
    header.extend(77u64.to_le_bytes());
    header.extend([0; 3]);
    header.extend([0x28, 0, 0, 0, 0, (BAD_BYTE / 512) as u8, 0, 0, 1, 0]);
    header.resize(51, 0);
    guest
        .memory
        .write_slice(&header, GuestAddress(HEADER))
        .unwrap();
    guest.describe(
        TABLE,
        &[
            (HEADER, 51, NEXT, 1),
            (RESPONSE, 108, NEXT | WRITABLE, 2),
            (DATA, 512, WRITABLE, 0),
        ],
    );
    guest.offer(&[0], 1);
    assert_eq!(guest.kick(2), 0);
    guest
}

/// Columns: task management function; tag; its verdict; the response of the
/// request that it releases.
#[rstest::rstest]
#[case::abort(0, 77, 0, Some(2))]
#[case::abort_another(0, 78, 0, None)]
#[case::reset(5, 0, 0, Some(4))]
#[case::abort_all(1, 0, 0, Some(2))]
#[case::query(6, 77, 10, None)]
#[case::query_another(6, 78, 0, None)]
#[case::clear_aca(2, 77, 11, None)]
fn a_request_that_is_not_answered_can_be_managed(
    #[case] function: u32,
    #[case] tag: u64,
    #[case] verdict: u8,
    #[case] released: Option<u8>,
) {
    let guest = held();
    let control = Guest::new(BlockSize::B512);
    // The control queue has memory and rings of its own, but the device is the
    // same.
    let request = HEADER;
    control.put(request, 0u32);
    control.put(request + 4, function);
    control.put(request + 8, u64::from_le_bytes([1, 0, 0x40, 0, 0, 0, 0, 0]));
    control.put(request + 16, tag);
    control.describe(TABLE, &[(request, 24, NEXT, 1), (RESPONSE, 1, WRITABLE, 0)]);
    control.offer(&[0], 1);
    let shared = GuestMemoryAtomic::new(control.memory.clone());
    guest.device.update_memory(shared).unwrap();
    guest
        .device
        .handle_event(0, EventSet::IN, &control.rings, 0)
        .unwrap();
    assert_eq!(control.get::<u16>(USED + 2), 1);
    assert_eq!(control.get::<u8>(RESPONSE), verdict);
    assert_eq!(guest.get::<u16>(USED + 2), u16::from(released.is_some()));
    if let Some(response) = released {
        assert_eq!(guest.get::<u8>(RESPONSE + 11), response);
    }
}

#[test]
fn a_silent_device_takes_nothing_until_it_is_back() {
    let guest = held();
    guest.device.stop_vring(2).unwrap();
    guest.offer(&[0, 0], 2);
    guest
        .device
        .set(|setting| setting.presence = Presence::Silent);
    assert_eq!(guest.kick(2), 0);
    guest
        .device
        .set(|setting| setting.presence = Presence::Gone);
    assert_eq!(guest.kick(halfway_target::vhost::device::WAKE), 1);
    const BAD_TARGET: u8 = 3;
    assert_eq!(guest.get::<u8>(RESPONSE + 11), BAD_TARGET);
}

/// QEMU sets the guest's call descriptor after it has started the ring.
#[test]
fn a_completion_reaches_a_call_that_is_named_after_it() {
    let guest = Guest::new(BlockSize::B512);
    guest.describe(
        TABLE,
        &[(HEADER, 51, NEXT, 1), (RESPONSE, 108, WRITABLE, 0)],
    );
    guest.offer(&[0], 1);
    assert_eq!(guest.kick(2), 1);
    let (mut call, named) = std::io::pipe().unwrap();
    guest.rings[2].set_call(Some(OwnedFd::from(named).into()));
    guest.rings[2].set_call(None);
    let mut heard = Vec::new();
    call.read_to_end(&mut heard).unwrap();
    assert_eq!(heard, 1u64.to_ne_bytes());
}

#[test]
fn a_ring_that_is_stopped_or_disabled_is_left_alone() {
    for stop in [
        |ring: &Ring| ring.set_queue_ready(false),
        |ring: &Ring| ring.set_enabled(false),
    ] {
        let guest = Guest::new(BlockSize::B512);
        guest.describe(TABLE, &[(HEADER, 51, 0, 0)]);
        guest.offer(&[0], 1);
        stop(&guest.rings[2]);
        guest.put(USED, 0xabcdu16);
        assert_eq!(guest.kick(2), 0);
        assert_eq!(guest.get::<u16>(USED), 0xabcd);
    }
}

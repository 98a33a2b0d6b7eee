//! The rings of an HBA, and the requests in them.

use super::Memory;
use super::request::{self, Control, Verdict};
use super::ring::Ring;
use super::worker::{Done, Worker};
use crate::scsi::execute::Policy;
use crate::scsi::transfer::Storage;
use halfway_scsi::Response;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use vhost::vhost_user::message::VhostUserProtocolFeatures;
use vhost::vhost_user::message::VhostUserVirtioFeatures;
use vhost_user_backend::{VhostUserBackend, VringT};
use virtio_bindings::virtio_config::VIRTIO_F_VERSION_1;
use virtio_bindings::virtio_ring::VIRTIO_RING_F_INDIRECT_DESC;
use virtio_bindings::virtio_scsi::VIRTIO_SCSI_F_CHANGE;
use virtio_queue::{DescriptorChain, QueueOwnedT, QueueT};
use vm_memory::{GuestAddressSpace, GuestMemoryAtomic, GuestMemoryLoadGuard};
use vmm_sys_util::epoll::EventSet;
use vmm_sys_util::event::{
    EventConsumer, EventFlag, EventNotifier, new_event_consumer_and_notifier,
};

/// Number of queues before those of commands: control and events.
const FIRST_REQUEST_QUEUE: u16 = 2;
/// Most queues that a guest may use: those two, and up to eight of commands,
/// one for each processor.
const QUEUES: u16 = FIRST_REQUEST_QUEUE + 8;
/// Event number of [`Device::wake`]; the numbers below it belong to the queues.
pub const WAKE: u16 = QUEUES + 1;
/// Most entries of a ring.
const RING: usize = 1024;

type Chain = DescriptorChain<GuestMemoryLoadGuard<Memory>>;

/// Whether an HBA answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    /// It answers its requests.
    #[default]
    Here,
    /// It takes no request from its rings. They wait there until it is back.
    Silent,
    /// It answers everything with BAD TARGET.
    Gone,
}

/// What the owner may change while the device serves.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    /// How failures are found and reported.
    pub policy: Policy,
    /// Whether the HBA answers.
    pub presence: Presence,
}

/// The device behind a vhost-user socket.
///
/// Locks: `inner` is held while requests are executed, including their storage
/// I/O; a ring's own lock is held only for moments within that. Whoever stops a
/// ring waits for `inner`, so no request of it is half done afterwards.
pub struct Device<S> {
    inner: Mutex<Inner<S>>,
    setting: Mutex<Setting>,
    /// Number of requests in `inner.held`, readable without its lock.
    unanswered: AtomicUsize,
    wake: (EventConsumer, EventNotifier),
}

struct Inner<S> {
    worker: Worker<S>,
    memory: Option<GuestMemoryAtomic<Memory>>,
    held: Vec<Held>,
}

/// A request that is kept without an answer.
struct Held {
    tag: u64,
    queue: usize,
    vring: Ring,
    chain: Chain,
}

impl<S: Storage> Device<S> {
    /// A device that serves requests with `worker`.
    pub fn new(worker: Worker<S>) -> io::Result<Self> {
        let flags = EventFlag::NONBLOCK | EventFlag::CLOEXEC;
        Ok(Device {
            inner: Mutex::new(Inner {
                worker,
                memory: None,
                held: Vec::new(),
            }),
            setting: Mutex::default(),
            unanswered: AtomicUsize::new(0),
            wake: new_event_consumer_and_notifier(flags)?,
        })
    }

    /// An event that becomes readable when the setting has changed.
    pub fn wake(&self) -> &EventConsumer {
        &self.wake.0
    }

    /// Changes the setting. The change applies to every command that begins
    /// afterwards.
    pub fn set(&self, change: impl FnOnce(&mut Setting)) {
        change(&mut locked(&self.setting));
        // Adding 1 to an eventfd's counter cannot overflow it.
        let _ = self.wake.1.notify();
    }

    /// How many requests are kept without an answer. This never blocks.
    pub fn unanswered(&self) -> usize {
        self.unanswered.load(Ordering::SeqCst)
    }

    /// The setting that applies now.
    pub fn setting(&self) -> Setting {
        locked(&self.setting).clone()
    }

    /// The frontend is gone, and with it its memory and its requests.
    pub fn disconnected(&self) {
        let mut inner = locked(&self.inner);
        inner.held.clear();
        self.unanswered.store(0, Ordering::SeqCst);
        inner.memory = None;
    }

    /// Serves a ring until it is empty or stopped, or the HBA falls silent.
    fn serve(&self, inner: &mut Inner<S>, queue: u16, vring: &Ring) {
        let Some(memory) = inner.memory.clone() else {
            return;
        };
        // Kicks stay enabled, so the guest kicks for every request. Suppressing
        // them while a ring is emptied would mean to look at the ring again
        // after enabling them, and a look at the wrong moment would lose a
        // request.
        while let Some(chain) = self.next(vring, &memory) {
            self.carry_out(inner, &memory, queue, vring, chain);
        }
    }

    /// The next request, if the ring runs and has one, and the HBA answers. A
    /// stopped ring's memory may be used for anything by now; a ring that is
    /// being stopped waits for this function before its memory is reused.
    fn next(&self, vring: &Ring, memory: &GuestMemoryAtomic<Memory>) -> Option<Chain> {
        if self.setting().presence == Presence::Silent || !runs(vring) {
            return None;
        }
        let mut state = vring.get_mut();
        let mut chains = state.get_queue_mut().iter(memory.memory()).ok()?;
        chains.next()
    }

    fn carry_out(
        &self,
        inner: &mut Inner<S>,
        memory: &GuestMemoryAtomic<Memory>,
        queue: u16,
        vring: &Ring,
        chain: Chain,
    ) {
        let head = chain.head_index();
        let guard = memory.memory();
        let done = if queue < FIRST_REQUEST_QUEUE {
            let used = control(inner, &guard, chain.clone());
            self.unanswered.store(inner.held.len(), Ordering::SeqCst);
            Done::Used(used)
        } else {
            let Setting { policy, presence } = self.setting();
            let gone = presence == Presence::Gone;
            inner.worker.serve(&guard, chain.clone(), &policy, gone)
        };
        match done {
            Done::Used(bytes) => put_back(vring, head, bytes),
            Done::Last(bytes) => {
                locked(&self.setting).presence = Presence::Gone;
                put_back(vring, head, bytes);
            }
            Done::Held(tag) => {
                inner.held.push(Held {
                    tag,
                    queue: queue.into(),
                    vring: vring.clone(),
                    chain,
                });
                self.unanswered.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
}

fn runs(vring: &Ring) -> bool {
    let state = vring.get_ref();
    state.get_queue().ready() && state.is_enabled()
}

fn put_back(vring: &Ring, head: u16, bytes: u32) {
    // Both fail only if the guest has taken the ring away.
    let _ = vring.add_used(head, bytes);
    let _ = vring.signal_used_queue();
}

/// Executes a control request and returns the number of bytes written.
fn control<S>(inner: &mut Inner<S>, memory: &Memory, chain: Chain) -> u32 {
    let Some((control, writer)) = Control::parse(memory, chain) else {
        return 0;
    };
    let any = |held: &Held, tag: Option<u64>| tag.is_none_or(|tag| tag == held.tag);
    let verdict = match control {
        Control::AbortTask(tag) => {
            release(inner, Response::Aborted, |held| held.tag == tag);
            Verdict::Complete
        }
        Control::AbortAll => {
            release(inner, Response::Aborted, |_| true);
            Verdict::Complete
        }
        Control::Reset => {
            release(inner, Response::Reset, |_| true);
            Verdict::Complete
        }
        Control::Query(tag) if inner.held.iter().any(|held| any(held, tag)) => Verdict::Succeeded,
        Control::Query(_) | Control::Notifications => Verdict::Complete,
        Control::BadTarget => Verdict::BadTarget,
        Control::BadUnit => Verdict::IncorrectLun,
        Control::Unsupported => Verdict::Rejected,
    };
    control.answer(writer, verdict)
}

/// Gives back requests that were kept.
fn release<S>(inner: &mut Inner<S>, with: Response, which: impl Fn(&Held) -> bool) {
    for held in inner.held.extract_if(.., |held| which(held)) {
        let head = held.chain.head_index();
        let bytes = request::give_back(held.chain.memory(), held.chain.clone(), with);
        put_back(&held.vring, head, bytes);
    }
}

impl<S: Storage + Send> VhostUserBackend for Device<S> {
    type Bitmap = ();
    type Vring = Ring;

    fn num_queues(&self) -> usize {
        QUEUES.into()
    }

    fn max_queue_size(&self) -> usize {
        RING
    }

    /// QEMU offers `VIRTIO_SCSI_F_CHANGE` to the guest without asking the
    /// device, and refuses a device without it. Without protocol features QEMU
    /// assumes that the device can take no memory.
    fn features(&self) -> u64 {
        1 << VIRTIO_F_VERSION_1
            | 1 << VIRTIO_RING_F_INDIRECT_DESC
            | 1 << VIRTIO_SCSI_F_CHANGE
            | VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits()
    }

    fn protocol_features(&self) -> VhostUserProtocolFeatures {
        VhostUserProtocolFeatures::MQ | VhostUserProtocolFeatures::REPLY_ACK
    }

    fn set_event_idx(&self, _: bool) {}

    fn update_memory(&self, memory: GuestMemoryAtomic<Memory>) -> io::Result<()> {
        locked(&self.inner).memory = Some(memory);
        Ok(())
    }

    fn exit_event(&self, _: usize) -> Option<(EventConsumer, EventNotifier)> {
        // Without it a worker could not be told to end.
        new_event_consumer_and_notifier(EventFlag::NONBLOCK | EventFlag::CLOEXEC).ok()
    }

    /// Waits for the request under way, and gives back the kept ones: the ring
    /// may be started again elsewhere, where nobody knows of them.
    fn stop_vring(&self, queue: u32) -> io::Result<()> {
        let mut inner = locked(&self.inner);
        release(&mut inner, Response::Reset, |held| {
            held.queue == queue as usize
        });
        self.unanswered.store(inner.held.len(), Ordering::SeqCst);
        Ok(())
    }

    fn handle_event(&self, event: u16, _: EventSet, vrings: &[Ring], _: usize) -> io::Result<()> {
        let mut inner = locked(&self.inner);
        let wanted = match event {
            WAKE => {
                // The event may have been read already; waking twice does no
                // harm.
                let _ = self.wake.0.consume();
                0..QUEUES
            }
            queue => queue..queue.saturating_add(1),
        };
        // The event queue is never used.
        for queue in wanted.filter(|queue| *queue != 1) {
            if let Some(vring) = vrings.get(usize::from(queue)) {
                self.serve(&mut inner, queue, vring);
            }
        }
        Ok(())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

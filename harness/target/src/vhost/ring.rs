//! A ring whose guest misses no completion.

use super::Memory;
use std::fs::File;
use std::io;
use vhost_user_backend::{VringRwLock, VringStateGuard, VringStateMutGuard, VringT as Vring};
use virtio_queue::Error;
use vm_memory::GuestMemoryAtomic;

type Shared = GuestMemoryAtomic<Memory>;

/// A ring that signals a new call descriptor as soon as it is set.
///
/// QEMU starts the rings of vhost-user-scsi with a call descriptor that nobody
/// reads, and sets the guest's only afterwards (`vhost_scsi_common_start` in
/// hw/scsi/vhost-scsi-common.c), without waiting for an acknowledgement. A
/// request of the guest may arrive before that message. Then its completion is
/// signalled on the first descriptor, and the guest would wait for ever.
#[derive(Clone)]
pub struct Ring(VringRwLock<Shared>);

impl<'a> VringStateGuard<'a, Shared> for Ring {
    type G = <VringRwLock<Shared> as VringStateGuard<'a, Shared>>::G;
}

impl<'a> VringStateMutGuard<'a, Shared> for Ring {
    type G = <VringRwLock<Shared> as VringStateMutGuard<'a, Shared>>::G;
}

impl Vring<Shared> for Ring {
    fn set_call(&self, file: Option<File>) {
        self.0.set_call(file);
        // This fails only if the frontend is gone.
        let _ = self.0.signal_used_queue();
    }

    fn new(memory: Shared, entries: u16) -> Result<Self, Error> {
        VringRwLock::new(memory, entries).map(Ring)
    }

    fn get_ref(&self) -> <Self as VringStateGuard<'_, Shared>>::G {
        self.0.get_ref()
    }

    fn get_mut(&self) -> <Self as VringStateMutGuard<'_, Shared>>::G {
        self.0.get_mut()
    }

    fn add_used(&self, head: u16, bytes: u32) -> Result<(), Error> {
        self.0.add_used(head, bytes)
    }

    fn signal_used_queue(&self) -> io::Result<()> {
        self.0.signal_used_queue()
    }

    fn enable_notification(&self) -> Result<bool, Error> {
        self.0.enable_notification()
    }

    fn disable_notification(&self) -> Result<(), Error> {
        self.0.disable_notification()
    }

    fn needs_notification(&self) -> Result<bool, Error> {
        self.0.needs_notification()
    }

    fn set_enabled(&self, enabled: bool) {
        self.0.set_enabled(enabled);
    }

    fn set_queue_info(&self, table: u64, available: u64, used: u64) -> Result<(), Error> {
        self.0.set_queue_info(table, available, used)
    }

    fn queue_next_avail(&self) -> u16 {
        self.0.queue_next_avail()
    }

    fn set_queue_next_avail(&self, base: u16) {
        self.0.set_queue_next_avail(base);
    }

    fn set_queue_next_used(&self, index: u16) {
        self.0.set_queue_next_used(index);
    }

    fn queue_used_idx(&self) -> Result<u16, Error> {
        self.0.queue_used_idx()
    }

    fn set_queue_size(&self, entries: u16) {
        self.0.set_queue_size(entries);
    }

    fn set_queue_event_idx(&self, enabled: bool) {
        self.0.set_queue_event_idx(enabled);
    }

    fn set_queue_ready(&self, ready: bool) {
        self.0.set_queue_ready(ready);
    }

    fn set_kick(&self, file: Option<File>) {
        self.0.set_kick(file);
    }

    fn read_kick(&self) -> io::Result<bool> {
        self.0.read_kick()
    }

    fn set_err(&self, file: Option<File>) {
        self.0.set_err(file);
    }
}

//! The device journal of a machine. It is made from the device model's own trace events
//! if they tell enough, else from those of QEMU's block layer.

use super::backend_log::{self, BackendLog};
use super::trace_log::{self, DeviceLog, TraceError};
use halfway_case::Controller;
use halfway_case::observation::{Entry, Member};

/// The device journal of one machine.
#[derive(Debug)]
pub enum Account {
    /// Made from the trace events of virtio-blk.
    Virtio(DeviceLog),
    /// Made from the block layer's trace events, for any controller.
    Backend(BackendLog),
}

/// The trace events that the journal of `of` is made from.
pub fn events(of: Controller) -> Vec<&'static str> {
    let mut events = match of.profile().traces_answers {
        true => trace_log::EVENTS.to_vec(),
        false if of.profile().hot_unplug.is_ok() => backend_log::EVENTS_OF_SCSI.to_vec(),
        false => backend_log::EVENTS.to_vec(),
    };
    let more = of
        .profile()
        .timeout_trace_event()
        .filter(|event| !events.contains(event));
    events.extend(more);
    events
}

impl Account {
    /// An empty journal for a machine whose legs are on that controller.
    pub fn new(of: Controller) -> Self {
        match of.profile().traces_answers {
            true => Account::Virtio(DeviceLog::default()),
            false => Account::Backend(BackendLog::default()),
        }
    }

    /// Reads a line of QEMU's trace log.
    pub fn line(&mut self, line: &str) {
        match self {
            Account::Virtio(log) => log.line(line),
            Account::Backend(log) => log.line(line),
        }
    }

    /// Starts to watch for the read that [`Account::identify`] looks for.
    pub fn watch_host(&mut self) {
        match self {
            Account::Virtio(log) => log.watch_host(),
            Account::Backend(log) => log.watch_host(),
        }
    }

    /// Ends the watch. If exactly one backend has read these bytes in the meantime, it
    /// belongs to `member` from now on; otherwise returns `false`.
    pub fn identify(&mut self, member: Member, offset: u64, bytes: u64) -> bool {
        match self {
            Account::Virtio(log) => log.identify(member, offset, bytes),
            Account::Backend(log) => log.identify(member, offset, bytes),
        }
    }

    /// Notes that from now on, what QEMU cancels is a request to `member`. Does nothing
    /// for virtio-blk, whose disks are never unplugged.
    pub fn unplugging(&mut self, member: Member) {
        if let Account::Backend(log) = self {
            log.unplugging(member);
        }
    }

    /// Whether QEMU has cancelled a request to `member` while that was being unplugged.
    pub fn has_given_up(&self, member: Member) -> bool {
        match self {
            Account::Virtio(_) => false,
            Account::Backend(log) => log.has_given_up(member),
        }
    }

    /// Whether QEMU has begun to cancel any request since the last call of
    /// [`Account::clear`].
    pub fn gives_up(&self) -> bool {
        match self {
            Account::Virtio(_) => false,
            Account::Backend(log) => log.gives_up(),
        }
    }

    /// Forgets all requests so far, but not which address belongs to which disk.
    pub fn clear(&mut self) {
        match self {
            Account::Virtio(log) => log.clear(),
            Account::Backend(log) => log.clear(),
        }
    }

    /// The requests since the last call of this or of [`Account::clear`]. If the log does
    /// not have the error of a refused request, `refusal` gives it.
    pub fn take(
        &mut self,
        refusal: impl FnMut(&Entry) -> Option<i32>,
    ) -> Result<Vec<Entry>, TraceError> {
        match self {
            Account::Virtio(log) => log.take(),
            Account::Backend(log) => log.take(refusal),
        }
    }
}

//! Who keeps the device journal: the device model's own trace events where it
//! has telling ones, else QEMU's block layer.

use super::backend_log::{self, BackendLog};
use super::trace_log::{self, DeviceLog, TraceError};
use halfway_case::Controller;
use halfway_case::observation::{Entry, Member};

/// The device journal of one machine.
#[derive(Debug)]
pub enum Account {
    /// Of virtio-blk.
    Virtio(DeviceLog),
    /// Of any controller.
    Backend(BackendLog),
}

/// The trace events that the account of `controller` is made of.
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
    /// The account of a machine whose legs are on that controller.
    pub fn new(of: Controller) -> Self {
        match of.profile().traces_answers {
            true => Account::Virtio(DeviceLog::default()),
            false => Account::Backend(BackendLog::default()),
        }
    }

    /// Takes in a line.
    pub fn line(&mut self, line: &str) {
        match self {
            Account::Virtio(log) => log.line(line),
            Account::Backend(log) => log.line(line),
        }
    }

    /// From here on, watches for what [`Account::identify`] is about.
    pub fn watch_host(&mut self) {
        match self {
            Account::Virtio(log) => log.watch_host(),
            Account::Backend(log) => log.watch_host(),
        }
    }

    /// Ends the watch and learns that the backend which read these bytes in
    /// the meantime belongs to `member`; `false` where that is not certain.
    pub fn identify(&mut self, member: Member, offset: u64, bytes: u64) -> bool {
        match self {
            Account::Virtio(log) => log.identify(member, offset, bytes),
            Account::Backend(log) => log.identify(member, offset, bytes),
        }
    }

    /// From here on, what QEMU gives up is a request to `member`; of virtio-blk,
    /// which is not unplugged, nothing is told.
    pub fn unplugging(&mut self, member: Member) {
        if let Account::Backend(log) = self {
            log.unplugging(member);
        }
    }

    /// Whether QEMU has given up a request to `member` that is being unplugged.
    pub fn has_given_up(&self, member: Member) -> bool {
        match self {
            Account::Virtio(_) => false,
            Account::Backend(log) => log.has_given_up(member),
        }
    }

    /// Whether QEMU has begun to give anything up since the last call of
    /// [`Account::clear`].
    pub fn gives_up(&self) -> bool {
        match self {
            Account::Virtio(_) => false,
            Account::Backend(log) => log.gives_up(),
        }
    }

    /// Forgets the requests up to now, not which address is which disk.
    pub fn clear(&mut self) {
        match self {
            Account::Virtio(log) => log.clear(),
            Account::Backend(log) => log.clear(),
        }
    }

    /// The requests since the last call of this or of [`Account::clear`].
    /// `refusal` tells the error of a refused one where the log does not.
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

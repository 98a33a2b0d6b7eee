//! The media of a machine and the medium journal of a case. The NBD server works on them.
//!
//! A request is executed and entered in one step, so the order of the entries is the
//! order in which the requests took effect.

use super::medium::{Medium, OutOfRange};
use halfway_case::Times;
use halfway_case::observation::{Command, Entry, Layer, Member};
use halfway_protocol::content::SECTOR;
use rustix::io::Errno;
use tokio::sync::oneshot;

/// A request to a medium. Its position and lengths are in bytes.
#[derive(Debug)]
pub enum MediumRequest<'a> {
    /// Fill this buffer.
    Read(&'a mut [u8]),
    /// Write these bytes.
    Write(&'a [u8]),
    /// Write that many zero bytes.
    WriteZeroes(u64),
    /// Discard that many bytes. They read as zeros afterwards.
    Discard(u64),
    /// Flush. It does nothing, because there is no cache.
    Flush,
}

impl MediumRequest<'_> {
    /// The command, and its length in bytes.
    fn shape(&self) -> (Command, u64) {
        match self {
            MediumRequest::Read(out) => (Command::Read, out.len() as u64),
            MediumRequest::Write(data) => (Command::Write, data.len() as u64),
            MediumRequest::WriteZeroes(length) => (Command::WriteZeroes, *length),
            MediumRequest::Discard(length) => (Command::Discard, *length),
            MediumRequest::Flush => (Command::Flush, 0),
        }
    }
}

/// A request that a disk itself refuses, independently of blkdebug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The disk that refuses. If several members lead to one medium, only this one
    /// refuses.
    pub member: Member,
    /// The command that it refuses.
    pub command: Command,
    /// Refuses only requests that cover this sector. `None`: all requests.
    pub sector: Option<u64>,
    /// How many times it refuses.
    pub times: Times,
    /// The errno that it answers.
    pub errno: Errno,
}

impl Refusal {
    fn meets(&self, member: Member, command: Command, first: u64, count: u64) -> bool {
        let covers = |sector| (first..first.saturating_add(count)).contains(&sector);
        self.times != Times::Count(0)
            && (self.member, self.command) == (member, command)
            && self.sector.is_none_or(covers)
    }
}

/// A request that is held until it is released.
#[derive(Debug)]
struct Holding {
    member: Member,
    command: Command,
    sector: u64,
    /// The errno that it fails with when it is released; `None` if it then succeeds.
    errno: Option<Errno>,
    held: Held,
}

/// The state of a [`Holding`].
#[derive(Debug)]
enum Held {
    /// The request has not arrived yet.
    NotYet,
    /// The request has arrived. It waits for a message that says how it ends.
    Here(oneshot::Sender<Option<Errno>>),
    /// The request was released.
    Gone,
}

/// The media of a machine, and the requests that reached them.
#[derive(Debug, Default)]
pub struct Ledger {
    media: Vec<Medium>,
    refusals: Vec<Refusal>,
    holdings: Vec<Holding>,
    /// How many consecutive legs lead to the medium of the first of them.
    ways: u8,
    entries: Vec<Entry>,
}

impl Ledger {
    /// A ledger of these disks, without entries.
    pub fn new(media: Vec<Medium>) -> Self {
        Ledger {
            media,
            refusals: Vec::new(),
            holdings: Vec::new(),
            ways: 1,
            entries: Vec::new(),
        }
    }

    /// The disks, in the order of their indices.
    pub fn media(&self) -> &[Medium] {
        &self.media
    }

    /// Executes a request at byte `offset` of the disk with this index in
    /// [`Ledger::media`], and enters it. The error is the errno to answer with.
    ///
    /// # Panics
    /// If there is no such disk.
    pub fn execute(
        &mut self,
        index: usize,
        offset: u64,
        request: MediumRequest,
    ) -> Result<(), Errno> {
        self.execute_or(index, offset, request, None)
    }

    /// Like [`Ledger::execute`]. With `errno` the request has no effect and only its
    /// failure is entered.
    pub fn execute_or(
        &mut self,
        index: usize,
        offset: u64,
        request: MediumRequest,
        errno: Option<Errno>,
    ) -> Result<(), Errno> {
        let member = self.media[index].member();
        let index = self.medium_of(member).unwrap_or(index);
        let (command, length) = request.shape();
        let (sector, sectors) = covering(offset, length);
        let refused = errno.or_else(|| self.refused(member, command, sector, sectors));
        let result = match refused {
            Some(errno) => Err(errno),
            None => carry_out(&mut self.media[index], offset, request),
        };
        self.entries.push(Entry {
            order: self.entries.len() as u64,
            member,
            layer: Layer::Medium,
            command,
            sector,
            sectors,
            result: Some(result.err().map_or(0, |errno| -errno.raw_os_error())),
            target_reply: None,
        });
        result
    }

    /// Holds the first request of this kind that covers `sector` of the disk and is not
    /// held already. It is held before it has any effect, and ends with `errno` when
    /// released.
    pub fn hold(&mut self, member: Member, command: Command, sector: u64, errno: Option<Errno>) {
        self.holdings.push(Holding {
            member,
            command,
            sector,
            errno,
            held: Held::NotYet,
        });
    }

    /// What a request to the disk with this index must wait for before it is executed, if
    /// it is to be held. The message is the errno that it ends with.
    pub fn stops(
        &mut self,
        index: usize,
        offset: u64,
        request: &MediumRequest<'_>,
    ) -> Option<oneshot::Receiver<Option<Errno>>> {
        let member = self.media.get(index)?.member();
        let (command, length) = request.shape();
        let (first, count) = covering(offset, length);
        let holding = self.holdings.iter_mut().find(|holding| {
            matches!(holding.held, Held::NotYet)
                && (holding.member, holding.command) == (member, command)
                && (first..first.saturating_add(count)).contains(&holding.sector)
        })?;
        let (sender, receiver) = oneshot::channel();
        holding.held = Held::Here(sender);
        Some(receiver)
    }

    /// Whether there are requests to hold and all of them are held.
    pub fn all_held(&self) -> bool {
        let here = |holding: &Holding| matches!(holding.held, Held::Here(_));
        !self.holdings.is_empty() && self.holdings.iter().all(here)
    }

    /// Releases the request of the [`Ledger::hold`] call with this index. If it has not
    /// arrived yet, it will not be held when it does.
    pub fn release(&mut self, index: usize) {
        if let Some(holding) = self.holdings.get_mut(index)
            && let Held::Here(sender) = std::mem::replace(&mut holding.held, Held::Gone)
        {
            // The receiver is gone if the connection has ended.
            let _ = sender.send(holding.errno);
        }
    }

    /// Releases all requests that are still held, and holds no more.
    pub fn release_all(&mut self) {
        (0..self.holdings.len()).for_each(|index| self.release(index));
        self.holdings.clear();
    }

    /// From now on the disks refuse these requests and no others.
    pub fn refuse(&mut self, refusals: Vec<Refusal>) {
        self.refusals = refusals;
    }

    /// The refusal that a request meets, if any. If there are several, the first counts,
    /// and its number of times goes down by one.
    fn refused(
        &mut self,
        member: Member,
        command: Command,
        sector: u64,
        sectors: u64,
    ) -> Option<Errno> {
        let mut refusals = self.refusals.iter_mut();
        let met = refusals.find(|refusal| refusal.meets(member, command, sector, sectors))?;
        if let Times::Count(left) = &mut met.times {
            *left -= 1;
        }
        Some(met.errno)
    }

    /// The entries since the last [`Ledger::reset`], in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Takes the entries out of the journal.
    pub fn take(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.entries)
    }

    /// The index of the medium that a member leads to, if that is another member's.
    fn medium_of(&self, member: Member) -> Option<usize> {
        let Member::Leg(leg) = member else {
            return None;
        };
        let ways = self.ways.max(1);
        let first = Member::Leg(leg / ways * ways);
        let is_first = |medium: &Medium| medium.member() == first;
        (first != member).then(|| self.media.iter().position(is_first))?
    }

    /// Begins a new case: unwritten disks with the content of this seed, no entries. The
    /// legs form groups of `ways` consecutive legs, and all legs of a group lead to the
    /// medium of its first leg.
    pub fn reset(&mut self, seed: u64, ways: u8) {
        self.ways = ways.max(1);
        self.holdings.clear();
        self.entries.clear();
        for medium in &mut self.media {
            medium.reset(seed);
        }
    }
}

/// Executes the request on a medium. The error is the errno to answer with.
fn carry_out(medium: &mut Medium, offset: u64, request: MediumRequest<'_>) -> Result<(), Errno> {
    let (command, _) = request.shape();
    let done = match request {
        MediumRequest::Read(out) => medium.read(offset, out),
        MediumRequest::Write(data) => medium.write(offset, data),
        MediumRequest::WriteZeroes(length) | MediumRequest::Discard(length) => {
            medium.zero(offset, length)
        }
        MediumRequest::Flush => Ok(()),
    };
    // The NBD protocol has an error of its own for a write beyond the end.
    done.map_err(|OutOfRange { .. }| match command {
        Command::Write | Command::WriteZeroes => Errno::NOSPC,
        _ => Errno::INVAL,
    })
}

/// The sectors that a range of bytes touches: the first sector and their number.
fn covering(offset: u64, length: u64) -> (u64, u64) {
    let first = offset / SECTOR as u64;
    let end = offset.saturating_add(length).div_ceil(SECTOR as u64);
    (first, if length == 0 { 0 } else { end - first })
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfway_case::observation::Member;
    use rstest::rstest;

    #[rstest]
    #[case::sector(512, 512, (1, 1))]
    #[case::two_halves(256, 512, (0, 2))]
    #[case::one_byte(1023, 1, (1, 1))]
    #[case::nothing(1024, 0, (2, 0))]
    #[case::huge(u64::MAX, 5, (u64::MAX / 512, 1))]
    fn a_range_covers_sectors(
        #[case] offset: u64,
        #[case] length: u64,
        #[case] expected: (u64, u64),
    ) {
        assert_eq!(covering(offset, length), expected);
    }

    #[test]
    fn what_fails_is_entered_too() {
        let mut ledger = Ledger::new(vec![
            Medium::new(Member::Leg(0), 8, 1),
            Medium::new(Member::Log, 8, 1),
        ]);
        let mut out = [0; 512];
        assert_eq!(
            ledger.execute(1, 512, MediumRequest::Read(&mut out)),
            Ok(())
        );
        let written = ledger.execute(0, 4096, MediumRequest::Write(&out));
        assert_eq!(written, Err(Errno::NOSPC));
        let discarded = ledger.execute(0, 4096, MediumRequest::Discard(1));
        assert_eq!(discarded, Err(Errno::INVAL));
        let seen: Vec<_> = ledger
            .take()
            .iter()
            .map(|entry| {
                (
                    entry.order,
                    entry.member,
                    entry.command,
                    entry.sector,
                    entry.result,
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                (0, Member::Log, Command::Read, 1, Some(0)),
                (1, Member::Leg(0), Command::Write, 8, Some(-28)),
                (2, Member::Leg(0), Command::Discard, 8, Some(-22)),
            ]
        );
    }

    fn refusal(command: Command, sector: Option<u64>, times: Times) -> Refusal {
        Refusal {
            member: Member::Leg(1),
            command,
            sector,
            times,
            errno: Errno::IO,
        }
    }

    /// A held request has no effect until it is released, and then ends as it was told
    /// to.
    #[test]
    fn a_request_is_kept_once() {
        let mut ledger = Ledger::new(vec![Medium::new(Member::Leg(1), 8, 1)]);
        ledger.reset(1, 1);
        ledger.hold(Member::Leg(1), Command::Write, 3, Some(Errno::IO));
        let data = [0; 1024];
        assert!(ledger.stops(0, 0, &MediumRequest::Write(&data)).is_none());
        assert!(
            ledger
                .stops(0, 1024, &MediumRequest::Discard(1024))
                .is_none()
        );
        assert!(!ledger.all_held());
        let mut kept = ledger.stops(0, 1024, &MediumRequest::Write(&data)).unwrap();
        assert!(ledger.all_held());
        assert!(
            ledger
                .stops(0, 1024, &MediumRequest::Write(&data))
                .is_none()
        );
        assert!(kept.try_recv() == Err(oneshot::error::TryRecvError::Empty));
        ledger.release_all();
        let how = kept.try_recv().unwrap();
        let result = ledger.execute_or(0, 1024, MediumRequest::Write(&data), how);
        assert_eq!(result, Err(Errno::IO));
        assert_eq!(ledger.execute(0, 1024, MediumRequest::Write(&data)), Ok(()));
        assert!(!ledger.all_held());
    }

    /// Each request is released by itself, also one that has not arrived yet.
    #[test]
    fn several_requests_are_kept_and_let_go_in_any_order() {
        let legs = [0, 1].map(|leg| Medium::new(Member::Leg(leg), 8, 1));
        let mut ledger = Ledger::new(legs.into());
        ledger.reset(1, 1);
        ledger.hold(Member::Leg(0), Command::Write, 3, None);
        ledger.hold(Member::Leg(1), Command::Write, 3, Some(Errno::IO));
        let data = [0; 1024];
        let mut second = ledger.stops(1, 1024, &MediumRequest::Write(&data)).unwrap();
        assert!(!ledger.all_held());
        let mut first = ledger.stops(0, 1024, &MediumRequest::Write(&data)).unwrap();
        assert!(ledger.all_held());
        ledger.release(1);
        assert_eq!(second.try_recv(), Ok(Some(Errno::IO)));
        assert!(first.try_recv() == Err(oneshot::error::TryRecvError::Empty));
        assert!(
            ledger
                .stops(1, 1024, &MediumRequest::Write(&data))
                .is_none()
        );
        ledger.release(0);
        assert_eq!(first.try_recv(), Ok(None));
    }

    /// A refused request has no effect. It is entered, and concerns no other leg of the
    /// same medium.
    #[test]
    fn a_way_to_a_medium_refuses_what_it_was_told_to() {
        let legs = [0, 1].map(|leg| Medium::new(Member::Leg(leg), 8, 1));
        let mut ledger = Ledger::new(legs.into());
        ledger.reset(1, 2);
        ledger.refuse(vec![
            refusal(Command::Discard, Some(3), Times::Always),
            refusal(Command::Flush, None, Times::Count(1)),
        ]);
        let mut answers = |index, offset, request| ledger.execute(index, offset, request);
        assert_eq!(
            answers(1, 1024, MediumRequest::Discard(1024)),
            Err(Errno::IO)
        );
        assert_eq!(answers(1, 2048, MediumRequest::Discard(512)), Ok(()));
        assert_eq!(answers(0, 1024, MediumRequest::Discard(512)), Ok(()));
        assert_eq!(answers(0, 0, MediumRequest::Flush), Ok(()));
        assert_eq!(answers(1, 0, MediumRequest::Flush), Err(Errno::IO));
        assert_eq!(answers(1, 0, MediumRequest::Flush), Ok(()));
        assert_eq!(ledger.media()[0].examine(3, 1).spans.len(), 1);
        assert_eq!(ledger.media()[0].examine(0, 0).strays, [(2, 1), (4, 1)]);
        let results: Vec<_> = ledger.take().iter().map(|entry| entry.result).collect();
        assert_eq!(results, [-5, 0, 0, 0, -5, 0].map(Some));
    }

    #[test]
    fn a_new_case_starts_at_zero() {
        let mut ledger = Ledger::new(vec![Medium::new(Member::Log, 8, 1)]);
        assert_eq!(ledger.execute(0, 0, MediumRequest::Flush), Ok(()));
        ledger.reset(2, 1);
        assert_eq!(
            ledger.execute(0, 0, MediumRequest::WriteZeroes(512)),
            Ok(())
        );
        let entries = ledger.entries();
        assert_eq!(entries.len(), 1);
        assert_eq!((entries[0].order, entries[0].sectors), (0, 1));
    }
}

//! The medium's own account of a case, and the media themselves: what the NBD
//! server works on.
//!
//! A request is carried out and entered in one step, so the order of the
//! entries is the order in which the requests took effect.

use super::medium::{Medium, OutOfRange};
use crate::observation::{Command, Entry, Layer, Member};
use halfway_protocol::content::SECTOR;
use rustix::io::Errno;

/// A request to a medium, by byte.
#[derive(Debug)]
pub enum Request<'a> {
    /// Fill this buffer.
    Read(&'a mut [u8]),
    /// Write these bytes.
    Write(&'a [u8]),
    /// Make that many bytes zero.
    WriteZeroes(u64),
    /// Discard that many bytes, which then read as zeros.
    Discard(u64),
    /// Flush; there is no cache.
    Flush,
}

/// The media of a machine, and what reached them.
#[derive(Debug, Default)]
pub struct Ledger {
    media: Vec<Medium>,
    /// The legs are ways to leg 0's medium.
    shared: bool,
    entries: Vec<Entry>,
}

impl Ledger {
    /// A ledger of these disks.
    pub fn new(media: Vec<Medium>) -> Self {
        Ledger {
            media,
            shared: false,
            entries: Vec::new(),
        }
    }

    /// The disks.
    pub fn media(&self) -> &[Medium] {
        &self.media
    }

    /// Carries out a request at byte `offset` of the disk with this index in
    /// [`Ledger::media`] and enters it. The error is the errno to answer with.
    ///
    /// # Panics
    /// When there is no such disk.
    pub fn execute(&mut self, index: usize, offset: u64, request: Request) -> Result<(), Errno> {
        let member = self.media[index].member();
        let index = self.medium_of(member).unwrap_or(index);
        let medium = &mut self.media[index];
        let (command, length, done) = match request {
            Request::Read(out) => {
                let length = out.len() as u64;
                (Command::Read, length, medium.read(offset, out))
            }
            Request::Write(data) => {
                let length = data.len() as u64;
                (Command::Write, length, medium.write(offset, data))
            }
            Request::WriteZeroes(length) => {
                (Command::WriteZeroes, length, medium.zero(offset, length))
            }
            Request::Discard(length) => (Command::Discard, length, medium.zero(offset, length)),
            Request::Flush => (Command::Flush, 0, Ok(())),
        };
        // The NBD protocol tells a write beyond the end from anything else.
        let result = done.map_err(|OutOfRange { .. }| match command {
            Command::Write | Command::WriteZeroes => Errno::NOSPC,
            _ => Errno::INVAL,
        });
        let (sector, sectors) = covering(offset, length);
        self.entries.push(Entry {
            order: self.entries.len() as u64,
            member,
            layer: Layer::Medium,
            command,
            sector,
            sectors,
            result: Some(result.err().map_or(0, |errno| -errno.raw_os_error())),
        });
        result
    }

    /// What was entered since the last [`Ledger::reset`], in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Takes the entries out.
    pub fn take(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.entries)
    }

    /// Index of the medium that a member leads to, where it is not its own.
    fn medium_of(&self, member: Member) -> Option<usize> {
        let shares = self.shared && matches!(member, Member::Leg(_));
        let is_first = |medium: &Medium| medium.member() == Member::Leg(0);
        shares.then(|| self.media.iter().position(is_first))?
    }

    /// A new case: fresh disks of this seed, no entries. With `shared` all legs
    /// lead to leg 0's medium.
    pub fn reset(&mut self, seed: u64, shared: bool) {
        self.shared = shared;
        self.entries.clear();
        for medium in &mut self.media {
            medium.reset(seed);
        }
    }
}

/// The sectors that a range of bytes touches: first and count.
fn covering(offset: u64, length: u64) -> (u64, u64) {
    let first = offset / SECTOR as u64;
    let end = offset.saturating_add(length).div_ceil(SECTOR as u64);
    (first, if length == 0 { 0 } else { end - first })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::Member;
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
        assert_eq!(ledger.execute(1, 512, Request::Read(&mut out)), Ok(()));
        let written = ledger.execute(0, 4096, Request::Write(&out));
        assert_eq!(written, Err(Errno::NOSPC));
        let discarded = ledger.execute(0, 4096, Request::Discard(1));
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

    #[test]
    fn a_new_case_starts_at_zero() {
        let mut ledger = Ledger::new(vec![Medium::new(Member::Log, 8, 1)]);
        assert_eq!(ledger.execute(0, 0, Request::Flush), Ok(()));
        ledger.reset(2, false);
        assert_eq!(ledger.execute(0, 0, Request::WriteZeroes(512)), Ok(()));
        let entries = ledger.entries();
        assert_eq!(entries.len(), 1);
        assert_eq!((entries[0].order, entries[0].sectors), (0, 1));
    }
}

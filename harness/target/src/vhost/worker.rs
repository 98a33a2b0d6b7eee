//! Executes a guest's requests, one at a time.

use super::Memory;
use super::request::{Address, VirtioRequest};
use crate::journal::{Entry, Journal};
use crate::scsi::cdb::{CDB_BYTES, ScsiCommand};
use crate::scsi::execute::{self, Completion, Policy};
use crate::scsi::inquiry;
use crate::scsi::transfer::Storage;
use crate::scsi::unit::Unit;
use halfway_scsi::sense::Sense;
use halfway_scsi::{Reply, Response};
use std::ops::Deref;
use virtio_queue::DescriptorChain;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It is answered, with that many bytes written.
    Used(u32),
    /// It is answered, with that many bytes written, and the HBA is gone from
    /// now on.
    Last(u32),
    /// It is kept without an answer; this is its tag.
    Held(u64),
}

/// The logical unit, its storage, and the journal of its commands.
pub struct Worker<S> {
    /// The logical unit that the requests are for.
    pub unit: Unit,
    /// The bytes behind the unit.
    pub storage: S,
    /// Where commands are recorded.
    pub journal: Journal,
}

impl<S: Storage> Worker<S> {
    /// Executes the request in `chain`. With `gone` it answers as if the target
    /// did not exist.
    pub fn serve<M>(
        &mut self,
        memory: &Memory,
        chain: DescriptorChain<M>,
        policy: &Policy,
        gone: bool,
    ) -> Done
    where
        M: Deref<Target = Memory> + Clone,
    {
        let Some(mut request) = VirtioRequest::parse(memory, chain) else {
            self.journal.record(Entry::malformed());
            return Done::Used(0);
        };
        let answer = match request.address {
            // A guest scans hundreds of targets, so these commands are not
            // recorded.
            Address::Nobody => {
                let reply = Reply::Response(Response::BadTarget);
                let used = request.answer(reply, 0, &[], self.unit.sense_format());
                return Done::Used(used.unwrap_or(0));
            }
            _ if gone => refused(Response::BadTarget),
            Address::AbsentUnit => absent(&request.cdb),
            Address::Unit => self.carry_out(&mut request, policy),
        };
        // There are more parameter data than room for them.
        let answer = match answer.data.len() > request.in_len {
            true => refused(Response::Overrun),
            false => answer,
        };
        let buffer = request.out_len.max(request.in_len) as u64;
        let honest = buffer.saturating_sub(answer.transferred);
        let residual = answer
            .residual
            .unwrap_or(u32::try_from(honest).unwrap_or(u32::MAX));
        self.journal
            .record(Entry::new(&request.cdb, &answer, residual));
        if answer.reply == Reply::Nothing {
            return Done::Held(request.tag);
        }
        let format = self.unit.sense_format();
        let used = request.answer(answer.reply, residual, &answer.data, format);
        let used = used.unwrap_or(0);
        match policy.then_gone && answer.errno.is_some() {
            true => Done::Last(used),
            false => Done::Used(used),
        }
    }

    fn carry_out(&mut self, request: &mut VirtioRequest<'_>, policy: &Policy) -> Completion {
        if request.out_len > 0 && request.in_len > 0 {
            return refused(Response::Failure); // VIRTIO_SCSI_F_INOUT is not offered
        }
        let admitted = ScsiCommand::parse(&request.cdb)
            .and_then(|command| execute::admit(&self.unit, &command).map(|()| command));
        let command = match admitted {
            Ok(command) => command,
            Err(sense) => return Completion::check(sense),
        };
        let block = self.unit.block();
        if command.data_in(block) > request.in_len as u64 {
            return refused(Response::Overrun);
        }
        let Some(out) = request.data_out(command.data_out(block) as usize) else {
            return refused(Response::Overrun);
        };
        execute::execute(&self.unit, &mut self.storage, policy, command, &out)
    }
}

fn refused(response: Response) -> Completion {
    Completion {
        reply: Reply::Response(response),
        ..Completion::good()
    }
}

/// The answer of a logical unit that does not exist (SPC-4, clause 4.6.4.1 and
/// SAM-5, clause 5.11).
fn absent(cdb: &[u8; CDB_BYTES]) -> Completion {
    match ScsiCommand::parse(cdb) {
        Ok(ScsiCommand::Inquiry {
            page: None,
            allocation,
        }) => Completion::parameters(inquiry::absent(), allocation),
        Ok(ScsiCommand::RequestSense { allocation, .. }) => {
            let format = halfway_scsi::sense::Format::Fixed;
            Completion::parameters(Sense::NO_SUCH_UNIT.bytes(format), allocation)
        }
        _ => Completion::check(Sense::NO_SUCH_UNIT),
    }
}

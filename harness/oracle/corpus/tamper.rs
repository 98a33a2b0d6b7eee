//! Ways to make a sound observation wrong.

use crate::controller;
use crate::model;
use halfway_case::Case;
use halfway_case::observation::{
    Command, Entry, Layer, Liveness, Medium, Member, Observation, Repair,
};
use halfway_case::timeout;
use halfway_case::{Disk, During, PathGrouping, Sync};
use halfway_protocol::content::{Origin, Span, What};
use halfway_protocol::io::{GuardDamage, IoReport, IoState, Op, OpReport, Path};
use halfway_protocol::message::{KernelMessage, Refusal};
use halfway_protocol::trace::{Kind, TraceEvent};

/// Makes something in the observation wrong; `None` if the case has nothing of
/// the kind.
pub type Tamper = fn(&Case, &mut Observation) -> Option<()>;

/// All ways, each with its description.
pub const ALL: &[(&str, Tamper)] = &[
    ("another errno", |_, seen| {
        op(seen)?.result = Err(1);
        Some(())
    }),
    ("more bytes than were asked for", |_, seen| {
        let op = op(seen)?;
        op.result = Ok(op.result.ok()? + 512);
        Some(())
    }),
    ("fewer bytes than were done", |_, seen| {
        let op = op(seen)?;
        op.result = Ok(op.result.ok()? - 512);
        Some(())
    }),
    ("no answer to a request", |_, seen| {
        report(seen)?.ops.pop().map(drop)
    }),
    (
        "an error that was kept from the application",
        |case, seen| {
            let (_, sectors) = *case.io.parts().first()?;
            let op = op(seen)?;
            op.result.err()?;
            op.result = Ok(sectors * 512);
            (case.io.requests == 1 && case.io.path == Path::Direct).then_some(())
        },
    ),
    ("a byte before the buffer", |_, seen| {
        op(seen)?.guard_damage.push(GuardDamage {
            segment: 0,
            distance: -1,
            found: 0,
        });
        Some(())
    }),
    ("the written buffer", |_, seen| {
        op(seen)?.buffer_changed.push(7);
        Some(())
    }),
    ("read data of the sector behind", |_, seen| {
        delivered(seen, |what| match what {
            What::Stamp { sector, .. } => *sector += 1,
            other => *other = What::Foreign,
        })
    }),
    ("read data of a later generation", |_, seen| {
        delivered(seen, |what| match what {
            What::Stamp { generation, .. } => *generation += 1,
            other => *other = What::Foreign,
        })
    }),
    ("read data that were never delivered", |_, seen| {
        delivered(seen, |what| *what = What::Prefill)
    }),
    ("read data of zeros", |_, seen| {
        delivered(seen, |what| *what = What::Zero)
    }),
    ("a last sector that was not looked at", |_, seen| {
        op(seen)?.content.last_mut()?.sectors -= 1;
        Some(())
    }),
    ("a sector on a leg", |case, seen| {
        last_sector(case, seen, |what| *what = What::Foreign)
    }),
    ("a sector on a leg that lies elsewhere", |case, seen| {
        last_sector(case, seen, |what| match what {
            What::Stamp { sector, .. } => *sector += 1,
            other => *other = What::Damaged { good: 3 },
        })
    }),
    ("a leg that was not examined", |case, seen| {
        let member = medium(case, seen)?.member;
        seen.media.retain(|medium| medium.member != member);
        Some(())
    }),
    ("a leg of which a part was not examined", |case, seen| {
        medium(case, seen)?.spans.pop().map(drop)
    }),
    ("a sector far off the I/O", |case, seen| {
        seen.media.first_mut()?.strays.push((0, 1));
        let synced = case.stack.target().sync() == Some(Sync::Synced);
        (!synced).then_some(())
    }),
    (
        "a written sector that holds what was there before",
        |case, seen| lose(case, seen),
    ),
    ("the health of the first leg", |case, seen| {
        health(case, seen, 0)
    }),
    ("the health of the last leg", |case, seen| {
        health(case, seen, case.members() - 1)
    }),
    ("a region that lost its sync", |case, seen| {
        case.stack.target().region_size()?;
        in_status(case, seen, |word| {
            let (in_sync, regions) = word.split_once('/')?;
            let in_sync: u64 = in_sync.parse().ok()?;
            Some(format!("{}/{regions}", in_sync.checked_sub(1)?))
        })
    }),
    ("a region too many", |case, seen| {
        case.stack.target().region_size()?;
        in_status(case, seen, |word| {
            let (in_sync, regions) = word.split_once('/')?;
            let numbers: [u64; 2] = [in_sync.parse().ok()?, regions.parse().ok()?];
            Some(format!("{}/{}", numbers[0] + 1, numbers[1] + 1))
        })
    }),
    ("the letter of the log", |case, seen| {
        case.has_log_disk().then_some(())?;
        let line = status(case, seen)?;
        let letter = line.trim_end().chars().last()?;
        let other = if letter == 'A' { 'D' } else { 'A' };
        line.truncate(line.trim_end().len() - 1);
        line.push(other);
        Some(())
    }),
    ("no status", |case, seen| {
        *status(case, seen)? = String::new();
        Some(())
    }),
    ("no event of a leg that failed", |case, seen| {
        case.stack.shares_medium().then_some(())?;
        let status = seen.status.as_ref()?;
        let failed = status
            .targets
            .first()?
            .split_ascii_whitespace()
            .any(|word| word == "F");
        seen.events_before = Some(status.event);
        (failed && case.holds.is_empty() && case.io.requests == 1).then_some(())
    }),
    ("no first request to a leg", |case, seen| {
        let at = seen.journal.iter().position(asks)?;
        seen.journal.remove(at);
        controller::failure_handling(case).exact.then_some(())
    }),
    ("no last request to a leg", |case, seen| {
        let at = seen.journal.iter().rposition(asks)?;
        seen.journal.remove(at);
        controller::failure_handling(case).exact.then_some(())
    }),
    ("a request made twice", |case, seen| {
        let again = *seen.journal.iter().rfind(|entry| asks(entry))?;
        seen.journal.push(again);
        controller::failure_handling(case).exact.then_some(())
    }),
    ("a request that went well and failed", |case, seen| {
        let entry = seen
            .journal
            .iter_mut()
            .find(|entry| asks(entry) && entry.result == Some(0))?;
        entry.result = Some(-5);
        (entry.target_reply.is_none() && controller::failure_handling(case).exact).then_some(())
    }),
    ("a request that failed and went well", |_, seen| {
        let failed =
            |entry: &&mut Entry| asks(entry) && entry.result.is_some_and(|result| result != 0);
        let entry = seen.journal.iter_mut().find(failed)?;
        entry.result = Some(0);
        entry.target_reply.is_none().then_some(())
    }),
    ("a request that was never answered", |_, seen| {
        let entry = seen.journal.iter_mut().rfind(|entry| asks(entry))?;
        entry.result = None;
        entry.target_reply.is_none().then_some(())
    }),
    ("a request that nobody needs", |case, seen| {
        let mut stray = *seen.journal.iter().find(|entry| asks(entry))?;
        stray.sector = model::whole(case).end() + 4096;
        stray.command = Command::Write;
        seen.journal.push(stray);
        Some(())
    }),
    ("a failure that the guest took for success", |_, seen| {
        let event = completions(seen).find(|event| event.error != 0)?;
        event.error = 0;
        Some(())
    }),
    ("a success that the guest took for failure", |case, seen| {
        let event = completions(seen).find(|event| event.error == 0)?;
        event.error = -5;
        // With another driver the first completion may belong to a command of
        // its own.
        controller::failure_handling(case).exact.then_some(())
    }),
    ("a request of which the guest saw no end", |case, seen| {
        let legs = (seen.disks.iter()).filter(|(member, _)| *member != Member::Log);
        let legs: Vec<_> = legs.map(|(_, disk)| disk.dev).collect();
        let at = seen.seen.trace.iter().position(|event| {
            event.kind == Kind::RqComplete && event.sectors > 0 && legs.contains(&event.dev)
        })?;
        seen.seen.trace.remove(at);
        controller::failure_handling(case).exact.then_some(())
    }),
    (
        "a bio of device-mapper's that failed unheard",
        |case, seen| {
            let fine = report(seen)?.ops.iter().all(|op| op.result.is_ok());
            let (dm, _) = seen.dm.as_ref()?;
            let dm = *dm;
            let mut trace = seen.seen.trace.iter_mut();
            trace
                .find(|event| event.kind == Kind::BioComplete && event.dev == dm)?
                .error = -5;
            (fine && case.io.path == Path::Direct).then_some(())
        },
    ),
    ("a bio that nobody saw", |case, seen| {
        let (dm, _) = seen.dm.as_ref()?;
        let dm = *dm;
        let before = seen.seen.trace.len();
        seen.seen
            .trace
            .retain(|event| event.kind != Kind::BioQueue || event.dev != dm);
        (seen.seen.trace.len() < before && case.io.path == Path::Direct).then_some(())
    }),
    ("lost events", |_, seen| {
        seen.seen.lost = 1;
        let refused = report(seen)?.ops.iter().any(|op| op.result == Err(22));
        (!refused).then_some(())
    }),
    ("no event at all", |_, seen| {
        seen.seen.trace.clear();
        let refused = report(seen)?.ops.iter().any(|op| op.result == Err(22));
        (!refused).then_some(())
    }),
    ("a warning of the kernel", |_, seen| {
        let text = "WARNING: CPU: 0 PID: 1 at block/bio.c:1 f+0x1/0x2".to_owned();
        seen.seen.log.push(KernelMessage {
            level: 4,
            micros: 0,
            text,
        });
        Some(())
    }),
    ("a BUG of the kernel", |_, seen| {
        seen.console.push_str("\nkernel BUG at block/bio.c:1!\n");
        Some(())
    }),
    ("a complaint of QEMU's", |_, seen| {
        seen.qemu_stderr
            .push_str("qemu: virtio: zero sized buffers are not allowed\n");
        Some(())
    }),
    ("a stack that stays", |_, seen| {
        seen.liveness = Liveness::Dirty("busy".into());
        Some(())
    }),
    ("a guest that is silent", |_, seen| {
        seen.liveness = Liveness::Silent;
        Some(())
    }),
    ("a QEMU that ended", |_, seen| {
        seen.liveness = Liveness::Exited("exit status 0".into());
        Some(())
    }),
    ("a set-up that was refused", |_, seen| {
        seen.refusal = Some(Refusal {
            doing: "dm table".into(),
            errno: Some(22),
            detail: String::new(),
        });
        Some(())
    }),
    ("an I/O that never came back", |_, seen| {
        let pending = IoState::Quiet { pending: 1 };
        match &mut seen.repair {
            Some(repair) => repair.io = pending,
            None => seen.io = Some(pending),
        }
        Some(())
    }),
    ("a repair that nobody made", |_, seen| {
        let repair = seen.repair.take()?;
        seen.io = Some(repair.io);
        seen.status = Some(repair.status);
        Some(())
    }),
    ("a repair that was not needed", |_, seen| {
        if seen.repair.is_some() {
            return None;
        }
        seen.repair = Some(Repair {
            status: seen.status.clone()?,
            interventions: Vec::new(),
            io: seen.io.clone()?,
        });
        Some(())
    }),
    (
        "a late end that was taken for the answer to the second attempt",
        |case, seen| {
            let leg = Member::Leg(case.holds.first()?.leg);
            let asked = |one: &Entry| (one.member, one.layer) == (leg, Layer::Device);
            let last = seen.journal.iter().rposition(asked)?;
            seen.journal.remove(last);
            timeout::asks_again(case).then_some(())
        },
    ),
    ("a request that was never taken back", |case, seen| {
        let back = |event: &TraceEvent| event.kind == Kind::RqRequeue;
        seen.seen.trace.retain(|event| !back(event));
        timeout::asks_again(case).then_some(())
    }),
    ("a hold that was not made", |case, seen| {
        case.holds.first()?;
        seen.meanwhile.take().map(drop)
    }),
    ("a disk that the guest kept", |_, seen| {
        seen.unplugged.as_mut()?.gone = false;
        Some(())
    }),
    ("a disk that did not serve again", |_, seen| {
        let again = seen.unplugged.as_mut()?.again.as_mut()?;
        again.journal.clear();
        Some(())
    }),
    ("another fault that did not fire", |case, seen| {
        let other = case.other_faults.first()?;
        let member = match other.disk {
            Disk::Leg => Member::Leg(other.fault.leg),
            Disk::Log => Member::Log,
        };
        let journal = match other.during {
            During::SetUp => &mut seen.set_up,
            During::Io => &mut seen.journal,
        };
        journal.retain(|entry| entry.member != member || entry.result == Some(0));
        Some(())
    }),
    ("no flush of what was to be durable", |case, seen| {
        let fine = report(seen)?.ops.iter().all(|op| op.result.is_ok());
        let durable = case.io.dsync || case.io.path == Path::Buffered && case.io.op == Op::Write;
        let before = seen.journal.len();
        seen.journal
            .retain(|entry| entry.command != Command::Flush || entry.result != Some(0));
        (fine && durable && seen.journal.len() < before).then_some(())
    }),
    ("a log that was told too late", |case, seen| {
        let written = |entry: &Entry, log: bool| {
            entry.layer == Layer::Device
                && entry.command == Command::Write
                && (entry.member == Member::Log) == log
        };
        case.has_log_disk().then_some(())?;
        let legs = seen.journal.iter().filter(|entry| written(entry, false));
        let last = legs.map(|entry| entry.order).max()?;
        for entry in seen.journal.iter_mut().filter(|entry| written(entry, true)) {
            entry.order += last + 1;
        }
        (case.op_on_legs() == Op::Write && model::unrecovered(case).is_empty()).then_some(())
    }),
    ("the active group", |case, seen| {
        let multipath = case
            .stack
            .multipath()
            .filter(|_| case.stack.shares_medium())?;
        let one = multipath.path_grouping == PathGrouping::Failover
            && controller::failure_handling(case).exact
            && case.holds.is_empty()
            && case.io.requests == 1
            && case.linear.is_none()
            && case.io.path == Path::Direct;
        let fine = report(seen)?.ops.iter().all(|op| op.result.is_ok());
        // A group's letter comes before the word `0`, a path's letter behind
        // the device.
        let line = status(case, seen)?;
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let swapped: Vec<&str> = (0..words.len())
            .map(|at| match words[at] {
                _ if at == 0 || words[at - 1].contains(':') => words[at],
                "A" => "E",
                "E" => "A",
                other => other,
            })
            .collect();
        *line = swapped.join(" ");
        (one && fine).then_some(())
    }),
];

fn report(seen: &mut Observation) -> Option<&mut IoReport> {
    let io = match &mut seen.repair {
        Some(repair) => Some(&mut repair.io),
        None => seen.io.as_mut(),
    };
    match io? {
        IoState::Done(report) => Some(report),
        IoState::Quiet { .. } | IoState::Pending { .. } => None,
    }
}

/// The answer to the last request.
fn op(seen: &mut Observation) -> Option<&mut OpReport> {
    report(seen)?.ops.last_mut()
}

/// Changes only the last sector of these spans.
fn change_last(spans: &mut Vec<Span>, change: impl Fn(&mut What)) -> Option<()> {
    let span = spans.last_mut()?;
    span.sectors = span.sectors.checked_sub(1)?;
    let (at, step) = (span.at + span.sectors, span.sectors);
    let mut what = match span.what {
        What::Stamp {
            origin,
            generation,
            sector,
        } => What::Stamp {
            origin,
            generation,
            sector: sector + step,
        },
        other => other,
    };
    change(&mut what);
    spans.push(Span {
        at,
        sectors: 1,
        what,
    });
    Some(())
}

/// Changes only the last sector that a read delivered.
fn delivered(seen: &mut Observation, change: impl Fn(&mut What)) -> Option<()> {
    let op = op(seen)?;
    let sectors: u64 = op.content.iter().map(|span| span.sectors).sum();
    (op.result == Ok(sectors * 512)).then_some(())?;
    change_last(&mut op.content, change)
}

/// What was seen of the case's last medium.
fn medium<'a>(case: &Case, seen: &'a mut Observation) -> Option<&'a mut Medium> {
    let last = Member::Leg(model::media(case).last()?);
    seen.media.iter_mut().find(|medium| medium.member == last)
}

fn last_sector(case: &Case, seen: &mut Observation, change: impl Fn(&mut What)) -> Option<()> {
    change_last(&mut medium(case, seen)?.spans, change)
}

/// Puts the old content back on a sector that a leg must have from the case.
fn lose(case: &Case, seen: &mut Observation) -> Option<()> {
    let answers = &report(seen)?.ops;
    let fine = answers.iter().all(|op| op.result.is_ok());
    let medium = medium(case, seen)?;
    let Member::Leg(leg) = medium.member else {
        return None;
    };
    let ours = |what: &What| {
        matches!(
            what,
            What::Stamp {
                origin: Origin::Writer(_),
                ..
            }
        )
    };
    let at = medium.spans.iter().position(|span| ours(&span.what))?;
    let rest = medium.spans.split_off(at + 1);
    let sector = medium.sector + medium.spans[at].at + medium.spans[at].sectors - 1;
    let (origin, number) = model::content_of(case, leg, sector - model::offset(case, leg));
    change_last(&mut medium.spans, |what| {
        *what = What::Stamp {
            origin,
            generation: 0,
            sector: number,
        };
    })?;
    medium.spans.extend(rest);
    // How far a torn write got that failed is not recorded.
    (fine && case.legs.max_transfer.is_none()).then_some(())
}

fn status<'a>(case: &Case, seen: &'a mut Observation) -> Option<&'a mut String> {
    let status = match &mut seen.repair {
        Some(repair) if case.stack.target().has_copies() => Some(&mut repair.status),
        _ => seen.status.as_mut(),
    };
    status?.targets.first_mut()
}

fn in_status(
    case: &Case,
    seen: &mut Observation,
    change: impl Fn(&str) -> Option<String>,
) -> Option<()> {
    let line = status(case, seen)?;
    let words = line.split_ascii_whitespace();
    let changed = words.map(|word| change(word).unwrap_or_else(|| word.to_owned()));
    let changed = changed.collect::<Vec<_>>().join(" ");
    let other = changed != *line;
    *line = changed;
    other.then_some(())
}

/// Gives a leg a letter that no model allows it.
fn health(case: &Case, seen: &mut Observation, leg: u8) -> Option<()> {
    let line = status(case, seen)?;
    let mut words: Vec<String> = line.split_ascii_whitespace().map(String::from).collect();
    match case.stack.target().has_copies() {
        true => {
            let legs: usize = words.first()?.parse().ok()?;
            let letters = words.get_mut(legs + 3)?;
            letters.replace_range(usize::from(leg)..usize::from(leg) + 1, "U");
            *line = words.join(" ");
            Some(())
        }
        false => {
            let mut paths = (1..words.len()).filter(|at| words[at - 1].contains(':'));
            let at = paths.nth(usize::from(leg))?;
            words[at] = if words[at] == "A" { "F" } else { "A" }.to_owned();
            *line = words.join(" ");
            // With several pieces the letter may depend on timing.
            (case.io.requests == 1 && case.linear.is_none() && case.io.path == Path::Direct)
                .then_some(())
        }
    }
}

fn asks(entry: &Entry) -> bool {
    entry.layer == Layer::Device
        && matches!(entry.member, Member::Leg(_))
        && matches!(entry.command, Command::Read | Command::Write)
}

fn completions(seen: &mut Observation) -> impl Iterator<Item = &mut TraceEvent> {
    let legs: Vec<_> = seen.disks.iter().map(|(_, disk)| disk.dev).collect();
    seen.seen.trace.iter_mut().filter(move |event| {
        event.kind == Kind::RqComplete
            && event.sectors > 0
            && !event.is_passthrough()
            && legs.contains(&event.dev)
    })
}

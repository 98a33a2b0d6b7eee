//! Random scenarios over the whole format, one case each.
//!
//! Each key is drawn by itself, and a scenario that the validator refuses is
//! drawn again, so that the validator alone decides what is well formed. Tables
//! are written out in full here: a key that is added to the format does not
//! compile until it is drawn, and a word that is added to one of its enums is
//! drawn at once.

use super::expand::Scenario;
use super::file::{Fault, File, Hold, Io, Legs, Soak, Stack};
use super::sweep::{At, Given, List, Sweep};
use super::value::{self, Errno, Offset, Word};
use fastrand::Rng;
use halfway_case::errno;
use halfway_case::limits;
use halfway_case::{
    Controller, Disk, During, Ending, Filesystem, Log, Meanwhile, NoPathRetry, OnError,
    PathGrouping, PathSelector, QueueMode, Sync, TargetName, Times, Vector,
};
use halfway_controllers::Limits;
use halfway_protocol::io::{Op, Path};
use halfway_scsi::FaultReport;
use toml::{Table, Value};

/// The name of the scenario that drawn cases say they come from.
pub const SCENARIO: &str = "random";

/// The scenario for that seed and number. It is always the same as long as the
/// format stays the same. It has one case, and contains only what differs from
/// the defaults.
///
/// All keys and values occur, except `sabotage`, whose verdicts are wrong on
/// purpose.
pub fn draw(seed: u64, number: u64) -> Scenario {
    // Mixed as in `splitmix64`, so that neighbouring numbers give unrelated
    // scenarios.
    let mixed = seed.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut draw = Draw(Rng::with_seed(mixed));
    let id = format!("{SCENARIO}-{seed}-{number}");
    loop {
        let text = text(&draw.file(&id));
        if let Ok(scenario) = Scenario::parse(SCENARIO, &text) {
            return scenario;
        }
    }
}

/// The file without the keys that have their default.
fn text(file: &File) -> String {
    let table = |file: &File| Table::try_from(file).unwrap_or_default();
    let mut written = table(file);
    let plain = table(&File {
        question: None,
        fault: vec![Given::from(Fault::default())],
        hold: vec![Given::from(Hold::default())],
        ..File::default()
    });
    strip(&mut written, &plain);
    toml::to_string(&written).unwrap_or_default()
}

/// Removes from `written` what is the same in `plain`. A list of tables has one
/// entry in `plain`, which stands for all.
fn strip(written: &mut Table, plain: &Table) {
    for (key, plain) in plain {
        match (written.get_mut(key), plain) {
            (Some(Value::Table(written)), Value::Table(plain)) => strip(written, plain),
            (Some(Value::Array(written)), Value::Array(plain)) => {
                if let [Value::Table(plain)] = plain.as_slice() {
                    let tables = written.iter_mut().filter_map(Value::as_table_mut);
                    tables.for_each(|written| strip(written, plain));
                }
            }
            _ => {}
        }
        let same = written.get(key) == Some(plain);
        let empty = |value: &Value| match value {
            Value::Table(table) => table.is_empty(),
            Value::Array(array) => array.is_empty(),
            _ => false,
        };
        if same || written.get(key).is_some_and(empty) {
            written.remove(key);
        }
    }
}

/// Draws values. What most questions are about is likely: a controller of the
/// default kernel, one fault or two, small I/O. What takes seconds is rare.
struct Draw(Rng);

impl Draw {
    fn one_in(&mut self, number: u32) -> bool {
        self.0.u32(0..number) == 0
    }

    fn of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.0.usize(0..values.len())]
    }

    fn word<T: Word>(&mut self) -> T {
        let all: Vec<T> = value::all().collect();
        self.of(&all)
    }

    /// A key that is present in one of `number` scenarios.
    fn key<T>(&mut self, number: u32, value: impl FnOnce(&mut Self) -> T) -> Option<Sweep<T>> {
        self.one_in(number).then(|| Sweep::of(value(self)))
    }

    /// A key that differs from its default in one of `number` scenarios.
    fn or<T>(&mut self, number: u32, plain: T, value: impl FnOnce(&mut Self) -> T) -> Sweep<T> {
        self.key(number, value).unwrap_or(Sweep::of(plain))
    }

    /// A length from small numbers, powers of two, and their neighbours.
    fn length(&mut self, most: u64) -> u64 {
        let round = 1 << self.0.u32(0..=most.ilog2());
        let near = match self.0.u32(0..4) {
            0 => self.0.u64(1..=most),
            1 => round + 1,
            2 => round - 1,
            _ => round,
        };
        near.clamp(1, most)
    }

    fn file(&mut self, id: &str) -> File {
        let is_soak = self.one_in(250);
        let target = self.word();
        let paths = (target == TargetName::Raid1 && self.one_in(6)).then(|| self.of(&[2, 3, 4]));
        let legs = self.legs(target);
        let controller = legs.controller.0[0].value;
        let count = legs.count.0[0].value;
        let op = self.or(2, Op::Read, Self::word);
        let most = self.of(&[2048, 2048, 2048, limits::IO_SECTORS]);
        let sectors = self.length(most);
        let io = match is_soak {
            true => Io::default(),
            false => self.io(op, sectors, legs.size.0[0].value),
        };
        let faults = match is_soak {
            true => 0,
            false => self.of(&[0, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4]),
        };
        let holds = match is_soak || !self.one_in(8) {
            true => 0,
            false => self.of(&[1, 1, 2, 3, 4]),
        };
        File {
            question: Some("Is this right?".to_owned().into()),
            tags: List::of([]),
            sample: None,
            sabotage: None,
            id: Some(id.to_owned().into()),
            scenario: Some(SCENARIO.to_owned().into()),
            stack: self.stack(target, paths),
            fault: (0..faults)
                .map(|index| self.fault(index, controller, count, paths, sectors).into())
                .collect(),
            hold: (0..holds)
                .map(|index| self.hold(index, count, sectors).into())
                .collect(),
            soak: match is_soak {
                true => self.soak(),
                false => Soak::default(),
            },
            legs,
            io,
        }
    }

    fn stack(&mut self, target: TargetName, paths: Option<u8>) -> Stack {
        // Keys of the other target would be refused.
        let (mirror, multipath) = match target {
            TargetName::Raid1 => (true, paths.is_some()),
            TargetName::Multipath => (false, true),
        };
        let of_mirror = |number| if mirror { number } else { u32::MAX };
        let of_paths = |number| if multipath { number } else { u32::MAX };
        Stack {
            target: Some(target.into()),
            linear: self.key(5, |draw| draw.length(8192).max(8)),
            log: self.key(of_mirror(4), Self::word::<Log>),
            region_size: self.key(of_mirror(2), |draw| 8 << draw.0.u32(0..10)),
            sync: self.key(of_mirror(5), Self::word::<Sync>),
            handle_errors: self.key(of_mirror(10), |draw| draw.0.bool()),
            keep_log: self.key(of_mirror(4), |draw| draw.0.bool()),
            paths: paths.map(Sweep::of),
            queue_mode: self.key(of_paths(2), Self::word::<QueueMode>),
            path_selector: self.key(of_paths(2), Self::word::<PathSelector>),
            path_grouping: self.key(of_paths(2), Self::word::<PathGrouping>),
            queue_if_no_path: self.key(of_paths(5), |draw| draw.0.bool()),
            pg_init_retries: self.key(of_paths(16), |draw| draw.0.u32(limits::PG_INIT_RETRIES)),
            pg_init_delay_msecs: self.key(of_paths(16), |draw| draw.0.u32(limits::PG_INIT_DELAY)),
            no_path_retry: self.key(of_paths(60), |draw| match draw.0.u32(0..3) {
                0 => NoPathRetry::Fail,
                1 => NoPathRetry::Queue,
                _ => NoPathRetry::Checks(draw.0.u32(limits::CHECKS)),
            }),
        }
    }

    fn legs(&mut self, target: TargetName) -> Legs {
        let controller = match self.0.u32(0..10) {
            0..3 => Controller::VirtioBlk,
            3..6 => Controller::Target,
            _ => self.word(),
        };
        let count = self.of(&[2, 2, 2, 3, 4]);
        let most = controller.profile().limits.leg_sectors;
        let size = match self.0.u32(0..8) {
            0 => self.length(most).max(8),
            1 => self.length(Limits::LEG_SECTORS.min(most)).max(64),
            2..5 => self.length(limits::SYNCED_SECTORS.min(most)).max(64),
            _ => 131_072.min(most),
        };
        let mut offset = || match target {
            TargetName::Raid1 => self.length(4096),
            TargetName::Multipath => 0,
        };
        let (one, each) = (offset(), (0..count).map(|_| offset()).collect::<Vec<_>>());
        Legs {
            controller: Sweep::of(controller),
            count: Sweep::of(count),
            logical_block_size: match controller {
                Controller::Target => self.or(4, 512, |_| 4096),
                _ => Sweep::of(512),
            },
            size: Sweep::of(size),
            offset: match self.0.u32(0..8) {
                0 => List::of([one]),
                1 => List::of(each),
                _ => List::of([0]),
            },
            max_sectors_kb: self.key(4, |draw| draw.length(1280).max(4) as u32),
            max_transfer: self.key(6, |draw| draw.length(1024) as u32),
            on_error: self.or(20, OnError::Report, Self::word),
        }
    }

    fn io(&mut self, op: Sweep<Op>, sectors: u64, size: u64) -> Io {
        let room = size.saturating_sub(sectors);
        Io {
            op,
            path: self.or(3, Path::Direct, Self::word),
            dsync: self.or(5, false, |draw| draw.0.bool()),
            sector: match self.0.u32(0..4) {
                0 => Sweep::of(0),
                1 => Sweep::of(room),
                2 => Sweep::of(2048.min(room)),
                _ => Sweep::of(self.length(room.max(1)).min(room)),
            },
            sectors: Sweep::of(sectors),
            vector: self.or(2, Vector::Contiguous, Self::word),
            requests: self.or(3, 1, |draw| match draw.0.u32(0..8) {
                0 => draw.length(limits::REQUESTS.into()) as u32,
                _ => draw.0.u32(1..=16),
            }),
            overlap: self.or(6, 0, |draw| draw.length(64)),
            submitters: self.or(6, 1, |draw| draw.0.u32(1..=limits::SUBMITTERS)),
        }
    }

    fn fault(
        &mut self,
        index: usize,
        controller: Controller,
        legs: u8,
        paths: Option<u8>,
        sectors: u64,
    ) -> Fault {
        let is_target = controller == Controller::Target;
        Fault {
            disk: Some(Given::from(match self.one_in(12) {
                true => self.word(),
                false => Disk::Leg,
            })),
            during: Some(Given::from(match self.one_in(16) {
                true => self.word(),
                false => During::Io,
            })),
            leg: Sweep::of(self.0.u8(0..legs)),
            path: paths.map(|paths| Sweep::of(self.0.u8(0..paths))),
            op: self.key(4, Self::word),
            at: match self.one_in(10) && index > 0 {
                true => At::Same(0..0),
                false => At::Offsets(Sweep::of(self.offset(sectors))),
            },
            times: self.or(3, Times::Always, |draw| match draw.0.u32(0..3) {
                0 => Times::Count(1),
                _ => Times::Count(draw.0.u32(1..16)),
            }),
            errno: self.or(5, Errno(5), |draw| {
                let (_, errno) = draw.of(&errno::NAMES);
                Errno(errno)
            }),
            report: self.key(if is_target { 2 } else { u32::MAX }, |draw| {
                let words = FaultReport::all_words();
                let word = &words[draw.0.usize(0..words.len())];
                word.parse().unwrap_or_default()
            }),
        }
    }

    fn offset(&mut self, sectors: u64) -> Offset {
        match self.0.u32(0..8) {
            0 => Offset::First,
            1 => Offset::Middle,
            2 => Offset::Last,
            _ => Offset::Sectors(self.0.u64(0..sectors.max(1))),
        }
    }

    fn hold(&mut self, index: u8, legs: u8, sectors: u64) -> Hold {
        Hold {
            leg: Sweep::of(self.0.u8(0..legs)),
            at: Sweep::of(self.offset(sectors)),
            then: self.or(3, Ending::Ok, Self::word),
            meanwhile: match index {
                0 => self.or(1, Meanwhile::Nothing, Self::word),
                _ => Sweep::of(Meanwhile::Nothing),
            },
            place: self.key(2, |draw| draw.0.u8(0..=index)),
        }
    }

    fn soak(&mut self) -> Soak {
        let filesystem = self.key(2, Self::word::<Filesystem>);
        // In a few seconds a file system may meet no failure.
        let seconds = filesystem.is_none() && self.one_in(2);
        Soak {
            // Of fewer I/Os none may meet a fault.
            count: (!seconds).then(|| Sweep::of(self.0.u32(20..200))),
            seconds: seconds.then(|| Sweep::of(self.0.u32(2..6))),
            filesystem,
            round: self.key(2, |draw| draw.0.u32(0..1000)),
        }
    }
}

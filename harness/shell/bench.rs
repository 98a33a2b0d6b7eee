//! Answers what the guest's commands ask of the host.
//!
//! They are commands in the guest, not keys of the client: so they can have arguments and
//! an exit status, be used in a script and be piped.

use super::session::Question;
use super::{help, texts};
use crate::cli::exit::{Exit, exit_code};
use crate::results::Tally;
use crate::runner::{Manner, Station, clear_away, perform, set_up};
use halfway_case::observation::{Command, Entry};
use halfway_case::{Case, Disk, During, Fault};
use halfway_oracle::model;
use halfway_protocol::message::Request;
use halfway_protocol::session::Message;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

/// The stack of a case, and what has happened to it since it was built.
pub struct Bench<'a> {
    station: &'a mut Station,
    case: Case,
    seed: u64,
    deadline: Duration,
    armed: bool,
    /// The requests that reached the disks while the stack was built.
    set_up: Vec<Entry>,
    /// The requests that have reached the disks since.
    journal: Vec<Entry>,
    /// Why the stack is no longer as the case builds it; `None` if it still is.
    changed: Option<&'static str>,
}

/// The text that a command prints, and its exit status.
type Answer = (String, u8);

/// An error, in words.
type Trouble = String;

impl<'a> Bench<'a> {
    /// Builds the stack of `case`. `deadline` is how long an I/O may take.
    ///
    /// # Errors
    /// What the guest or the host refused, in words.
    pub async fn build(
        station: &'a mut Station,
        case: Case,
        seed: u64,
        deadline: Duration,
    ) -> Result<Self, Trouble> {
        let mut bench = Bench {
            station,
            deadline: case.legs.controller.profile().deadline(deadline),
            case,
            seed,
            armed: true,
            set_up: Vec::new(),
            journal: Vec::new(),
            changed: None,
        };
        bench.set_up().await?;
        Ok(bench)
    }

    /// Asks the guest to serve a session on the port with that name.
    ///
    /// # Errors
    /// What the guest refused, in words.
    pub async fn open(&self, port: &str) -> Result<(), Trouble> {
        let port = port.to_owned();
        let opened = self.station.guest.call(Request::Shell { port }).await;
        opened.map(drop).map_err(|error| error.to_string())
    }

    /// The text of `halfway-help`: which commands and disks there are.
    pub fn help(&self) -> String {
        help::text(&self.case, &self.station.disks)
    }

    /// Answers questions one after the other, until no more can come.
    pub async fn serve(
        &mut self,
        mut questions: UnboundedReceiver<Question>,
        answers: UnboundedSender<Message>,
    ) {
        while let Some(Question { id, words }) = questions.recv().await {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let answer = match words[..] {
                ["halfway-fault"] => self.fault(),
                ["halfway-fault", "arm"] => self.arm(true).await,
                ["halfway-fault", "disarm"] => self.arm(false).await,
                ["halfway-io"] => self.io().await,
                ["halfway-reset"] => self.reset().await,
                ["halfway-help"] => Ok((halfway_oracle::explain(&self.case) + &self.help(), 0)),
                _ => Ok((self.help(), Exit::Usage.code())),
            };
            let (text, status) =
                answer.unwrap_or_else(|trouble| (trouble + "\n", Exit::Infrastructure.code()));
            // After the end of the session nobody receives the answer.
            let _ = answers.send(Message::Answer { id, text, status });
        }
    }

    async fn set_up(&mut self) -> Result<(), Trouble> {
        self.set_up =
            (set_up(self.station, &self.case, self.seed).await).map_err(|why| why.to_string())?;
        self.collect()?;
        self.journal.clear();
        (self.armed, self.changed) = (true, None);
        Ok(())
    }

    /// Moves what has reached the disks into this journal.
    fn collect(&mut self) -> Result<(), Trouble> {
        let collected = (self.station.storage).collect(&self.case.legs, &self.case.io);
        let (entries, _) = collected.map_err(|error| format!("The disks failed: {error}"))?;
        // Do not count flushes: QEMU flushes by itself when a fault is armed.
        let by_hand = |entry: &Entry| entry.command != Command::Flush;
        if entries.iter().any(by_hand) {
            self.changed = self.changed.or(Some("other I/O has reached its disks"));
        }
        self.journal.extend(entries);
        Ok(())
    }

    fn fault(&mut self) -> Result<Answer, Trouble> {
        self.collect()?;
        Ok((texts::fault(&self.case, self.armed, &self.journal), 0))
    }

    async fn arm(&mut self, armed: bool) -> Result<Answer, Trouble> {
        // Collect first: which entries count as failed by a fault depends on the faults
        // armed at that time.
        self.collect()?;
        let case = self.case.clone();
        let log = case.other_faults_of(Disk::Log, During::Io).cloned();
        let (faults, log): (Vec<Fault>, Vec<Fault>) = match armed {
            true => (case.faults.clone(), log.collect()),
            false => Default::default(),
        };
        let done = self.station.arm(&case.legs, &faults, &log).await;
        done.map_err(|error| format!("The fault could not be changed: {error}"))?;
        self.armed = armed;
        self.fault()
    }

    async fn reset(&mut self) -> Result<Answer, Trouble> {
        let gone = clear_away(self.station, &self.case).await;
        gone.map_err(|why| format!("The stack could not be taken down: {why}"))?;
        self.changed = Some("it could not be built anew");
        self.set_up().await?;
        Ok((
            "The stack is built anew, and the fault is armed.\n".to_owned(),
            0,
        ))
    }

    /// The case with only those faults that are armed now.
    fn as_armed(&self) -> Case {
        let mut case = self.case.clone();
        if !self.armed {
            case.faults.clear();
            case.other_faults
                .retain(|other| other.during == During::SetUp);
        }
        case
    }

    /// Does the case's I/O and has it judged. Some cases build the stack in a special way
    /// or take it apart as part of the I/O; for these the stack is built anew.
    async fn io(&mut self) -> Result<Answer, Trouble> {
        self.collect()?;
        let case = self.as_armed();
        let standing = !(model::races_recovery(&case)
            || model::unplugs(&case)
            || case.soak.is_some()
            || case.stack.no_path_retry().is_some());
        if !standing {
            let gone = clear_away(self.station, &case).await;
            gone.map_err(|why| format!("The stack could not be taken down: {why}"))?;
            self.changed = None;
        }
        let manner = Manner {
            deadline: self.deadline,
            attempt: 1,
            watched: false,
            standing,
            due: model::due(&case),
        };
        let performed = perform(self.station, &case, self.seed, manner).await;
        let mut seen = performed.map_err(|error| format!("The disks failed: {error}"))?;
        if standing {
            seen.set_up.clone_from(&self.set_up);
        }
        let verdict = halfway_oracle::judge(&case, &seen);
        let text = texts::io(&case, &seen, &verdict, self.changed);
        let status = exit_code(&Tally::from_iter([(verdict.outcome, 1)]), false).code();
        if standing {
            self.journal.append(&mut seen.journal);
            self.changed = Some("its I/O was done before");
        } else {
            let armed = self.armed;
            self.changed = Some("it could not be built anew");
            self.set_up().await.map_err(|why| format!("{text}{why}"))?;
            if !armed {
                self.arm(false).await?;
            }
        }
        Ok((text, status))
    }
}

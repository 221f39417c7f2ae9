//! The gateway's process: the real records machine and its journal, with a shell made for simulations. Effects are
//! performed one by one, in order, and between any two the process may die.

use super::{disk::Disk, gateway::Station, now_ms, stream, wire::Wire};
use crate::witness::Witness;
use alloy_primitives::Bytes;
use client::{Head, VerifiedBlock};
use commonware_macros::select;
use commonware_runtime::{Clock as _, Spawner as _, Supervisor as _, deterministic::Context};
use commonware_utils::channel::mpsc;
use db::{Cursor, Entry, Write};
use operations::{
    journal,
    observe::observe,
    record::{Alarm, Effect, Input, Machine},
    transaction,
};
use rand::RngExt as _;
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, SystemTime},
};

/// Verified blocks that may wait for the machine.
const BLOCKS_MAX: usize = 8;

/// One life of a gateway.
pub struct Process {
    pub context: Context,
    pub station: Arc<Station>,
    pub disk: Arc<Disk>,
    pub life: u64,
    pub wire: Wire,
    pub witness: Witness,
}

/// Why a session is over.
enum End {
    /// The process was killed.
    Killed,
    /// A write failed: on from the journal.
    JournalFailed,
}

impl Process {
    /// Runs until the process is killed.
    pub async fn run(mut self, mut accepted: mpsc::UnboundedReceiver<Entry>) {
        loop {
            match self.session(&mut accepted).await {
                Err(End::JournalFailed) => {
                    self.witness.fault("journal_full");
                    let pause = Duration::from_millis(self.context.random_range(50..400));
                    self.context.sleep(pause).await;
                }
                Err(End::Killed) => return,
                Ok(never) => match never {},
            }
        }
    }

    /// From the journal to the first write that fails.
    async fn session(
        &mut self,
        accepted: &mut mpsc::UnboundedReceiver<Entry>,
    ) -> Result<std::convert::Infallible, End> {
        let genesis = Cursor {
            height: 0,
            hash: self.station.network.genesis(),
        };
        let config = self.station.machine_config();
        let machine = self
            .disk
            .with(self.life, |db| {
                journal::start_at(genesis, db)?;
                db.read(|view| journal::recover(config, view))
            })
            .ok_or(End::Killed)?;
        let mut machine = match machine {
            Ok(machine) => machine,
            Err(error) => {
                self.witness
                    .violation(format!("the journal cannot be recovered: {error}"));
                return Err(End::Killed);
            }
        };
        let status = machine.status();
        if status.in_flight > 0 {
            self.witness.mark("recovered_in_flight");
        }
        let (verified, mut blocks) = mpsc::channel(BLOCKS_MAX);
        let start = Head {
            height: status.cursor.height,
            hash: status.cursor.hash,
        };
        let (wire, witness) = (self.wire.clone(), self.witness.clone());
        let (services, network) = (self.station.services, self.station.network.clone());
        // It ends with the session, which drops the receiver.
        self.context.child("stream").spawn(move |context| {
            stream::follow(context, wire, services, witness, network, start, verified)
        });
        let (answers, mut answered) = mpsc::unbounded_channel();
        self.take(&mut machine, Input::Tick, &answers).await?;
        loop {
            let tick = async {
                match machine.deadline().map(time) {
                    Some(deadline) => self.context.sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            let input = select! {
                answer = answered.recv() => answer,
                entry = accepted.recv() => entry.map(|entry| Input::Accepted(vec![entry])),
                block = blocks.recv() => match block {
                    Some(block) => self.facts(&machine, &block),
                    None => None,
                },
                _ = tick => Some(Input::Tick),
            };
            // The desk and the stream live as long as the process, and no block of the chain is unintelligible.
            let input = input.ok_or(End::Killed)?;
            self.take(&mut machine, input, &answers).await?;
        }
    }

    fn facts(&self, machine: &Machine, block: &VerifiedBlock) -> Option<Input> {
        if block.headers.len() > 1 {
            self.witness.mark("proved_by_later_block");
        }
        match observe(block, &self.station.relayer, &machine.watch()) {
            Ok(facts) => Some(Input::Block(facts)),
            Err(error) => {
                self.witness.violation(error.to_string());
                None
            }
        }
    }

    /// Gives the machine an input and performs what comes of it.
    async fn take(
        &mut self,
        machine: &mut Machine,
        input: Input,
        answers: &mpsc::UnboundedSender<Input>,
    ) -> Result<(), End> {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for effect in machine.step(now_ms(&self.context), input) {
                self.pause().await?;
                inputs.extend(self.perform(effect, answers)?);
            }
        }
        if machine.status().in_flight > 1 {
            self.witness.mark("several_in_flight");
        }
        Ok(())
    }

    /// A moment in which the process may die, between two effects.
    async fn pause(&mut self) -> Result<(), End> {
        let moment = Duration::from_millis(self.context.random_range(0..3));
        self.context.sleep(moment).await;
        if self.wire.strikes(self.station.services.crashes) {
            self.witness.fault("gateway_crash_between_effects");
            self.disk.kill();
        }
        self.disk.with(self.life, |_| ()).ok_or(End::Killed)
    }

    fn perform(
        &mut self,
        effect: Effect,
        answers: &mpsc::UnboundedSender<Input>,
    ) -> Result<Option<Input>, End> {
        match effect {
            Effect::Persist(write) => self.persist(&write)?,
            Effect::Sign {
                nonce,
                max_fee_per_gas,
                entries,
            } => return Ok(Some(self.sign(nonce, max_fee_per_gas, &entries))),
            Effect::Send {
                nonce,
                raw,
                attempt,
            } => {
                if attempt > 0 {
                    self.witness.mark("sent_again");
                }
                self.send(nonce, raw, answers.clone());
            }
            Effect::ReadNonce { .. } => {
                let (wire, answers) = (self.wire.clone(), answers.clone());
                let account = self.station.relayer.account;
                self.wire.context().spawn(move |_| async move {
                    let _ = answers.send(Input::NonceRead(wire.nonce(account).await));
                });
            }
            Effect::Find { entries, .. } => {
                // This journal has followed the chain since genesis: nothing can be claimed behind its back.
                self.witness
                    .violation(format!("{} claims were missed", entries.len()));
            }
            Effect::Settled(ids) => self.told(&ids),
            Effect::Alarm(alarm) => self.alarm(&alarm),
        }
        Ok(None)
    }

    /// Writes. A write that fails is not done, or is, and the process cannot know.
    fn persist(&self, write: &Write) -> Result<(), End> {
        let fails = self.wire.strikes(self.station.services.failed_writes);
        if fails && self.wire.strikes(500) {
            return Err(End::JournalFailed);
        }
        let written = self
            .disk
            .with(self.life, |db| journal::apply(write, db))
            .ok_or(End::Killed)?;
        if let Err(error) = written {
            self.witness
                .violation(format!("the journal refused {write:?}: {error}"));
            return Err(End::Killed);
        }
        if fails {
            Err(End::JournalFailed)
        } else {
            Ok(())
        }
    }

    fn sign(&self, nonce: u64, max_fee_per_gas: u128, entries: &[contracts::Entry]) -> Input {
        if self.wire.strikes(self.station.services.failed_signatures) {
            self.witness.fault("signature");
            return Input::SignFailed { nonce };
        }
        let chain_id = self.station.network.chain_id();
        let signer = &self.station.signer;
        match transaction::sign(signer, chain_id, nonce, max_fee_per_gas, entries) {
            Ok(signed) => Input::Signed {
                nonce,
                hash: signed.hash,
                raw: signed.raw,
            },
            Err(error) => {
                self.witness.violation(format!("unsignable: {error}"));
                Input::SignFailed { nonce }
            }
        }
    }

    fn send(&self, nonce: u64, raw: Bytes, answers: mpsc::UnboundedSender<Input>) {
        self.witness.sent(self.station.relayer.account, nonce, &raw);
        let wire = self.wire.clone();
        self.wire.context().spawn(move |_| async move {
            let answer = wire.submit(raw).await;
            let _ = answers.send(Input::Sent { nonce, answer });
        });
    }

    /// Whoever waits is told; what they then read must be there.
    fn told(&self, ids: &[alloy_primitives::B256]) {
        for id in ids {
            let row = self
                .disk
                .with(self.life, |db| db.read(|view| view.record_by_id(id)));
            let settled = matches!(&row, Some(Ok(Some(row))) if row.state.is_settled());
            if row.is_some() && !settled {
                self.witness
                    .violation(format!("{id} was called settled before it was on disk"));
            }
        }
    }

    fn alarm(&self, alarm: &Alarm) {
        self.witness.mark(match alarm {
            Alarm::Refused { .. } => "send_refused",
            Alarm::NonceGap { .. } => "nonce_gap",
            Alarm::SignFailed => "signature_failed",
            // Nobody else has the key, no batch is wrong, and the stream has no gaps.
            Alarm::ForeignTransaction { .. } | Alarm::Reverted { .. } | Alarm::BlockGap { .. } => {
                self.witness.violation(format!("alarm: {alarm}"));
                "impossible_alarm"
            }
        });
    }
}

fn time(unix_ms: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(unix_ms)
}

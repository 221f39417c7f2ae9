//! The loop.

use std::{
    collections::VecDeque,
    ops::RangeInclusive,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use client::{
    VerifiedBlock,
    rpc::Nodes,
    stream::{self, Event},
};
use db::{Cursor, Write};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};

use super::{
    ChainView, Config, Counters, Error, Inbox, Journal, Order,
    desk::Desk,
    node::{Caller, Lines},
};
use crate::{
    journal,
    observe::{Relayer, observe},
    operation::{self, Place},
    record::{Alarm, Effect, Input, Machine},
    transaction,
};

/// Most accepted records taken in at once.
const ACCEPTED_MAX: usize = 4_096;

/// Between attempts to write after a failure.
const RETRY: Duration = Duration::from_millis(500);

/// Between attempts to find a node at the first start, at least and at most: an eighth of the time that it has been looking,
/// so that a gateway that starts beside its node is not much later than that.
const LOOK_AGAIN: RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_secs(5);

/// How long nodes that start beside a gateway may take.
const STARTING: Duration = Duration::from_secs(5);

/// Runs until `shutdown` ends (with `Ok`), or until going on would be wrong.
pub async fn run(
    config: Config,
    journal: Journal,
    mut inbox: Inbox,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let nodes = Arc::new(Nodes::new(&config.nodes, config.call_timeout)?);
    let work = async {
        loop {
            match session(&config, &nodes, &journal, &mut inbox).await {
                Err(Error::Journal(error)) if error.is_retryable() => {
                    tracing::error!(%error, "the journal could not be written; going on from it when it can");
                    Counters::count(&inbox.counters.recoveries, 1);
                    inbox.view.send_modify(|view| {
                        view.status = None;
                        view.trouble = Some(explain(&error));
                    });
                    sleep(RETRY).await;
                }
                ended => break ended,
            }
        }
    };
    tokio::select! {
        ended = work => ended.map(|never| match never {}),
        () = shutdown => Ok(()),
    }
}

/// From the journal to the first write that fails.
async fn session(
    config: &Config,
    nodes: &Arc<Nodes>,
    journal: &Journal,
    inbox: &mut Inbox,
) -> Result<std::convert::Infallible, Error> {
    let cursor = start(config, nodes, journal, inbox).await?;
    let machine_config = config.machine.clone();
    let readers = journal.readers.clone();
    let machine = read(move || readers.read(|view| journal::recover(machine_config, view))).await?;
    let mut stream_config = stream::Config::new(
        config.nodes.clone(),
        config.network.clone(),
        client::Head {
            height: cursor.height,
            hash: cursor.hash,
        },
    );
    stream_config.stall = config.stall;
    stream_config.quarantine = config.quarantine;
    let mut events = stream::follow(stream_config)?;
    let (answers, mut answered) = mpsc::unbounded_channel();
    let (desk_answers, mut desk_answered) = mpsc::unbounded_channel();
    let relayer = config.relayer();
    let lines = Lines::new(Arc::clone(nodes));
    let desk = match &config.operations {
        Some(operating) => {
            let place = Place {
                code: operating.code,
                network: relayer.network.clone(),
            };
            let lines = lines.clone();
            Some(Desk::recover(operating, place, lines, journal, desk_answers).await?)
        }
        None => None,
    };
    let caller = Caller::new(lines, relayer.clone(), answers);
    let mut session = Session {
        config,
        relayer,
        journal,
        inbox,
        machine,
        desk,
        caller,
        clock: Clock::start(),
    };
    let (mut accepted, mut open) = (Vec::new(), true);
    session.tick().await?;
    loop {
        let deadline = session.deadline();
        tokio::select! {
            count = session.inbox.accepted.recv_many(&mut accepted, ACCEPTED_MAX), if open => {
                // Without handles nobody asks for anything any more, but what is open goes on.
                open = count > 0;
                session.inbox.arriving.fetch_sub(count, Ordering::Relaxed);
                session.take(Input::Accepted(std::mem::take(&mut accepted))).await?;
            }
            event = events.recv() => match event {
                Some(event) => session.event(event).await?,
                None => return Err(Error::StreamEnded),
            },
            Some(order) = session.inbox.orders.recv() => session.order(order).await?,
            Some(input) = answered.recv() => session.take(input).await?,
            Some(input) = desk_answered.recv() => session.operate(input).await?,
            () = sleep_until(deadline.unwrap_or_else(far)), if deadline.is_some() => session.tick().await?,
        }
    }
}

/// Where the journal's stream goes on. A new journal starts at a final block that a node proves.
async fn start(
    config: &Config,
    nodes: &Nodes,
    journal: &Journal,
    inbox: &Inbox,
) -> Result<Cursor, Error> {
    let readers = journal.readers.clone();
    if let Some(mut cursor) = read(move || readers.read(|view| view.cursor())).await? {
        if config.operations.is_some() {
            cursor = beginning(journal, cursor).await?;
        }
        inbox.view.send_modify(|view| {
            view.head = Some(client::Head {
                height: cursor.height,
                hash: cursor.hash,
            });
        });
        return Ok(cursor);
    }
    let begin = Instant::now();
    loop {
        match nodes.verified_head(&config.network).await {
            Ok(head) => {
                let cursor = Cursor {
                    height: head.height,
                    hash: head.hash,
                };
                journal
                    .writer
                    .write(move |tx| tx.set_cursor(&cursor))
                    .await?;
                if config.operations.is_some() {
                    beginning(journal, cursor).await?;
                }
                inbox.view.send_modify(|view| {
                    view.head = Some(head);
                    // It is the newest there is. Block 0 shows nothing: nobody had to sign it.
                    view.block_at = (head.height > 0).then(Instant::now);
                });
                return Ok(cursor);
            }
            Err(error) => {
                // A node that starts beside this gateway is no reason to worry anybody.
                if begin.elapsed() < STARTING {
                    tracing::debug!(error = explain(&error), "no node answers yet");
                } else {
                    tracing::warn!(error = explain(&error), "no node proves a final block yet");
                }
                inbox
                    .view
                    .send_modify(|view| view.trouble = Some(explain(&error)));
                sleep((begin.elapsed() / 8).clamp(*LOOK_AGAIN.start(), *LOOK_AGAIN.end())).await;
            }
        }
    }
}

/// Where the stream of both machines goes on: at the earlier of their cursors. Operations that are new begin where records are.
async fn beginning(journal: &Journal, records: Cursor) -> Result<Cursor, Error> {
    let started = journal
        .writer
        .write(move |tx| match tx.operation_cursor()? {
            Some(operations) => Ok(operations),
            None => tx.set_operation_cursor(&records).map(|()| records),
        });
    let operations = started.await?;
    Ok(if operations.height < records.height {
        operations
    } else {
        records
    })
}

/// Reads off the runtime's threads.
pub(super) async fn read<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, db::Error> + Send + 'static,
) -> Result<T, db::Error> {
    tokio::task::spawn_blocking(read)
        .await
        .unwrap_or(Err(db::Error::Stopped))
}

/// An error with what caused it.
fn explain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

struct Session<'a> {
    config: &'a Config,
    relayer: Relayer,
    journal: &'a Journal,
    inbox: &'a mut Inbox,
    machine: Machine,
    desk: Option<Desk>,
    caller: Caller,
    clock: Clock,
}

impl Session<'_> {
    /// When a machine is to look at the clock.
    fn deadline(&self) -> Option<Instant> {
        let operations = self.desk.as_ref().and_then(Desk::deadline);
        let deadline = [self.machine.deadline(), operations].into_iter().flatten();
        deadline
            .min()
            .map(|deadline_ms| self.clock.instant(deadline_ms))
    }

    async fn tick(&mut self) -> Result<(), Error> {
        self.take(Input::Tick).await?;
        self.operate(operation::Input::Tick).await
    }

    async fn order(&mut self, order: Order) -> Result<(), Error> {
        let input = match order {
            Order::Accepted(entry) => operation::Input::Accepted(vec![entry]),
            Order::Cancel(seq) => operation::Input::Cancel { seq },
        };
        self.operate(input).await
    }

    /// Gives the operations machine an input, if there is one.
    async fn operate(&mut self, input: operation::Input) -> Result<(), Error> {
        let now_ms = self.clock.now_ms();
        match &mut self.desk {
            Some(desk) => desk.take(input, now_ms, self.inbox).await,
            None => Ok(()),
        }
    }

    async fn event(&mut self, event: Event) -> Result<(), Error> {
        match event {
            Event::Connected { node } => {
                tracing::info!(node, "following its final blocks");
                self.inbox.view.send_modify(|view| {
                    view.node = Some(node);
                    view.trouble = None;
                });
            }
            Event::Left { node, reason } => {
                tracing::warn!(node, reason, "left a node");
                Counters::count(&self.inbox.counters.nodes_left, 1);
                self.leave(format!("{node}: {reason}")).await?;
            }
            Event::Lied(evidence) => {
                tracing::error!(node = evidence.node, fault = ?evidence.fault, "a node lied");
                Counters::count(&self.inbox.counters.lies, 1);
                self.leave(evidence.to_string()).await?;
            }
            Event::Block(block) => self.block(&block).await?,
        }
        Ok(())
    }

    async fn leave(&mut self, trouble: String) -> Result<(), Error> {
        self.inbox.view.send_modify(|view| {
            view.node = None;
            view.trouble = Some(trouble);
        });
        self.take(Input::NodeLost).await?;
        self.operate(operation::Input::NodeLost).await
    }

    async fn block(&mut self, block: &VerifiedBlock) -> Result<(), Error> {
        let facts = observe(block, &self.relayer, &self.machine.watch())?;
        self.take(Input::Block(facts)).await?;
        let now_ms = self.clock.now_ms();
        if let Some(desk) = &mut self.desk {
            desk.block(block, now_ms, self.inbox).await?;
        }
        Counters::count(&self.inbox.counters.blocks, 1);
        self.inbox
            .view
            .send_modify(|view: &mut ChainView| view.push(block));
        Ok(())
    }

    /// Gives the machine an input, and performs what comes of it.
    async fn take(&mut self, input: Input) -> Result<(), Error> {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for effect in self.machine.step(self.clock.now_ms(), input) {
                if let Some(input) = self.perform(effect).await? {
                    inputs.push_back(input);
                }
            }
        }
        let status = self.machine.status();
        self.inbox.view.send_if_modified(|view| {
            let changed = view.status != Some(status);
            view.status = Some(status);
            changed
        });
        Ok(())
    }

    async fn perform(&mut self, effect: Effect) -> Result<Option<Input>, Error> {
        match effect {
            Effect::Persist(write) => self.persist(write).await?,
            Effect::Sign {
                nonce,
                max_fee_per_gas,
                entries,
            } => {
                return Ok(Some(self.sign(nonce, max_fee_per_gas, &entries)));
            }
            Effect::Send {
                nonce,
                raw,
                attempt,
            } => {
                Counters::count(&self.inbox.counters.sends, 1);
                self.caller.send(nonce, raw, attempt);
            }
            Effect::ReadNonce { attempt } => self.caller.read_nonce(attempt),
            Effect::Find { entries, attempt } => {
                self.caller
                    .find(entries, self.machine.status().cursor.height, attempt);
            }
            Effect::Settled(ids) => {
                Counters::count(&self.inbox.counters.settled, ids.len());
                self.inbox.waiters.tell(&ids);
            }
            Effect::Alarm(alarm) => self.alarm(&alarm),
        }
        Ok(None)
    }

    async fn persist(&self, write: Write) -> Result<(), Error> {
        Ok(self
            .journal
            .writer
            .write(move |tx| tx.apply(&write))
            .await?)
    }

    fn sign(&self, nonce: u64, max_fee_per_gas: u128, entries: &[contracts::Entry]) -> Input {
        let chain_id = self.config.network.chain_id();
        match transaction::sign(
            &self.config.signer,
            chain_id,
            nonce,
            max_fee_per_gas,
            entries,
        ) {
            Ok(signed) => {
                Counters::count(&self.inbox.counters.signed, 1);
                Input::Signed {
                    nonce,
                    hash: signed.hash,
                    raw: signed.raw,
                }
            }
            Err(error) => {
                tracing::error!(%error, nonce, "a batch could not be signed");
                Input::SignFailed { nonce }
            }
        }
    }

    fn alarm(&self, alarm: &Alarm) {
        tracing::warn!(%alarm, "the records machine");
        self.inbox.counters.alarm(alarm);
    }
}

/// Unix time that never goes back: the wall clock once, the monotonic clock from then on.
struct Clock {
    started_ms: u64,
    started: Instant,
}

impl Clock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the shell is where the clock is read"
    )]
    fn start() -> Self {
        let unix = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            started_ms: u64::try_from(unix.as_millis()).unwrap_or(u64::MAX),
            started: Instant::now(),
        }
    }

    fn now_ms(&self) -> u64 {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.started_ms.saturating_add(elapsed)
    }

    fn instant(&self, at_ms: u64) -> Instant {
        self.started + Duration::from_millis(at_ms.saturating_sub(self.started_ms))
    }
}

//! The mempool's loop: one owner of the pool, fed by submissions, gossip and final blocks.

use super::{
    Config, Fate,
    arrivals::Arrivals,
    gossip,
    ingress::{Mailbox, Message},
    state::{Budget, Pool, Refused},
};
use crate::{alias::Runtime, execution, rules};
use alloy_primitives::{Address, Bytes};
use commonware_macros::select;
use commonware_p2p::{Receiver, Sender};
use commonware_utils::channel::{mpsc, oneshot};
use evm::Environment;
use state::{SharedDatabase, StateError, StateRead as _};
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tracing::{debug, info, warn};
use types::{Account, StateKey, StateValue, Transaction};

/// How often what waits is looked over.
const TICK: Duration = Duration::from_millis(500);
/// Our own transactions still waiting after this long are gossiped again.
const RESEND_MS: u64 = 2_000;
/// How many of them at a tick.
const RESEND_COUNT: usize = 512;

/// Senders held against their accounts after each block, besides those that the block changed.
const REVALIDATED: usize = 256;

/// A proposal waiting for transactions.
struct Waiting {
    budget: Budget,
    deadline: SystemTime,
    reply: oneshot::Sender<Vec<Arc<Transaction>>>,
}

/// The mempool before it runs.
pub struct Actor<E> {
    context: E,
    config: Config,
    environment: Environment,
    pool: Pool,
    inbox: mpsc::Receiver<Message>,
    mailbox: mpsc::Sender<Message>,
    waiting: Vec<Waiting>,
    /// The last sender that was held against its account in turn.
    looked_at: Address,
    arrivals: Arrivals,
}

impl<E: Runtime> Actor<E> {
    /// A mempool and the handle to it.
    pub fn new(context: E, config: Config) -> (Self, Mailbox) {
        let (sender, inbox) = mpsc::channel(config.mailbox_size);
        let arrivals = Arrivals::default();
        let mailbox = Mailbox::new(sender.clone(), config.recovery.clone(), arrivals.clone());
        let environment =
            rules::pending_environment(&config.spec, config.spec.fork, &config.genesis);
        let pool = Pool::new(config.limits);
        let actor = Self {
            context,
            environment,
            pool,
            inbox,
            mailbox: sender,
            waiting: Vec::new(),
            looked_at: Address::ZERO,
            arrivals,
            config,
        };
        (actor, mailbox)
    }

    /// Runs until the node stops. `database` arrives when the engine has opened it; until then
    /// submissions wait.
    pub fn start<N, R>(
        self,
        database: impl Future<Output = SharedDatabase<E>> + Send + 'static,
        network: (N, R),
    ) where
        N: Sender,
        R: Receiver,
    {
        let (outbox, outbound) = mpsc::channel(self.config.mailbox_size);
        let recovery = self.config.recovery.clone();
        let pool = self.mailbox.clone();
        self.context
            .child("gossip")
            .spawn(move |context| gossip::run(context, recovery, pool, outbound, network));
        self.start_alone(database, outbox);
    }

    /// As [`Self::start`] on a node that speaks with no validators: what they are to have goes to `outbox`, again every two
    /// seconds as long as it waits here.
    pub fn start_alone(
        self,
        database: impl Future<Output = SharedDatabase<E>> + Send + 'static,
        outbox: mpsc::Sender<Bytes>,
    ) {
        let context = self.context.child("mempool");
        context.spawn(|context| async move {
            let stopped = context.stopped();
            let run = async {
                let database = database.await;
                self.run(context, database, outbox).await;
            };
            // The engine lets the database go when the node stops; who asks for it then, panics.
            select! {
                _ = stopped => {},
                () = run => {},
            }
        });
    }

    async fn run(mut self, context: E, database: SharedDatabase<E>, outbox: mpsc::Sender<Bytes>) {
        let mut tick = context.current() + TICK;
        loop {
            let wake = self
                .waiting
                .iter()
                .map(|waiting| waiting.deadline)
                .fold(tick, SystemTime::min);
            select! {
                message = self.inbox.recv() => {
                    let Some(message) = message else { return };
                    self.handle(&context, &database, &outbox, message).await;
                },
                _ = context.sleep_until(wake) => {},
            }
            let now = context.current();
            if now >= tick {
                tick = now + TICK;
                self.look_over(milliseconds(now), &outbox);
            }
            self.answer(now);
        }
    }

    async fn handle(
        &mut self,
        context: &E,
        database: &SharedDatabase<E>,
        outbox: &mpsc::Sender<Bytes>,
        message: Message,
    ) {
        match message {
            Message::Insert { transaction, reply } => {
                let now_ms = milliseconds(context.current());
                let taken = self
                    .insert(database, now_ms, &transaction, reply.is_some())
                    .await;
                if let Some(reply) = reply {
                    if taken.is_ok() && outbox.try_send(transaction.raw().clone()).is_err() {
                        debug!("gossip queue full; the transaction will be sent again later");
                    }
                    let _ = reply.send(taken);
                }
            }
            Message::Candidates {
                budget,
                deadline,
                reply,
            } => {
                self.waiting.push(Waiting {
                    budget,
                    deadline,
                    reply,
                });
            }
            Message::Finalized {
                timestamp,
                transactions,
            } => {
                // Pauses end with the chain's time.
                self.environment.timestamp = timestamp;
                self.pool.finalized(&transactions);
                self.revalidate(database, &transactions).await;
            }
            Message::Discard(transactions) => {
                for (hash, reason) in transactions {
                    let fate = Fate::Invalid(reason.clone());
                    if self.pool.remove(&hash, fate).is_some() {
                        info!(%hash, %reason, "discarded a transaction that cannot be executed");
                    }
                }
            }
            Message::Standing { hash, reply } => {
                let _ = reply.send(self.pool.standing(&hash));
            }
            Message::NextNonce {
                address,
                next,
                reply,
            } => {
                let _ = reply.send(self.pool.next_nonce(&address, next));
            }
            Message::Transaction { hash, reply } => {
                let _ = reply.send(self.pool.transaction(&hash).cloned());
            }
            Message::Content { sender, reply } => {
                let _ = reply.send(self.pool.content(sender));
            }
            Message::Census(reply) => {
                let _ = reply.send(self.pool.census());
            }
        }
    }

    async fn insert(
        &mut self,
        database: &SharedDatabase<E>,
        now_ms: u64,
        transaction: &Arc<Transaction>,
        ours: bool,
    ) -> Result<(), Refused> {
        if self.pool.contains(&transaction.hash()) {
            return Err(Refused::AlreadyKnown);
        }
        let (account, permitted) = self.sender(database, transaction).await.map_err(|error| {
            // The engine meets the same failure and stops the node; here the sender is told.
            warn!(%error, "cannot read the sender's account");
            Refused::Full("the state cannot be read")
        })?;
        permitted?;
        self.environment.fork = self.config.upgrades.next_fork();
        self.environment.admit(transaction, &account)?;
        let hash = transaction.hash();
        let taken = self
            .pool
            .insert(now_ms, Arc::clone(transaction), &account, ours)?;
        self.arrivals.push(hash);
        if let Some(old) = taken.replaced {
            debug!(%hash, %old, "replaced a transaction");
        }
        for evicted in taken.evicted {
            info!(%hash, %evicted, "the pool is full: evicted a transaction with a lesser claim");
        }
        Ok(())
    }

    /// A transaction's sender, and whether the rule of who may transact lets it pass now.
    async fn sender(
        &self,
        database: &SharedDatabase<E>,
        transaction: &Transaction,
    ) -> Result<(Account, Result<(), evm::Invalid>), StateError> {
        let state = database.read().await;
        let key = StateKey::Account(transaction.signer());
        let account = match state.read(key).await? {
            StateValue::Account(account) => account,
            _ => Account::default(),
        };
        let permitted = execution::permit(&self.environment, transaction, &*state).await?;
        Ok((account, permitted))
    }

    /// Holds senders against their accounts after a block: those that signed in it or whose code it may have delegated,
    /// and some of the others in turn, since anyone's transaction may have spent what a delegated account had.
    async fn revalidate(&mut self, database: &SharedDatabase<E>, block: &[Arc<Transaction>]) {
        let changed = block.iter().flat_map(|transaction| {
            [transaction.signer()]
                .into_iter()
                .chain(transaction.authorities().iter().copied())
        });
        let in_turn = self.pool.senders_after(&self.looked_at, REVALIDATED);
        if let Some(last) = in_turn.last() {
            self.looked_at = *last;
        }
        let senders: BTreeSet<Address> = changed.chain(in_turn).collect();
        let senders: Vec<Address> = senders.into_iter().collect();
        let keys: Vec<StateKey> = senders.iter().copied().map(StateKey::Account).collect();
        let accounts = match database.read().await.read_many(&keys).await {
            Ok(accounts) => accounts,
            Err(error) => {
                // The engine meets the same failure and stops the node.
                warn!(%error, "cannot read the senders' accounts");
                return;
            }
        };
        for (sender, value) in senders.into_iter().zip(accounts) {
            let account = match value {
                StateValue::Account(account) => account,
                _ => Account::default(),
            };
            for (hash, reason) in self.pool.revalidate(sender, &account) {
                info!(%hash, %reason, "discarded a transaction that its sender cannot pay any more");
            }
        }
    }

    fn look_over(&mut self, now_ms: u64, outbox: &mpsc::Sender<Bytes>) {
        for transaction in self.pool.due(now_ms, RESEND_MS, RESEND_COUNT) {
            if outbox.try_send(transaction.raw().clone()).is_err() {
                break;
            }
        }
        for transaction in self.pool.expire(now_ms) {
            info!(hash = %transaction.hash(), "forgot a transaction that waited too long");
        }
    }

    /// Answers proposals that have waited long enough, or for which there is something.
    fn answer(&mut self, now: SystemTime) {
        self.waiting.retain(|waiting| !waiting.reply.is_closed());
        let mut index = 0;
        while let Some(waiting) = self.waiting.get(index) {
            let chosen = self.pool.candidates(&waiting.budget);
            if chosen.is_empty() && now < waiting.deadline {
                index = index.saturating_add(1);
                continue;
            }
            let waiting = self.waiting.swap_remove(index);
            let _ = waiting.reply.send(chosen);
        }
    }
}

/// Milliseconds since the Unix epoch.
fn milliseconds(time: SystemTime) -> u64 {
    let elapsed = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

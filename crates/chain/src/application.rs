//! The application consensus agrees on: propose, process, finalize.

use crate::{
    alias::{CeremonyInput, Runtime, Scheme},
    epoch::{Electorate, Peers, members, stake},
    execution::{Executed, execute},
    feed::Feed,
    history::{self, archive},
    mempool::{self, Budget},
    recovery::Recovery,
    rules::{self, DRIFT_MS_MAX},
    upgrade::Upgrades,
};
use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, Bytes};
use commonware_consensus::{Viewable as _, marshal::ancestry::Ancestry, types::View};
use commonware_cryptography::Digestible as _;
use commonware_glue::stateful::{self, Finality, Input, Proposed, db::DatabaseSet};
use commonware_parallel::Strategy;
use commonware_storage::qmdb::sync::Target;
use contracts::SystemContract;
use evm::{CodeCache, Environment, Executor, Policy};
use futures::StreamExt as _;
use state::{Batch, BatchSet, Commitment, MerkleizedBatch, StateError, StateRead as _};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tracing::{debug, warn};
use types::{
    Block, Ceremony, ChainSpec, Context, Digest, StateKey, StateValue, Transaction,
    TransactionReceipt,
};

/// How often a leader asks for transactions of others when some have reached their quota.
const QUOTA_ROUNDS: usize = 8;

/// How long the first leader of an epoch waits before it proposes, unless it is alone. Nodes begin an epoch some tens of
/// milliseconds apart, later on slow lines, and the engine drops what reaches one before it has begun: without the proposal it
/// waits for the view to time out.
const ASSEMBLY: Duration = Duration::from_millis(250);

/// What execution of a block gave besides its state; kept until the block is final or never can be.
#[derive(Clone, Debug)]
pub struct Effect {
    transactions: Vec<Arc<Transaction>>,
    receipts: Vec<TransactionReceipt>,
    /// What its changes replaced, on nodes that keep an archive.
    before: archive::Before,
}

/// What reads the applied state.
type Readers<E> = <BatchSet<E> as DatabaseSet<E>>::Readers;

/// Effects of blocks that may become final, by height and digest.
type Effects = Arc<Mutex<BTreeMap<(u64, Digest), Effect>>>;

/// The application. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Application<S> {
    spec: Arc<ChainSpec>,
    /// Whether the network was founded by one validator.
    is_alone: bool,
    genesis: Arc<Block>,
    strategy: S,
    recovery: Recovery,
    codes: CodeCache,
    mempool: mempool::Mailbox,
    history: history::Mailbox,
    archive: Option<archive::Mailbox>,
    electorate: Electorate,
    peers: Option<Peers>,
    upgrades: Upgrades,
    feed: Feed,
    effects: Effects,
}

/// What the application is made of.
pub struct Parts<S> {
    /// The chain's constitution.
    pub spec: Arc<ChainSpec>,
    /// Block 0.
    pub genesis: Arc<Block>,
    /// How signature recovery is spread over threads.
    pub strategy: S,
    /// Shared with the mempool, so that each signature is recovered once.
    pub recovery: Recovery,
    /// Shared with simulated calls.
    pub codes: CodeCache,
    /// Where transactions come from.
    pub mempool: mempool::Mailbox,
    /// Where results go.
    pub history: history::Mailbox,
    /// Where replaced state goes, on nodes that keep it.
    pub archive: Option<archive::Mailbox>,
    /// Where it is kept who validates in the epochs to come.
    pub electorate: Electorate,
    /// Who is let in, on nodes that speak with those of members.
    pub peers: Option<Peers>,
    /// Which rules hold.
    pub upgrades: Upgrades,
    /// Who hears of final blocks.
    pub feed: Feed,
}

impl<S: Strategy> Application<S> {
    /// Puts the application together.
    pub fn new(parts: Parts<S>) -> Self {
        let Parts {
            spec,
            genesis,
            strategy,
            recovery,
            codes,
            mempool,
            history,
            archive,
            electorate,
            peers,
            upgrades,
            feed,
        } = parts;
        let effects = Effects::default();
        let is_alone = spec
            .committee()
            .is_ok_and(|committee| committee.validators().len() == 1);
        Self {
            spec,
            is_alone,
            genesis,
            strategy,
            recovery,
            codes,
            mempool,
            history,
            archive,
            electorate,
            peers,
            upgrades,
            feed,
            effects,
        }
    }

    /// The values that changes are about to replace, for the archive.
    async fn before<E: Runtime>(
        &self,
        batch: &Batch<E>,
        changes: &[(StateKey, StateValue)],
    ) -> Result<archive::Before, StateError> {
        if self.archive.is_none() {
            return Ok(Vec::new());
        }
        let keys: Vec<StateKey> = changes
            .iter()
            .map(|(key, _)| *key)
            .filter(|key| !matches!(key, StateKey::Code(_)))
            .collect();
        let values = batch.read_many(&keys).await?;
        Ok(keys.into_iter().zip(values).collect())
    }

    fn remember(&self, block: &Block, effect: Effect) {
        let mut effects = self.effects.lock().unwrap_or_else(PoisonError::into_inner);
        effects.insert((block.number(), block.digest()), effect);
    }

    /// The effect of a block that became final. Those at its height and below are forgotten.
    fn take(&self, block: &Block) -> Option<Effect> {
        let mut effects = self.effects.lock().unwrap_or_else(PoisonError::into_inner);
        let later = effects.split_off(&(block.number().saturating_add(1), Digest::from([0; 32])));
        let mut done = std::mem::replace(&mut *effects, later);
        done.remove(&(block.number(), block.digest()))
    }

    /// What is in blocks between the last final one and a new child of `parent`.
    async fn unfinalized(&self, parent: &Block, mut ancestry: impl Ancestry<Block>) -> Unfinalized {
        let floor = self.feed.floor();
        let mut seen = Unfinalized::default();
        let mut block = Arc::new(parent.clone());
        while block.number() > floor {
            match self
                .recovery
                .recover_all(&self.strategy, block.transactions())
            {
                Ok(transactions) => seen.add(&transactions),
                // It cannot be: this block was processed before anyone may build on it.
                Err((index, error)) => warn!(index, %error, "an ancestor has a bad transaction"),
            }
            if block.number() <= floor.saturating_add(1) {
                break;
            }
            let Some(older) = ancestry.next().await else {
                break;
            };
            block = older.inner_shared();
        }
        seen
    }

    /// Builds the block: waits for work as pacing says, executes, merkleizes.
    async fn build<E: Runtime>(
        &self,
        runtime: &E,
        context: Context,
        mut ancestry: impl Ancestry<Block>,
        batch: Batch<E>,
        ceremony: Option<Ceremony>,
    ) -> Result<Option<(Block, MerkleizedBatch<E>)>, StateError> {
        let Some(parent) = ancestry.next().await else {
            return Ok(None);
        };
        let parent = parent.inner_shared();
        let number = parent.number().saturating_add(1);
        let fork = match self.upgrades.rules(&batch, number).await? {
            Ok(fork) => fork,
            Err(outdated) => {
                self.upgrades.doubt(outdated);
                return Ok(None);
            }
        };
        let unfinalized = self.unfinalized(&parent, ancestry).await;
        let parameters = rules::parameters(&self.spec, &batch).await?;
        let parent_time = UNIX_EPOCH + Duration::from_millis(parent.time_ms());
        let patience = if unfinalized.has_work || parent.number() == 1 {
            // While this waits, the engine applies nothing that became final. Do not let work wait for the idle block, nor
            // whoever asks whether a new network is there.
            parameters.settle_interval_ms
        } else {
            parameters.idle_interval_ms
        };
        let deadline = parent_time + Duration::from_millis(patience);
        runtime
            .sleep_until(parent_time + Duration::from_millis(parameters.block_gap_ms))
            .await;
        if context.view() == View::new(1) && !self.is_alone {
            runtime.sleep(ASSEMBLY).await;
        }
        let budget = Budget {
            // Limits are mostly far above use, and the executor stops at the block's gas anyway.
            gas: parameters.block_gas.saturating_mul(4),
            base_fee: self.spec.fees.next_base_fee(parent.header()),
            in_flight: unfinalized.next_nonces,
            ..Budget::default()
        };
        loop {
            let mut candidates = self.mempool.candidates(budget.clone(), deadline).await;
            let waited = candidates.is_empty();
            let now_ms = milliseconds(runtime.current());
            let time_ms = rules::block_time(&parent, now_ms);
            let environment = rules::environment(&self.spec, fork, &parameters, &parent, time_ms);
            let mut executor = Executor::new(environment.clone(), Policy::Skip, self.codes.clone());
            execute(&mut executor, &candidates, &batch).await?;
            for _ in 0..QUOTA_ROUNDS {
                if !executor.reached_quota() {
                    break;
                }
                let others = budget.clone().beside(&candidates, executor.included());
                let more = self.mempool.candidates(others, runtime.current()).await;
                if more.is_empty() {
                    break;
                }
                candidates.extend(more);
                execute(&mut executor, &candidates, &batch).await?;
            }
            let outcome = executor.finish();
            let gas_max = parameters
                .block_gas
                .min(Environment::transaction_gas_max(fork));
            let dropped = self.discard(&candidates, &outcome.skipped, gas_max).await;
            if outcome.included.is_empty() && dropped && !waited && runtime.current() < deadline {
                // Nothing of what was offered could be executed: as if nothing had been there.
                continue;
            }
            let transactions: Vec<Arc<Transaction>> = outcome
                .included
                .iter()
                .filter_map(|index| candidates.get(*index).map(Arc::clone))
                .collect();
            let raws: Vec<Bytes> = transactions.iter().map(|tx| tx.raw().clone()).collect();
            let before = self.before::<E>(&batch, &outcome.changes).await?;
            let merkleized = state::write(batch, outcome.changes.clone()).await?;
            let commitment = Commitment::of::<E>(&merkleized);
            let sealed = rules::seal(
                &environment,
                rules::Beside {
                    context,
                    time_ms,
                    ceremony: ceremony.as_ref(),
                },
                raws,
                &outcome,
                &commitment,
            );
            let block = match sealed {
                Ok(block) => block,
                Err(error) => {
                    warn!(%error, "could not seal a block of our own");
                    return Ok(None);
                }
            };
            self.remember(
                &block,
                Effect {
                    transactions,
                    receipts: outcome.receipts,
                    before,
                },
            );
            return Ok(Some((block, merkleized)));
        }
    }

    /// Keeps who validates in the epochs to come, and lets in the nodes of new members, and candidates.
    async fn follow_members<E: Runtime>(
        &self,
        block: &Block,
        receipts: &[TransactionReceipt],
        readers: &Readers<E>,
    ) {
        let read_for = self.electorate.read_for(block.number());
        let members_changed = say(receipts, SystemContract::Members);
        // In a network that is not bonded it never says anything.
        let bonds_changed = say(receipts, SystemContract::Stake);
        if read_for.is_none() && !members_changed && !bonds_changed {
            return;
        }
        let state = readers.read().await;
        if let Some(epoch) = read_for
            && let Some(validators) = settle(members::validators(&*state).await.map(Some))
        {
            self.electorate.record(epoch, validators).await;
        }
        let Some(peers) = &self.peers else {
            return;
        };
        if members_changed && let Some(nodes) = settle(members::nodes(&*state).await.map(Some)) {
            peers.admit(nodes);
        }
        if bonds_changed
            && let Some(candidates) = settle(stake::candidates(&*state).await.map(Some))
        {
            peers.stand(candidates);
        }
    }

    /// Keeps what is decided about the rules to come. Before readers see the block: they see it under its rules.
    async fn follow_upgrades<E: Runtime>(
        &self,
        height: u64,
        receipts: &[TransactionReceipt],
        readers: &Readers<E>,
    ) {
        let changed = receipts.iter().any(|receipt| {
            let mut logs = receipt.logs().iter();
            logs.any(|log| log.address == contracts::upgrade::ADDRESS)
        });
        let state = readers.read().await;
        settle(
            self.upgrades
                .follow(height, changed, &*state)
                .await
                .map(Some),
        );
    }

    /// Tells the pool what cannot be executed, in any block in which a transaction may use at most `gas_max`. Whether there was
    /// any such.
    async fn discard(
        &self,
        candidates: &[Arc<Transaction>],
        skipped: &[(usize, evm::Invalid)],
        gas_max: u64,
    ) -> bool {
        let lost: Vec<_> = skipped
            .iter()
            .filter(|(_, reason)| match reason {
                // It, or an earlier one of the sender, did not fit: not its fault, it stays.
                evm::Invalid::NonceTooHigh { .. } | evm::Invalid::Quota { .. } => false,
                evm::Invalid::GasLimit { want, .. } => *want > gas_max,
                _ => true,
            })
            .filter_map(|(index, reason)| {
                candidates.get(*index).map(|tx| (tx.hash(), reason.clone()))
            })
            .collect();
        let any = !lost.is_empty();
        if any {
            self.mempool.discard(lost).await;
        }
        any
    }

    /// Checks a block against its parent and executes it. `None`: it is invalid, for ever.
    async fn check<E: Runtime>(
        &self,
        runtime: &E,
        mut ancestry: impl Ancestry<Block>,
        batch: Batch<E>,
        finality: Finality,
    ) -> Result<Option<MerkleizedBatch<E>>, StateError> {
        let Some(block) = ancestry.next().await else {
            return Ok(None);
        };
        let Some(parent) = ancestry.next().await else {
            return Ok(None);
        };
        let (block, parent) = (block.inner_shared(), parent.inner_shared());
        let number = block.number();
        let fork = match self.upgrades.rules(&batch, number).await? {
            Ok(fork) => fork,
            Err(outdated) if finality == Finality::Finalized => {
                self.upgrades.end(outdated);
                // It is final, so to refuse it would be wrong, and to execute it as well: the node ends here.
                return std::future::pending().await;
            }
            // No judgement of the block: it is not voted for, and met again by a program that knows its rules.
            Err(outdated) => {
                self.upgrades.doubt(outdated);
                return Ok(None);
            }
        };
        let parameters = rules::parameters(&self.spec, &batch).await?;
        let checked = rules::check_header(&self.spec, fork, &parameters, &parent, &block);
        let environment = match checked {
            Ok(environment) => environment,
            Err(violation) => {
                warn!(number, hash = %block.hash(), %violation, "refused a block");
                return Ok(None);
            }
        };
        if finality == Finality::Candidate {
            // A leader's fast clock is no reason to refuse, only to wait; the rule on steps bounds
            // how long, and the view's timeout usually ends it before.
            let latest = block.time_ms().saturating_sub(DRIFT_MS_MAX);
            runtime
                .sleep_until(UNIX_EPOCH + Duration::from_millis(latest))
                .await;
        }
        let transactions = match self
            .recovery
            .recover_all(&self.strategy, block.transactions())
        {
            Ok(transactions) => transactions,
            Err((index, error)) => {
                warn!(number, hash = %block.hash(), index, %error, "refused a block");
                return Ok(None);
            }
        };
        let mut executor = Executor::new(environment, Policy::Reject, self.codes.clone());
        if let Executed::Invalid { index, reason } =
            execute(&mut executor, &transactions, &batch).await?
        {
            warn!(number, hash = %block.hash(), index, %reason, "refused a block");
            return Ok(None);
        }
        let mut outcome = executor.finish();
        if let Err(violation) = rules::check_effect(&block, &outcome) {
            warn!(number, hash = %block.hash(), %violation, "refused a block");
            return Ok(None);
        }
        let before = self.before::<E>(&batch, &outcome.changes).await?;
        let merkleized = state::write(batch, std::mem::take(&mut outcome.changes)).await?;
        if let Err(violation) = rules::check_commitment(&block, &Commitment::of::<E>(&merkleized)) {
            warn!(number, hash = %block.hash(), %violation, "refused a block");
            return Ok(None);
        }
        self.remember(
            &block,
            Effect {
                transactions,
                receipts: outcome.receipts,
                before,
            },
        );
        Ok(Some(merkleized))
    }
}

/// Blocks between the last final one and the next proposal.
#[derive(Default)]
struct Unfinalized {
    next_nonces: BTreeMap<Address, u64>,
    has_work: bool,
}

impl Unfinalized {
    fn add(&mut self, transactions: &[Arc<Transaction>]) {
        self.has_work |= !transactions.is_empty();
        for transaction in transactions {
            let next = transaction.envelope().nonce().saturating_add(1);
            let known = self.next_nonces.entry(transaction.signer()).or_default();
            *known = next.max(*known);
        }
    }
}

/// Stops the node when the state database failed; a lost branch is nobody's concern.
#[expect(
    clippy::panic,
    reason = "a node without its state must stop, not guess"
)]
fn settle<T>(result: Result<Option<T>, StateError>) -> Option<T> {
    match result {
        Ok(value) => value,
        Err(StateError::Abandoned) => {
            debug!("stopped work on an abandoned branch");
            None
        }
        Err(fault) => panic!("{fault}"),
    }
}

impl<E: Runtime, S: Strategy> stateful::Application<E> for Application<S> {
    type SigningScheme = Scheme;
    type Context = Context;
    type Block = Block;
    type Databases = BatchSet<E>;
    type Captured = Option<Effect>;
    type Provider = ();
    type Input = CeremonyInput;

    fn sync_targets(block: &Block) -> <Self::Databases as DatabaseSet<E>>::SyncTargets {
        let extension = block.extension();
        Target::new(extension.ops_root, extension.ops_range.clone())
    }

    async fn genesis(&mut self) -> Block {
        Block::clone(&self.genesis)
    }

    async fn propose(
        &mut self,
        (runtime, context): (E, Context),
        ancestry: impl Ancestry<Block>,
        batch: Batch<E>,
        input: Input<CeremonyInput, ()>,
    ) -> Option<Proposed<Self, E>> {
        let ceremony = input.upstream.payload;
        let built = self.build(&runtime, context, ancestry, batch, ceremony);
        let built = built.await;
        settle(built).map(|(block, merkleized)| Proposed { block, merkleized })
    }

    async fn process(
        &mut self,
        (runtime, _): (E, Context),
        ancestry: impl Ancestry<Block>,
        batch: Batch<E>,
        finality: Finality,
    ) -> Option<MerkleizedBatch<E>> {
        settle(self.check(&runtime, ancestry, batch, finality).await)
    }

    async fn capture(
        &mut self,
        _context: (E, Context),
        block: &Block,
        _batch: &MerkleizedBatch<E>,
        _readers: <Self::Databases as DatabaseSet<E>>::Readers,
    ) -> Option<Effect> {
        let mut effect = self.take(block);
        if let (Some(archive), Some(effect)) = (&self.archive, &mut effect) {
            // Before the state is applied: readers of past states count on the archive to know all that it has become.
            let before = std::mem::take(&mut effect.before);
            archive.append(block.number(), before).await;
        }
        effect
    }

    #[expect(
        clippy::expect_used,
        reason = "losing a final block's effects would be silent damage"
    )]
    async fn finalized(
        &mut self,
        _context: (E, Context),
        block: &Block,
        effect: Option<Effect>,
        readers: <Self::Databases as DatabaseSet<E>>::Readers,
    ) {
        // Whatever becomes final was built or checked by this process first: after a restart the
        // engine processes again what it delivers again.
        let Effect {
            transactions,
            receipts,
            before: _,
        } = effect.expect("a final block was not executed by this process");
        let block = Arc::new(block.clone());
        self.history
            .append(Arc::clone(&block), receipts.clone())
            .await;
        self.follow_members(&block, &receipts, &readers).await;
        self.follow_upgrades(block.number(), &receipts, &readers)
            .await;
        let timestamp = block.header().timestamp;
        self.mempool
            .finalized(timestamp, transactions.clone())
            .await;
        self.feed.publish(block, transactions, receipts);
    }
}

/// Whether a contract said in a block that something changed.
fn say(receipts: &[TransactionReceipt], contract: SystemContract) -> bool {
    let address = contract.address();
    let mut logs = receipts.iter().flat_map(|receipt| receipt.logs());
    logs.any(|log| log.address == address)
}

/// Milliseconds since the Unix epoch.
fn milliseconds(time: SystemTime) -> u64 {
    let elapsed = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

//! What final blocks did: transaction receipts by height, where each transaction is, and an index of logs.
//!
//! Blocks and certificates are the engine's to keep; execution's results are ours. They are durable
//! before the engine forgets that a block was delivered, so after any crash nothing is missing.
//!
//! A node may be told to keep only what late blocks did. Then whole sections of each of the three are removed, in an order in
//! which none ever names what another lacks, but for positions of transactions whose block is gone, which readers take for
//! unknown.

pub mod archive;
pub mod logs;
#[cfg(test)]
mod tests;

use crate::alias::Runtime;

use alloy_eips::eip2718::{Decodable2718 as _, Encodable2718 as _};
use alloy_primitives::B256;
use commonware_codec::{Buf, EncodeSize, Error as CodecError, RangeCfg, Read, ReadExt as _, Write};
use commonware_cryptography::Digestible as _;
use commonware_runtime::{BufMut, buffer::paged::CacheRef};
use commonware_storage::{
    archive::{Archive as _, Error, Identifier, prunable},
    translator::Cap,
};
use commonware_utils::{
    NZU32, NZUsize,
    channel::{mpsc, oneshot},
    sequence::FixedBytes,
};
use futures::future::join;
use std::{
    num::{NonZeroU32, NonZeroU64},
    sync::Arc,
};
use tracing::info;
use types::{Block, Digest, MAX_TRANSACTIONS, TransactionReceipt};

/// Largest encoded receipt: a block's gas buys at most about 12 MiB of log data at 8 gas a byte.
const MAX_RECEIPT_BYTES: usize = 64 << 20;

/// Logs of a run of the index: many, so that a long range has few runs; few enough to be held in memory until there are so
/// many.
const RUN_LOGS: NonZeroU32 = NZU32!(32_768);
/// Blocks from which on it is said that they are indexed.
const REPORTED: u64 = 1_000;

/// What a block did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effects {
    /// Number of the block's first transaction among all of the chain.
    first: u64,
    /// Transaction receipts in order.
    pub receipts: Vec<TransactionReceipt>,
}

impl Effects {
    /// The number of the next block's first transaction.
    const fn end(&self) -> u64 {
        self.first.saturating_add(self.receipts.len() as u64)
    }
}

impl Write for Effects {
    fn write(&self, buf: &mut impl BufMut) {
        self.first.write(buf);
        self.receipts.len().write(buf);
        for receipt in &self.receipts {
            bytes::Bytes::from(receipt.encoded_2718()).write(buf);
        }
    }
}

impl EncodeSize for Effects {
    fn encode_size(&self) -> usize {
        self.receipts.iter().fold(
            self.first
                .encode_size()
                .saturating_add(self.receipts.len().encode_size()),
            |size, receipt| {
                let length = receipt.encode_2718_len();
                size.saturating_add(length.encode_size())
                    .saturating_add(length)
            },
        )
    }
}

impl Read for Effects {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, CodecError> {
        let first = u64::read(buf)?;
        let count = usize::read_cfg(buf, &RangeCfg::new(0..=MAX_TRANSACTIONS))?;
        let mut receipts = Vec::with_capacity(count);
        for _ in 0..count {
            let raw = bytes::Bytes::read_cfg(buf, &RangeCfg::new(0..=MAX_RECEIPT_BYTES))?;
            receipts.push(
                TransactionReceipt::decode_2718_exact(&raw)
                    .map_err(|_| CodecError::Invalid("Effects", "receipt"))?,
            );
        }
        Ok(Self { first, receipts })
    }
}

/// Where a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Block number.
    pub height: u64,
    /// Place in the block.
    pub index: u32,
}

impl Write for Position {
    fn write(&self, buf: &mut impl BufMut) {
        self.height.write(buf);
        self.index.write(buf);
    }
}

impl EncodeSize for Position {
    fn encode_size(&self) -> usize {
        self.height
            .encode_size()
            .saturating_add(self.index.encode_size())
    }
}

impl Read for Position {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, CodecError> {
        Ok(Self {
            height: u64::read(buf)?,
            index: u32::read(buf)?,
        })
    }
}

enum Message {
    Append {
        block: Arc<Block>,
        receipts: Arc<Vec<TransactionReceipt>>,
        done: oneshot::Sender<()>,
    },
    Effects {
        height: u64,
        reply: oneshot::Sender<Option<Effects>>,
    },
    Position {
        hash: B256,
        reply: oneshot::Sender<Option<Position>>,
    },
    First {
        reply: oneshot::Sender<Option<u64>>,
    },
    Prune {
        height: u64,
        done: oneshot::Sender<()>,
    },
}

/// A handle to the history.
#[derive(Clone, Debug)]
pub struct Mailbox {
    inbox: mpsc::Sender<Message>,
    logs: logs::Mailbox,
}

impl Mailbox {
    /// The index of logs.
    pub const fn logs(&self) -> &logs::Mailbox {
        &self.logs
    }

    /// Keeps what a final block did. Returns when it is durable, and never if that failed: whoever
    /// waits would otherwise tell the engine to forget a block whose effects are lost. Repeating a
    /// block is harmless.
    pub async fn append(&self, block: Arc<Block>, receipts: Vec<TransactionReceipt>) {
        let (done, kept) = oneshot::channel();
        let receipts = Arc::new(receipts);
        let append = Message::Append {
            block: Arc::clone(&block),
            receipts: Arc::clone(&receipts),
            done,
        };
        let effects = async {
            let _ = self.inbox.send(append).await;
            kept.await.is_ok()
        };
        if join(effects, self.logs.append(block, receipts)).await != (true, true) {
            std::future::pending::<()>().await;
        }
    }

    /// What the block at a height did, if it is final here.
    pub async fn effects(&self, height: u64) -> Option<Effects> {
        let (reply, answer) = oneshot::channel();
        let _ = self.inbox.send(Message::Effects { height, reply }).await;
        answer.await.ok().flatten()
    }

    /// The first height from which on it is known without a gap what blocks did; none as long as there is none.
    pub async fn first(&self) -> Option<u64> {
        let (reply, answer) = oneshot::channel();
        let _ = self.inbox.send(Message::First { reply }).await;
        answer.await.ok().flatten()
    }

    /// Removes what blocks before this height did, as far as whole sections are before it. Returns when that is done, or the
    /// node is stopping.
    pub async fn prune(&self, height: u64) {
        let (done, pruned) = oneshot::channel();
        let effects = async {
            let _ = self.inbox.send(Message::Prune { height, done }).await;
            let _ = pruned.await;
        };
        join(effects, self.logs.prune(height)).await;
    }

    /// Where a final transaction is.
    pub async fn position(&self, hash: B256) -> Option<Position> {
        let (reply, answer) = oneshot::channel();
        let _ = self.inbox.send(Message::Position { hash, reply }).await;
        answer.await.ok().flatten()
    }
}

type Key = FixedBytes<32>;

/// The history's one owner.
pub struct Actor<E: Runtime> {
    context: E,
    inbox: mpsc::Receiver<Message>,
    effects: prunable::Archive<Cap<4>, E, Key, Effects>,
    /// Index: number of the transaction among all of the chain. Key: its hash.
    positions: prunable::Archive<Cap<4>, E, Key, Position>,
    logs: logs::Actor<E>,
}

/// Blocks as the engine keeps them.
pub type Blocks<E> = prunable::Archive<Cap<4>, E, Digest, Arc<Block>>;

impl<E: Runtime> Actor<E> {
    /// Opens the history under the partition `prefix`. The items of a section are fixed for the life of the data.
    ///
    /// # Errors
    /// When storage fails or holds damaged data.
    pub async fn open(
        context: E,
        prefix: &str,
        page_cache: CacheRef,
        section: NonZeroU64,
    ) -> Result<(Self, Mailbox), Error> {
        let archive = |name: &str| prunable::Config {
            translator: Cap::<4>,
            metadata_partition: format!("{prefix}-{name}-metadata"),
            key_partition: format!("{prefix}-{name}-key"),
            key_page_cache: page_cache.clone(),
            value_partition: format!("{prefix}-{name}-value"),
            compression: None,
            codec_config: (),
            items_per_section: section,
            key_write_buffer: NZUsize!(1 << 16),
            value_write_buffer: NZUsize!(1 << 20),
            replay_buffer: NZUsize!(1 << 20),
        };
        let effects = prunable::Archive::init(context.child("effects"), archive("effects")).await?;
        let positions =
            prunable::Archive::init(context.child("positions"), archive("positions")).await?;
        let layout = logs::Layout {
            prefix: prefix.to_owned(),
            page_cache,
            run_logs: RUN_LOGS,
            section,
        };
        let index = logs::Index::open(context.child("logs"), layout).await?;
        let (logs, logs_mailbox) = logs::Actor::new(context.child("logs"), index);
        let (sender, inbox) = mpsc::channel(1024);
        Ok((
            Self {
                context,
                inbox,
                effects,
                positions,
                logs,
            },
            Mailbox {
                inbox: sender,
                logs: logs_mailbox,
            },
        ))
    }

    /// The height up to which everything is here, without a gap. After a loss of power the archives drop what was not
    /// durable from their ends; a file that was cut short looks the same to them, and shows only here.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn complete_to(&self) -> Result<u64, Error> {
        // What is before a gap, state sync made superfluous. What was removed for its age counts as here: it was.
        let Some((_, last)) = self.effects.ranges().last() else {
            return Ok(0);
        };
        // Positions are durable before effects, so they can only reach further.
        let positions = self
            .positions
            .ranges()
            .last()
            .map_or(0, |(_, end)| end.saturating_add(1));
        let (mut first, mut after) = (0, last.saturating_add(1));
        while first < after {
            let height = u64::midpoint(first, after);
            let covered = self
                .effects
                .get(Identifier::Index(height))
                .await?
                .is_none_or(|effects| effects.end() <= positions);
            if covered {
                first = height.saturating_add(1);
            } else {
                after = height;
            }
        }
        Ok(first.saturating_sub(1))
    }

    /// Indexes the logs of blocks up to `kept` whose index is missing: of a data directory from before there was one, or
    /// with files of it removed, all; after a crash the last few.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn index_logs(mut self, blocks: &Blocks<E>, kept: u64) -> Result<Self, Error> {
        // Of the two that are needed for it, one may have been removed further than the other.
        let first = |last: Option<(u64, u64)>| last.map_or(0, |(first, _)| first);
        let first = first(self.effects.ranges().last()).max(first(blocks.ranges().last()));
        let next = self.logs.next().max(first);
        if next.saturating_add(REPORTED) < kept {
            info!(from = next, to = kept, "indexing the logs of final blocks");
        }
        for height in next..=kept {
            let block = blocks.get(Identifier::Index(height)).await?;
            let effects = self.effects.get(Identifier::Index(height)).await?;
            // A block that is not here yet was not processed; it will be delivered again.
            let (Some(block), Some(effects)) = (block, effects) else {
                break;
            };
            self.logs = self.logs.append(&block, &effects.receipts).await?;
        }
        Ok(self)
    }

    /// Serves until the node stops.
    ///
    /// # Panics
    /// When storage fails: the node must stop, and restart from what is durable.
    pub fn start(self) {
        let context = self.context.child("history");
        #[expect(
            clippy::expect_used,
            reason = "a node that cannot keep history must stop"
        )]
        context.spawn(|_| async move { self.run().await.expect("history: storage failed") });
    }

    async fn run(self) -> Result<(), Error> {
        let Self {
            context: _,
            mut inbox,
            effects,
            positions,
            logs,
        } = self;
        logs.start();
        let mut kept = Kept { effects, positions };
        while let Some(message) = inbox.recv().await {
            match message {
                Message::Append {
                    block,
                    receipts,
                    done,
                } => {
                    let receipts = Arc::unwrap_or_clone(receipts);
                    kept = kept.append(&block, receipts).await?;
                    let _ = done.send(());
                }
                Message::Effects { height, reply } => {
                    let _ = reply.send(kept.effects.get(Identifier::Index(height)).await?);
                }
                Message::First { reply } => {
                    let _ = reply.send(kept.effects.ranges().last().map(|(first, _)| first));
                }
                Message::Prune { height, done } => {
                    kept = kept.prune(height).await?;
                    let _ = done.send(());
                }
                Message::Position { hash, reply } => {
                    let key = Key::new(hash.0);
                    let _ = reply.send(kept.positions.get(Identifier::Key(&key)).await?);
                }
            }
        }
        Ok(())
    }
}

/// What the actor keeps itself.
struct Kept<E: Runtime> {
    effects: prunable::Archive<Cap<4>, E, Key, Effects>,
    positions: prunable::Archive<Cap<4>, E, Key, Position>,
}

impl<E: Runtime> Kept<E> {
    async fn append(
        mut self,
        block: &Block,
        receipts: Vec<TransactionReceipt>,
    ) -> Result<Self, Error> {
        let height = block.number();
        let parent = self
            .effects
            .get(Identifier::Index(height.saturating_sub(1)))
            .await?;
        // After state sync the parent may be missing; numbers then start anew above all others.
        let first = parent.map_or_else(
            || {
                self.positions
                    .ranges()
                    .last()
                    .map_or(0, |(_, last)| last.saturating_add(1))
            },
            |parent| parent.end(),
        );
        for (index, raw) in (0_u32..).zip(block.transactions()) {
            let key = Key::new(alloy_primitives::keccak256(raw).0);
            let number = first.saturating_add(u64::from(index));
            self.positions = self
                .positions
                .put(number, key, &Position { height, index })
                .await?;
        }
        if !block.transactions().is_empty() {
            self.positions = self.positions.sync().await?;
        }
        // The effects last: where they are, the positions are durable.
        let key = Key::new(block.digest().0);
        let effects = Effects { first, receipts };
        self.effects = self.effects.put_sync(height, key, &effects).await?;
        Ok(self)
    }

    /// Removes the sections in which all is of blocks before `height`.
    async fn prune(mut self, height: u64) -> Result<Self, Error> {
        // The effects first. What a crash leaves of positions names blocks that are not here, as if it were not there; the
        // other way round, transactions of blocks that are here would be unknown.
        self.effects = self.effects.prune(height).await?;
        let Some((first, _)) = self.effects.ranges().last() else {
            return Ok(self);
        };
        let effects = self.effects.get(Identifier::Index(first)).await?;
        // The last one stays, however old: numbers go on after it, and it tells that none is missing.
        if let (Some(effects), Some(last)) = (effects, self.positions.last_index()) {
            self.positions = self.positions.prune(effects.first.min(last)).await?;
        }
        Ok(self)
    }
}

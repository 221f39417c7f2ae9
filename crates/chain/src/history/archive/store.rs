//! The archive on disk.

use super::{
    ArchiveError, Before, Past,
    entry::{Change, key, loaded, stored},
};
use crate::alias::Runtime;
use commonware_runtime::{ReadOptions, buffer::paged::CacheRef};
use commonware_storage::{
    journal::{
        Error,
        contiguous::{Contiguous as _, Many, fixed, variable},
    },
    qmdb::{
        floor::Proportional,
        store::db::{self, Db},
    },
    translator::Cap,
};
use commonware_utils::{NZU64, NZUsize};
use futures::{TryStreamExt as _, future::try_join};
use state::Key;
use std::{collections::BTreeMap, pin::pin};
use types::StateKey;

/// Blocks whose last changes of keys may be looked up again in the changes after a crash.
const LAZY_BLOCKS: u64 = 256;
/// Changes taken into the heads at once when they are made anew.
const REPLAY_CHANGES: usize = 8_192;

type Heads<E> = Db<E, Key, u64, Cap<8>>;

/// How an archive is laid out. Fixed for the life of the data.
#[derive(Clone)]
pub struct Layout {
    /// Prefix of its partitions.
    pub prefix: String,
    /// Disk pages in memory.
    pub page_cache: CacheRef,
}

impl Layout {
    fn blocks(&self) -> fixed::Config {
        fixed::Config {
            partition: format!("{}-archive-blocks", self.prefix),
            items_per_blob: NZU64!(262_144),
            page_cache: self.page_cache.clone(),
            write_buffer: NZUsize!(1 << 16),
            replay_buffer: NZUsize!(1 << 20),
        }
    }

    fn journal<C>(&self, name: &str, codec_config: C) -> variable::Config<C> {
        variable::Config {
            partition: format!("{}-archive-{name}", self.prefix),
            items_per_section: NZU64!(65_536),
            compression: None,
            codec_config,
            page_cache: self.page_cache.clone(),
            write_buffer: NZUsize!(1 << 18),
            replay_buffer: NZUsize!(1 << 20),
        }
    }

    fn heads(&self) -> db::Config<Cap<8>, ((), ())> {
        db::Config {
            log: self.journal("heads", ((), ())),
            translator: Cap::<8>,
            init_cache: Some(NZUsize!(1 << 16)),
            init_buffer: NZUsize!(1 << 21),
        }
    }
}

/// The archive. A change that fails, or whose future is dropped, loses it until it is opened again.
pub struct Store<E: Runtime> {
    context: E,
    layout: Layout,
    /// By height: the number after its last change.
    blocks: fixed::Journal<E, u64>,
    changes: variable::Journal<E, Change>,
    heads: Heads<E>,
}

impl<E: Runtime> Store<E> {
    /// Opens the archive, cuts off what a crash left half written, and brings the heads up to the changes.
    ///
    /// # Errors
    /// When storage fails or holds damaged data.
    pub async fn open(context: E, layout: Layout) -> Result<Self, ArchiveError> {
        let mut blocks: fixed::Journal<E, u64> =
            fixed::Journal::init(context.child("blocks"), layout.blocks()).await?;
        let mut changes: variable::Journal<E, Change> =
            variable::Journal::init(context.child("changes"), layout.journal("changes", ()))
                .await?;
        let bounds = blocks.bounds();
        let (mut keep, mut end) = (bounds.end, None);
        while keep > bounds.start {
            let last = blocks.read(keep.saturating_sub(1)).await?;
            if last <= changes.size() {
                end = Some(last);
                break;
            }
            keep = keep.saturating_sub(1);
        }
        if keep < bounds.end {
            drop(blocks);
            let context = context.child("blocks");
            blocks = fixed::Journal::init_at_most(context, layout.blocks(), keep).await?;
        }
        // Without a block no change belongs to one; they start where they started.
        let end = end.unwrap_or(changes.bounds().start);
        if end < changes.size() {
            drop(changes);
            let context = context.child("changes");
            let config = layout.journal("changes", ());
            changes = variable::Journal::init_at_most(context, config, end).await?;
        }
        let heads = open_heads(&context, &layout).await?;
        let store = Self {
            context,
            layout,
            blocks,
            changes,
            heads,
        };
        store.catch_up().await
    }

    /// The height of the next block to be kept.
    pub fn next(&self) -> u64 {
        self.blocks.size()
    }

    /// The first height whose state is known; none before the first block.
    pub fn first(&self) -> Option<u64> {
        let bounds = self.blocks.bounds();
        // The changes of a block tell of the state before it.
        (!bounds.is_empty()).then(|| bounds.start.saturating_sub(1))
    }

    /// Takes changes that the heads do not know into them.
    async fn catch_up(mut self) -> Result<Self, ArchiveError> {
        let bounds = self.changes.bounds();
        let known = self.heads.get_metadata().await?.unwrap_or(0);
        if known > bounds.end {
            // Heads that name changes there are none of. Only damage does that: they are made anew.
            self = self.forget_heads().await?;
        }
        let known = self.heads.get_metadata().await?.unwrap_or(0);
        let mut next = known.max(bounds.start);
        while next < bounds.end {
            let end = next.saturating_add(REPLAY_CHANGES as u64).min(bounds.end);
            let mut heads = BTreeMap::new();
            {
                let replay = self
                    .changes
                    .replay(next..end, NZUsize!(1 << 20), ReadOptions::default())
                    .await?;
                let mut replay = pin!(replay);
                while let Some(batch) = replay.try_next().await? {
                    for (number, change) in batch {
                        heads.insert(change.key, number);
                    }
                }
            }
            self = self.set_heads(heads, end).await?;
            next = end;
        }
        Ok(self)
    }

    async fn set_heads(
        mut self,
        heads: BTreeMap<Key, u64>,
        end: u64,
    ) -> Result<Self, ArchiveError> {
        let mut batch = self.heads.new_batch();
        for (key, number) in heads {
            batch = batch.update(key, number);
        }
        let changeset = batch.finalize(Some(end));
        self.heads = self.heads.apply_batch(changeset, &mut Proportional).await?;
        Ok(self)
    }

    async fn forget_heads(mut self) -> Result<Self, ArchiveError> {
        self.heads.destroy().await?;
        self.heads = open_heads(&self.context, &self.layout).await?;
        Ok(self)
    }

    /// Keeps what a block's changes replaced. They are durable when this returns. A block that is kept already is left as it
    /// is. After a gap, which is when the node ran without an archive, it starts anew.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn append(mut self, height: u64, before: &Before) -> Result<Self, ArchiveError> {
        if height < self.next() {
            return Ok(self);
        }
        if self.next() == 0 && height == 1 {
            // What genesis replaced is nothing.
            (self.blocks, _) = self.blocks.append(&0).await?;
        } else if height > self.next() {
            self = self.start_anew(height).await?;
        }
        let first = self.changes.size();
        let mut changes = Vec::with_capacity(before.len());
        let mut heads = BTreeMap::new();
        for (state_key, value) in before {
            let Some(key) = key(state_key) else { continue };
            let number = first.saturating_add(changes.len() as u64);
            let (depth, previous, jump) = self.links(&key, number).await?;
            heads.insert(key.clone(), number);
            changes.push(Change {
                height,
                key,
                depth,
                previous,
                jump,
                before: stored(value),
            });
        }
        let end = first.saturating_add(changes.len() as u64);
        if !changes.is_empty() {
            (self.changes, _) = self.changes.append_many(Many::Flat(&changes)).await?;
        }
        (self.blocks, _) = self.blocks.append(&end).await?;
        (self.changes, self.blocks) = try_join(self.changes.commit(), self.blocks.commit()).await?;
        // Heads must not outlive changes, so only now.
        self = self.set_heads(heads, end).await?;
        if height.is_multiple_of(LAZY_BLOCKS) {
            // Where recovery starts moves too.
            (self.changes, self.blocks) = try_join(self.changes.sync(), self.blocks.sync()).await?;
            self.heads = self.heads.sync().await?;
        }
        Ok(self)
    }

    /// Depth and links of a key's next change, whose number is `number`.
    async fn links(&self, key: &Key, number: u64) -> Result<(u64, u64, u64), ArchiveError> {
        let Some(head) = self.heads.get(key).await? else {
            return Ok((0, number, number));
        };
        let last = self.changes.read(head).await?;
        let jumped = self.changes.read(last.jump).await?;
        let further = self.changes.read(jumped.jump).await?;
        let depth = last.depth.saturating_add(1);
        // Two jumps of one length are followed by one over both.
        let (near, far) = (
            last.depth.saturating_sub(jumped.depth),
            jumped.depth.saturating_sub(further.depth),
        );
        let jump = if near == far && near > 0 {
            jumped.jump
        } else {
            head
        };
        Ok((depth, head, jump))
    }

    /// Forgets everything and goes on at `height`.
    async fn start_anew(mut self, height: u64) -> Result<Self, ArchiveError> {
        tracing::info!(height, "the archive begins with this block");
        self = self.forget_heads().await?;
        let size = self.changes.size();
        drop(self.changes);
        drop(self.blocks);
        let context = self.context.child("changes");
        let config = self.layout.journal("changes", ());
        self.changes = variable::Journal::init_at_size(context, config, size).await?;
        let context = self.context.child("blocks");
        self.blocks = fixed::Journal::init_at_size(context, self.layout.blocks(), height).await?;
        Ok(self)
    }

    /// What is known of each key after the block at this height.
    ///
    /// # Errors
    /// [`ArchiveError::Pruned`] when the height is before what is kept.
    pub async fn past(&self, height: u64, keys: &[StateKey]) -> Result<Vec<Past>, ArchiveError> {
        let first = self.first().unwrap_or(u64::MAX);
        if height < first {
            return Err(ArchiveError::Pruned { first });
        }
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            values.push(self.value(height, key).await?);
        }
        Ok(values)
    }

    async fn value(&self, height: u64, state_key: &StateKey) -> Result<Past, ArchiveError> {
        let Some(key) = key(state_key) else {
            return Ok(Past::Unchanged);
        };
        let Some(head) = self.heads.get(&key).await? else {
            return Ok(Past::Unchanged);
        };
        let mut change = self.changes.read(head).await?;
        if change.height <= height {
            return Ok(Past::Unchanged);
        }
        // The earliest change that is still after the height.
        while change.depth > 0 {
            let jumped = self.changes.read(change.jump).await?;
            if jumped.height > height {
                change = jumped;
                continue;
            }
            let previous = self.changes.read(change.previous).await?;
            if previous.height <= height {
                break;
            }
            change = previous;
        }
        Ok(Past::Was(loaded(change.before)))
    }
}

async fn open_heads<E: Runtime>(context: &E, layout: &Layout) -> Result<Heads<E>, ArchiveError> {
    Ok(Heads::init(context.child("heads"), layout.heads(), None).await?)
}

impl From<ArchiveError> for commonware_storage::archive::Error {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Storage(error) => Self::Journal(error),
            ArchiveError::Heads(_) | ArchiveError::Pruned { .. } => {
                Self::Journal(Error::Corruption(error.to_string()))
            }
        }
    }
}

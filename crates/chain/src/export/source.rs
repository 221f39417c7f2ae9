//! A stopped node's data directory, as the source of an export.

use super::{Finality, Head};
use crate::{
    alias::{Finalization, Runtime},
    history::Blocks,
    node::COVER_BLOCKS_MAX,
    store::{self, PAGE_BYTES},
};
use alloy_primitives::B256;
use commonware_cryptography::Digestible as _;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_storage::{
    archive::{Archive as _, Identifier, prunable},
    merkle::Location,
    translator::Cap,
};
use commonware_utils::NZUsize;
use state::{Database, GenesisError, Piece, StateError, open_genesis};
use std::{num::NonZeroU64, sync::Arc};
use types::{Block, ChainSpec, Digest, SpecError};

/// Pages in memory.
const PAGES: std::num::NonZeroUsize = NZUsize!(2_048);

/// Certificates as the engine keeps them.
type Finalizations<E> = prunable::Archive<Cap<4>, E, Digest, Finalization>;

/// Why a data directory gives no export.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It is another network's, or there is no block 0.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The spec is unusable.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// There is nothing to export.
    #[error(
        "this node has no final block with a state: start it, let it follow the chain, and stop it"
    )]
    Empty,
    /// The state is older.
    #[error(
        "this node has the state after block {applied}, and none after block {wanted}: start it, and let it follow the chain"
    )]
    Ahead {
        /// What was asked for.
        wanted: u64,
        /// What there is.
        applied: u64,
    },
    /// The block is not here any more.
    #[error("this node has not block {0} any more: choose a later one, or another node")]
    NoBlock(u64),
    /// The certificate is not here.
    #[error(
        "this node has no certificate that covers block {0}: choose an earlier one, or start the node for a moment"
    )]
    NoCertificate(u64),
    /// The state at that height cannot be read any more.
    #[error(
        "this node has not the state after block {height} any more ({cause}): choose a later block, or another node"
    )]
    NoState {
        /// The height.
        height: u64,
        /// What the database says.
        cause: String,
    },
    /// The state is not the block's.
    #[error(
        "the state on disk is not that after block {0}: files were damaged or mixed; use another node"
    )]
    OtherState(u64),
    /// Storage failed or is damaged.
    #[error("storage: {0}")]
    Archive(#[from] commonware_storage::archive::Error),
    /// The state cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
}

/// What can be exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// The block.
    pub head: Head,
    /// What proves it.
    pub finality: Finality,
    /// Height of the block whose state is on disk. For an earlier one a copy of the state must be rewound.
    pub applied: u64,
}

/// Finds the block whose state is to be exported: the last one that is certified, or the `wanted` one.
///
/// # Errors
/// [`SourceError`], naming what is missing.
pub async fn survey<E: Runtime>(
    context: &E,
    prefix: &str,
    spec: &ChainSpec,
    section: NonZeroU64,
    wanted: Option<u64>,
) -> Result<Survey, SourceError> {
    let pages = CacheRef::new(PAGE_BYTES, PAGES);
    if !state::has_begun(context, prefix).await? {
        return Err(SourceError::Empty);
    }
    let genesis = open_genesis(context.child("genesis"), prefix, spec, pages.clone()).await?;
    let finalizations: Finalizations<E> = prunable::Archive::init(
        context.child("finalizations"),
        store::layout(prefix, "finalizations", section, &pages),
    )
    .await?;
    let blocks: Blocks<E> = prunable::Archive::init(
        context.child("blocks"),
        store::layout(prefix, "blocks", section, &pages),
    )
    .await?;
    let layout = state::config(&format!("{prefix}-state"), pages);
    let database = Database::init(context.child("state"), layout, None).await;
    let size = *database.map_err(StateError::from)?.bounds().end;
    let applied = applied(&blocks, size).await?;
    if let Some(wanted) = wanted.filter(|wanted| *wanted > applied) {
        return Err(SourceError::Ahead { wanted, applied });
    }
    let earliest = wanted.unwrap_or_else(|| applied.saturating_sub(COVER_BLOCKS_MAX).max(1));
    let mut height = wanted.unwrap_or(applied);
    let finality = loop {
        match finality(&finalizations, &blocks, height).await? {
            Some(finality) => break finality,
            None if height <= earliest => return Err(SourceError::NoCertificate(height)),
            None => height = height.saturating_sub(1),
        }
    };
    let block = block(&blocks, height).await?;
    let head = Head {
        chain_id: spec.chain_id,
        genesis: B256::from_slice(genesis.digest().as_ref()),
        identity: spec.committee()?.identity(),
        header: block.header().clone(),
        extension: block.extension().clone(),
    };
    Ok(Survey {
        head,
        finality,
        applied,
    })
}

/// Height of the block after which the log of operations had this size.
async fn applied<E: Runtime>(blocks: &Blocks<E>, size: u64) -> Result<u64, SourceError> {
    let mut height = blocks.last_index().ok_or(SourceError::Empty)?;
    // The state is a few blocks behind what is final, at most.
    for _ in 0..COVER_BLOCKS_MAX {
        if let Some(block) = blocks.get(Identifier::Index(height)).await?
            && *block.extension().ops_range.end() <= size
        {
            let same = *block.extension().ops_range.end() == size;
            return same
                .then_some(height)
                .ok_or(SourceError::OtherState(height));
        }
        height = height.checked_sub(1).ok_or(SourceError::Empty)?;
    }
    Err(SourceError::OtherState(height))
}

async fn block<E: Runtime>(blocks: &Blocks<E>, height: u64) -> Result<Arc<Block>, SourceError> {
    let found = blocks.get(Identifier::Index(height)).await?;
    found.ok_or(SourceError::NoBlock(height))
}

/// The first certificate that covers a block.
async fn finality<E: Runtime>(
    finalizations: &Finalizations<E>,
    blocks: &Blocks<E>,
    height: u64,
) -> Result<Option<Finality>, SourceError> {
    let mut headers = Vec::new();
    for later in height..=height.saturating_add(COVER_BLOCKS_MAX) {
        let Some(block) = blocks.get(Identifier::Index(later)).await? else {
            return Ok(None);
        };
        if later != height {
            headers.push(block.header().clone());
        }
        if let Some(certificate) = finalizations.get(Identifier::Index(later)).await?
            && certificate.proposal.payload == block.digest()
        {
            return Ok(Some(Finality {
                headers,
                certificate,
            }));
        }
    }
    Ok(None)
}

/// A state on disk, piece by piece.
pub struct Source<E: Runtime>(Database<E>);

impl<E: Runtime> Source<E> {
    /// Opens the state after the block of `head`. If what is on disk is later (`rewind`), **it is cut there**: give it a copy.
    ///
    /// # Errors
    /// [`SourceError::NoState`] if it is not kept; [`SourceError::OtherState`] if it is not that of the block.
    pub async fn open(
        context: E,
        prefix: &str,
        head: &Head,
        rewind: bool,
    ) -> Result<Self, SourceError> {
        let layout = state::config(&format!("{prefix}-state"), CacheRef::new(PAGE_BYTES, PAGES));
        let (_, end) = head.operations();
        let size = rewind.then(|| Location::new(end));
        let database = Database::init(context, layout, size).await;
        let database = database.map_err(|error| SourceError::NoState {
            height: head.height(),
            cause: error.to_string(),
        })?;
        if database.root() != head.state_root() {
            return Err(SourceError::OtherState(head.height()));
        }
        Ok(Self(database))
    }

    /// The piece that begins at operation `start`.
    ///
    /// # Errors
    /// [`StateError`] when storage fails.
    pub async fn piece(&self, start: u64) -> Result<Piece, StateError> {
        Piece::read(&self.0, start).await
    }
}

//! Final blocks as one program gives them to another that believes nothing: encoded, with the certificates that prove them.

use super::{COVER_BLOCKS_MAX, Node, NodeError};
use alloy_primitives::Bytes;
use commonware_codec::Encode as _;
use commonware_consensus::types::Height;
use types::Block;

/// Blocks in one page, but for those that must follow for one to be certified.
pub const PAGE_BLOCKS_MAX: u64 = 256;
/// Bytes of blocks after which a page ends.
pub const PAGE_BYTES: usize = 1 << 20;
/// Bytes after which it ends even if the last block has no certificate: those without are left out then.
const PAGE_BYTES_MAX: usize = 10 << 20;

/// A final block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertifiedBlock {
    /// The engine's encoding of the certificate over just this block. A block without one is proved by the next that has one,
    /// whose ancestor it is.
    pub certificate: Option<Bytes>,
    /// The engine's encoding of the block: RLP header, extension, transactions.
    pub block: Bytes,
}

/// The last final block that has a certificate of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertifiedHeader {
    /// The engine's encoding of the certificate.
    pub certificate: Bytes,
    /// RLP.
    pub header: Bytes,
}

/// Some final blocks in a row, and how far the chain is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// None as long as there is only block 0.
    pub head: Option<CertifiedHeader>,
    /// The last one has a certificate.
    pub blocks: Vec<CertifiedBlock>,
}

impl Node {
    /// The final blocks from a height on (1 or later), at most `count` and [`PAGE_BLOCKS_MAX`] and some [`PAGE_BYTES`], and then
    /// as many as it takes until one has a certificate. Nothing if there is none yet.
    ///
    /// # Errors
    /// [`NodeError::BlockPruned`] if the first is not here any more.
    pub async fn page(&self, from: u64, count: u64) -> Result<Page, NodeError> {
        let (from, head) = (from.max(1), self.feed.height());
        let page = Page {
            head: self.certified_head(head).await,
            blocks: Vec::new(),
        };
        if count == 0 || from > head {
            return Ok(page);
        }
        if let Some(pruned) = self.pruned(from).await {
            return Err(pruned);
        }
        let count = usize::try_from(count.min(PAGE_BLOCKS_MAX)).unwrap_or(usize::MAX);
        let last = from.saturating_add(PAGE_BLOCKS_MAX + COVER_BLOCKS_MAX);
        let mut blocks: Vec<CertifiedBlock> = Vec::new();
        let (mut bytes, mut proved) = (0_usize, 0);
        for height in from..=head.min(last) {
            let Some(block) = self.body(height).await else {
                break;
            };
            let certificate = self.encoded_certificate(&block).await;
            let block: Bytes = block.encode().into();
            bytes = bytes.saturating_add(block.len());
            let is_certified = certificate.is_some();
            blocks.push(CertifiedBlock { certificate, block });
            if is_certified {
                proved = blocks.len();
                if proved >= count || bytes >= PAGE_BYTES {
                    break;
                }
            } else if bytes >= PAGE_BYTES_MAX {
                break;
            }
        }
        blocks.truncate(proved);
        Ok(Page { blocks, ..page })
    }

    /// The last block with a certificate, of those up to a height.
    async fn certified_head(&self, height: u64) -> Option<CertifiedHeader> {
        let lowest = height.saturating_sub(COVER_BLOCKS_MAX).max(1);
        for height in (lowest..=height).rev() {
            let block = self.body(height).await?;
            if let Some(certificate) = self.encoded_certificate(&block).await {
                return Some(CertifiedHeader {
                    certificate,
                    header: block.header_rlp(),
                });
            }
        }
        None
    }

    async fn encoded_certificate(&self, block: &Block) -> Option<Bytes> {
        let height = Height::new(block.number());
        let finalization = self.marshal.get_finalization(height).await?;
        (finalization.proposal.payload.as_ref() == block.hash().as_slice())
            .then(|| finalization.encode().into())
    }
}

//! What an upstream sent, held against the network's identity.

use super::{shelf::Item, upstream::Lie};
use crate::{
    alias::{Finalization, Scheme},
    epoch::Calendar,
    node::{CertifiedHeader, PAGE_BLOCKS_MAX, Page},
};
use alloy_consensus::Header;
use alloy_primitives::{B256, Bytes, keccak256};
use alloy_rlp::Decodable as _;
use commonware_codec::Decode as _;
use commonware_consensus::Epochable as _;
use commonware_cryptography::Digestible as _;
use commonware_parallel::Sequential;
use rand_core::CryptoRng;
use types::{Block, Digest};

/// How certificates are verified.
#[derive(Clone)]
pub(super) struct Verifier {
    pub scheme: Scheme,
    pub calendar: Calendar,
}

/// What is left of a page.
#[derive(Debug)]
pub(super) struct Checked {
    /// In order.
    pub items: Vec<Item>,
    /// The certificate over the last of them.
    pub last: Option<Finalization>,
}

impl Verifier {
    /// Checks that the blocks of a page are those from `from` on, each the parent of the next, and that the last is certified:
    /// then all are final. Certificates in between are the engine's to verify, all at once.
    ///
    /// # Errors
    /// What is wrong with it. Whoever sent it did so on purpose, or serves another network.
    pub fn blocks(
        &self,
        rng: &mut impl CryptoRng,
        source: usize,
        from: u64,
        page: Page,
    ) -> Result<Checked, Lie> {
        let most = usize::try_from(PAGE_BLOCKS_MAX.saturating_mul(3)).unwrap_or(usize::MAX);
        if page.blocks.len() > most {
            return Err(Lie::TooMany(page.blocks.len()));
        }
        let mut items: Vec<Item> = Vec::with_capacity(page.blocks.len());
        for (height, sent) in (from..).zip(page.blocks) {
            let block =
                Block::decode_cfg(sent.block.0.clone(), &()).map_err(|error| Lie::Malformed {
                    height,
                    reason: error.to_string(),
                })?;
            if block.number() != height {
                let found = block.number();
                return Err(Lie::OtherBlock { height, found });
            }
            if let Some(before) = items.last()
                && block.header().parent_hash.as_slice() != before.digest.as_ref()
            {
                return Err(Lie::NoChain(height));
            }
            items.push(Item {
                height,
                digest: block.digest(),
                certificate: sent.certificate,
                block: sent.block,
                source,
            });
        }
        let last = match items.last() {
            None => None,
            Some(last) => {
                let certificate = last.certificate.as_ref();
                let certificate = certificate.ok_or(Lie::Uncertified(last.height))?;
                Some(self.certificate(rng, last.height, last.digest, certificate)?)
            }
        };
        Ok(Checked { items, last })
    }

    /// How far an upstream is, if it can prove it. What is not beyond `known` is taken as it says: it makes no difference.
    ///
    /// # Errors
    /// That it is no proof.
    pub fn head(
        &self,
        rng: &mut impl CryptoRng,
        known: u64,
        head: Option<&CertifiedHeader>,
    ) -> Result<u64, Lie> {
        let Some(CertifiedHeader {
            certificate,
            header,
        }) = head
        else {
            return Ok(0);
        };
        let mut rest = header.as_ref();
        let read = Header::decode(&mut rest).map_err(|error| Lie::Malformed {
            height: known,
            reason: error.to_string(),
        })?;
        if read.number > known {
            let hash: B256 = keccak256(header);
            self.certificate(rng, read.number, Digest::from(hash.0), certificate)?;
        }
        Ok(read.number)
    }

    fn certificate(
        &self,
        rng: &mut impl CryptoRng,
        height: u64,
        digest: Digest,
        certificate: &Bytes,
    ) -> Result<Finalization, Lie> {
        let finalization =
            Finalization::decode_cfg(certificate.0.clone(), &()).map_err(|error| {
                Lie::Malformed {
                    height,
                    reason: error.to_string(),
                }
            })?;
        let fits = finalization.proposal.payload == digest
            && finalization.epoch().get() == self.calendar.epoch_of(height);
        if fits && finalization.verify(rng, &self.scheme, &Sequential) {
            Ok(finalization)
        } else {
            Err(Lie::Forged(height))
        }
    }
}

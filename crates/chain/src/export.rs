//! The state after a final block as one file, and what proves it (`docs/export.md`).
//!
//! ```text
//! a stopped node ── Source ──► Head, Finality, Piece… ── Writer ──► file ── Reader ──► the same, checked
//! ```
//!
//! [`Head`] says which block of which network, [`Finality`] that this network certified it, and each [`state::Piece`] is proved
//! against its state root. The digest that names an export does not cover the certificate: nodes may hold different ones of the
//! same block, and each is as good.

mod file;
mod source;
#[cfg(test)]
mod tests;

pub use file::{Part, Reader, Whole, Writer};
pub use source::{Source, SourceError, Survey, survey};

use crate::{
    alias::{Finalization, Scheme},
    node::COVER_BLOCKS_MAX,
};
use alloy_consensus::Header;
use alloy_primitives::{B256, hex};
use commonware_codec::{
    Buf, DecodeExt as _, Error as CodecError, RangeCfg, Read, ReadExt as _, Write,
};
use commonware_cryptography::bls12381::primitives::variant::{MinSig, Variant};
use commonware_parallel::Sequential;
use commonware_runtime::BufMut;
use rand_core::CryptoRng;
use state::PieceError;
use std::io;
use types::{Digest, Extension, Namespace, read_header, write_header};

/// Bytes of a network's identity.
const IDENTITY_BYTES: usize = 96;

/// Which block's state an export is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Chain id of the network.
    pub chain_id: u64,
    /// The hash of its block 0.
    pub genesis: B256,
    /// Its identity.
    pub identity: [u8; IDENTITY_BYTES],
    /// The block's header.
    pub header: Header,
    /// What its `extraData` commits to.
    pub extension: Extension,
}

/// What proves that a block is final: a certificate, of the block or of a later one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finality {
    /// The headers after the block's, up to the one that is certified.
    pub headers: Vec<Header>,
    /// The certificate.
    pub certificate: Finalization,
}

/// What is wrong with an export.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// It begins with something else.
    #[error("this is no export of a network's state: it does not begin as one")]
    NoExport,
    /// A newer program wrote it.
    #[error(
        "the export has the format {0:?}, which this program does not know: use the version of Ashlar that made it, or a newer one"
    )]
    Format(String),
    /// It ends too early.
    #[error("the export is cut short: {missing} is missing. Copy it again, or export anew")]
    Cut {
        /// What should come next.
        missing: &'static str,
    },
    /// A part cannot be read.
    #[error("the export is damaged: {0}. Copy it again, or export anew")]
    Damaged(&'static str),
    /// It is not what it says.
    #[error("the export is damaged, or was changed: its digest is {found}, and it says {said}")]
    Digest {
        /// That of the bytes that are there.
        found: B256,
        /// The one at its end.
        said: B256,
    },
    /// It has not the entries that it says.
    #[error("the export is damaged: it has not as many entries as it says")]
    Counts,
    /// The block is not proved to be final.
    #[error("the export does not prove that its block is final: {0}")]
    NotFinal(&'static str),
    /// The proof of a piece is wrong.
    #[error("the export does not prove its entries: {0}")]
    Piece(#[from] PieceError),
    /// Another network's.
    #[error("the export is of the network with identity {found}, not {expected}")]
    OtherNetwork {
        /// Its identity.
        found: String,
        /// The one that was asked for.
        expected: String,
    },
    /// The file cannot be read or written.
    #[error("the file of the export: {0}")]
    Io(#[from] io::Error),
}

impl Head {
    /// Height of the block.
    pub const fn height(&self) -> u64 {
        self.header.number
    }

    /// The hash of the block.
    pub fn block(&self) -> B256 {
        self.header.hash_slow()
    }

    /// The root of the state after it.
    pub fn state_root(&self) -> Digest {
        Digest::from(self.header.state_root.0)
    }

    /// The operations that make the state: the first, and the one after the last.
    pub fn operations(&self) -> (u64, u64) {
        let range = &self.extension.ops_range;
        (*range.start(), *range.end())
    }

    /// The network's identity in hex.
    pub fn identity_hex(&self) -> String {
        hex::encode_prefixed(self.identity)
    }

    /// Whether this is the state of the network with this identity.
    ///
    /// # Errors
    /// [`ExportError::OtherNetwork`].
    pub fn pin(&self, identity: &str) -> Result<(), ExportError> {
        let bare = |hex: &str| hex.trim().trim_start_matches("0x").to_lowercase();
        let found = self.identity_hex();
        if bare(identity) == bare(&found) {
            return Ok(());
        }
        Err(ExportError::OtherNetwork {
            found,
            expected: identity.trim().to_owned(),
        })
    }
}

impl Finality {
    /// Checks that the network of `head` certified its block, or one that descends from it.
    ///
    /// # Errors
    /// [`ExportError::NotFinal`].
    pub fn verify(&self, head: &Head, rng: &mut impl CryptoRng) -> Result<(), ExportError> {
        let wrong = |what| Err(ExportError::NotFinal(what));
        if head.header.extra_data.as_ref() != head.extension.hash().as_slice() {
            return wrong("the header does not commit to the extension");
        }
        let mut last = head.block();
        for (number, header) in (head.height().saturating_add(1)..).zip(&self.headers) {
            if header.parent_hash != last || header.number != number {
                return wrong("the headers are no chain");
            }
            last = header.hash_slow();
        }
        if self.certificate.proposal.payload != Digest::from(last.0) {
            return wrong("the certificate is of another block");
        }
        let identity = bytes::Bytes::copy_from_slice(&head.identity);
        let Ok(identity) = <MinSig as Variant>::Public::decode(identity) else {
            return wrong("the identity is no public key");
        };
        let namespace = Namespace::new(head.chain_id, &Digest::from(head.genesis.0));
        let verifier = Scheme::certificate_verifier(namespace.as_bytes(), identity);
        if !self.certificate.verify(rng, &verifier, &Sequential) {
            return wrong("the signature is not the network's");
        }
        Ok(())
    }
}

impl Write for Head {
    fn write(&self, buf: &mut impl BufMut) {
        self.chain_id.write(buf);
        self.genesis.0.write(buf);
        self.identity.write(buf);
        write_header(&self.header, buf);
        self.extension.write(buf);
    }
}

impl Read for Head {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, CodecError> {
        Ok(Self {
            chain_id: u64::read(buf)?,
            genesis: B256::from(<[u8; 32]>::read(buf)?),
            identity: <[u8; IDENTITY_BYTES]>::read(buf)?,
            header: read_header(buf)?,
            extension: Extension::read(buf)?,
        })
    }
}

impl Write for Finality {
    fn write(&self, buf: &mut impl BufMut) {
        self.headers.len().write(buf);
        for header in &self.headers {
            write_header(header, buf);
        }
        self.certificate.write(buf);
    }
}

impl Read for Finality {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, CodecError> {
        let most = usize::try_from(COVER_BLOCKS_MAX).unwrap_or_default();
        let count = usize::read_cfg(buf, &RangeCfg::new(0..=most))?;
        let headers = (0..count).map(|_| read_header(buf));
        let headers = headers.collect::<Result<_, _>>()?;
        Ok(Self {
            headers,
            certificate: Finalization::read(buf)?,
        })
    }
}

//! The block: an Ethereum header, the extension it commits to, and raw transactions.

use crate::{committee::MAX_VALIDATORS, transaction::MAX_TRANSACTION_BYTES};
use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header, ReceiptEnvelope, proofs};
use alloy_primitives::{B256, Bytes, keccak256};
use alloy_rlp::{Decodable as _, Encodable as _};
use alloy_trie::root::ordered_trie_root_with_encoder;
use commonware_codec::{
    Buf, Decode as _, Encode as _, EncodeSize, Error as CodecError, MaxEncodeSize, RangeCfg, Read,
    ReadExt as _, Write,
};
use commonware_consensus::{
    Block as ConsensusBlock, BoundedBlock, CertifiableBlock, Heightable, types::Height,
};
use commonware_cryptography::{
    Digest as _, Digestible,
    bls12381::primitives::{sharing::ModeVersion, variant::MinSig},
    ed25519, keccak256 as engine_keccak256,
};
use commonware_glue::dkg::{ReshareBlock, types};
use commonware_runtime::BufMut;
use commonware_storage::{merkle::Location, mmb};
use commonware_utils::{range::NonEmptyRange, sequence::Unit};

/// A validator's network key: it names the leader in a block's context.
pub type PublicKey = ed25519::PublicKey;
/// The consensus digest of a block, which is its Ethereum hash.
pub type Digest = engine_keccak256::Digest;
/// The accumulator family of the state database.
pub type Family = mmb::Family;
/// What consensus says about a proposal: epoch, view, leader and parent.
pub type Context = commonware_consensus::simplex::types::Context<Digest, PublicKey>;
/// An Ethereum transaction receipt, not to be confused with our portable receipt.
pub type TransactionReceipt = ReceiptEnvelope;

/// What a block may carry of the key ceremony: a dealer's log, or in an epoch's last block what follows it.
pub type Ceremony = types::Payload<MinSig, PublicKey>;
/// Who signs in an epoch, who will, and the public part of the key they share.
pub type EpochInfo = types::EpochInfo<MinSig, PublicKey>;

/// Largest block body, in bytes of raw transactions with their length prefixes. Keeps a block
/// within one network message and its spread within the leader timeout.
pub const MAX_BODY_BYTES: usize = 2 << 20;
/// Most transactions in a block: a bound for the decoder, far above what [`MAX_BODY_BYTES`] admits
/// of real ones (a transfer has about 110 bytes).
pub const MAX_TRANSACTIONS: usize = 1 << 16;
/// Largest encoded [`Ceremony`], with the hash of the spec before it in block 0. A test compares it with the bound that the
/// codec gives for [`MAX_VALIDATORS`].
pub const MAX_DKG_BYTES: usize = 16 << 10;
/// Before the ceremony's payload in block 0: the hash of the spec.
pub(crate) const SPEC_HASH_BYTES: usize = 32;
/// Largest RLP header: 20 fixed fields with a 256-byte bloom and a 32-byte `extraData` stay below.
const MAX_HEADER_BYTES: usize = 1024;

/// What Ethereum's header has no field for. Its hash is the header's `extraData`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// The consensus context the block was proposed in.
    pub context: Context,
    /// Root of the state database's log of operations: what state sync downloads against.
    pub ops_root: Digest,
    /// The operations that root covers.
    pub ops_range: NonEmptyRange<Location<Family>>,
    /// Milliseconds of the block time within the header's second: 0 to 999.
    pub millis: u16,
    /// Payload of the key ceremony, an encoded [`Ceremony`] (empty: none). In block 0 the hash of the spec stands before it.
    pub dkg: Bytes,
}

impl Extension {
    /// Encodes what a block carries of the key ceremony, for [`Self::dkg`].
    pub fn encode_ceremony(ceremony: Option<&Ceremony>) -> Bytes {
        ceremony.map_or_else(Bytes::new, |ceremony| ceremony.encode().into())
    }

    /// Decodes [`Self::dkg`] of the block with this number.
    fn ceremony(&self, number: u64) -> Result<Option<Ceremony>, CodecError> {
        let skipped = if number == 0 { SPEC_HASH_BYTES } else { 0 };
        let Some(bytes) = self.dkg.0.get(skipped..).filter(|bytes| !bytes.is_empty()) else {
            return Ok(None);
        };
        let bytes = self.dkg.0.slice_ref(bytes);
        Ceremony::decode_cfg(bytes, &(MAX_VALIDATORS, ModeVersion::v1())).map(Some)
    }

    /// keccak256 of the encoded extension: the header's `extraData`.
    pub fn hash(&self) -> B256 {
        keccak256(self.encode())
    }
}

impl Write for Extension {
    fn write(&self, buf: &mut impl BufMut) {
        self.context.write(buf);
        self.ops_root.write(buf);
        self.ops_range.write(buf);
        self.millis.write(buf);
        self.dkg.0.write(buf);
    }
}

impl EncodeSize for Extension {
    fn encode_size(&self) -> usize {
        self.context.encode_size()
            + self.ops_root.encode_size()
            + self.ops_range.encode_size()
            + self.millis.encode_size()
            + self.dkg.0.encode_size()
    }
}

impl Read for Extension {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, CodecError> {
        let extension = Self {
            context: Context::read(buf)?,
            ops_root: Digest::read(buf)?,
            ops_range: NonEmptyRange::read(buf)?,
            millis: u16::read(buf)?,
            dkg: bytes::Bytes::read_cfg(buf, &RangeCfg::new(0..=MAX_DKG_BYTES))?.into(),
        };
        if extension.millis >= 1000 {
            return Err(CodecError::Invalid("Extension", "millis out of range"));
        }
        Ok(extension)
    }
}

/// A block of the chain.
///
/// The digest covers the header only, so the decoder proves that extension and transactions are
/// the ones the header commits to: a `Block` that exists is bound to its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    header: Header,
    extension: Extension,
    transactions: Vec<Bytes>,
}

/// Why header, extension and transactions do not make one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// `extraData` is not the extension's hash.
    #[error("extraData is not the hash of the extension")]
    Extension,
    /// `transactionsRoot` is not the root of the transactions.
    #[error("transactionsRoot is not the root of the body")]
    TransactionsRoot,
    /// A field that this chain fixes has another value.
    #[error("header field {0} must have its fixed value on this chain")]
    Fixed(&'static str),
    /// The body exceeds [`MAX_BODY_BYTES`].
    #[error("body exceeds {MAX_BODY_BYTES} bytes")]
    Body,
    /// What it carries of the key ceremony does not decode.
    #[error("the payload of the key ceremony does not decode")]
    Ceremony,
}

impl Block {
    /// Puts a block together, checking that the header commits to the rest.
    pub fn new(
        header: Header,
        extension: Extension,
        transactions: Vec<Bytes>,
    ) -> Result<Self, BlockError> {
        let fixed = [
            ("sha3Uncles", header.ommers_hash == EMPTY_OMMER_ROOT_HASH),
            ("difficulty", header.difficulty.is_zero()),
            ("nonce", header.nonce.is_zero()),
            (
                "withdrawalsRoot",
                header.withdrawals_root == Some(alloy_trie::EMPTY_ROOT_HASH),
            ),
            ("blobGasUsed", header.blob_gas_used == Some(0)),
            ("excessBlobGas", header.excess_blob_gas == Some(0)),
            (
                "parentBeaconBlockRoot",
                header.parent_beacon_block_root == Some(B256::ZERO),
            ),
            (
                "requestsHash",
                header.requests_hash == Some(alloy_eips::eip7685::EMPTY_REQUESTS_HASH),
            ),
            (
                "blockAccessListHash",
                header.block_access_list_hash.is_none(),
            ),
            ("slotNumber", header.slot_number.is_none()),
        ];
        if let Some((field, _)) = fixed.iter().find(|(_, holds)| !holds) {
            return Err(BlockError::Fixed(field));
        }
        if header.extra_data.as_ref() != extension.hash().as_slice() {
            return Err(BlockError::Extension);
        }
        if extension.ceremony(header.number).is_err() {
            return Err(BlockError::Ceremony);
        }
        if body_bytes(&transactions) > MAX_BODY_BYTES {
            return Err(BlockError::Body);
        }
        if transactions_root(&transactions) != header.transactions_root {
            return Err(BlockError::TransactionsRoot);
        }
        Ok(Self {
            header,
            extension,
            transactions,
        })
    }

    /// A block of *another* Ethereum chain, for tests that serve one: nothing is checked, and the extension is not what
    /// `extraData` commits to.
    ///
    /// No node may make a block this way.
    #[cfg(feature = "import")]
    pub const fn foreign(header: Header, extension: Extension, transactions: Vec<Bytes>) -> Self {
        Self {
            header,
            extension,
            transactions,
        }
    }

    /// A header with every field this chain fixes set, and the rest zero.
    pub fn header_template() -> Header {
        Header {
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            withdrawals_root: Some(alloy_trie::EMPTY_ROOT_HASH),
            base_fee_per_gas: Some(0),
            blob_gas_used: Some(0),
            excess_blob_gas: Some(0),
            parent_beacon_block_root: Some(B256::ZERO),
            requests_hash: Some(alloy_eips::eip7685::EMPTY_REQUESTS_HASH),
            ..Header::default()
        }
    }

    /// The Ethereum header.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// What the header's `extraData` commits to.
    pub const fn extension(&self) -> &Extension {
        &self.extension
    }

    /// Raw EIP-2718 transactions in order.
    pub fn transactions(&self) -> &[Bytes] {
        &self.transactions
    }

    /// The Ethereum block hash.
    pub fn hash(&self) -> B256 {
        self.header.hash_slow()
    }

    /// Block number.
    pub const fn number(&self) -> u64 {
        self.header.number
    }

    /// Block time in milliseconds since the Unix epoch.
    pub fn time_ms(&self) -> u64 {
        self.header
            .timestamp
            .saturating_mul(1000)
            .saturating_add(u64::from(self.extension.millis))
    }

    /// The header in RLP, whose keccak256 is the block hash.
    pub fn header_rlp(&self) -> Bytes {
        alloy_rlp::encode(&self.header).into()
    }
}

/// A header in RLP, with its length before it.
pub fn write_header(header: &Header, buf: &mut impl BufMut) {
    bytes::Bytes::from(alloy_rlp::encode(header)).write(buf);
}

/// Reads what [`write_header`] wrote.
///
/// # Errors
/// It is no header, or not as we would write it: the digest is taken of what we re-encode.
pub fn read_header(buf: &mut impl Buf) -> Result<Header, CodecError> {
    let rlp = bytes::Bytes::read_cfg(buf, &RangeCfg::new(0..=MAX_HEADER_BYTES))?;
    let mut rest = rlp.as_ref();
    let header = Header::decode(&mut rest).map_err(|_| CodecError::Invalid("Block", "header"))?;
    if !rest.is_empty() || alloy_rlp::encode(&header) != rlp.as_ref() {
        return Err(CodecError::Invalid("Block", "header is not canonical RLP"));
    }
    Ok(header)
}

/// Bytes the encoded body takes: each transaction with a length prefix of at most five bytes.
fn body_bytes(transactions: &[Bytes]) -> usize {
    transactions.iter().map(|raw| raw.len() + 5).sum()
}

/// Ethereum's root of a list of raw EIP-2718 transactions.
pub fn transactions_root(transactions: &[Bytes]) -> B256 {
    ordered_trie_root_with_encoder(transactions, |raw, out| out.put_slice(raw))
}

/// Ethereum's root of a list of transaction receipts.
pub fn receipts_root(receipts: &[TransactionReceipt]) -> B256 {
    proofs::calculate_receipt_root(receipts)
}

impl Write for Block {
    fn write(&self, buf: &mut impl BufMut) {
        write_header(&self.header, buf);
        self.extension.write(buf);
        self.transactions.len().write(buf);
        for raw in &self.transactions {
            raw.0.write(buf);
        }
    }
}

impl EncodeSize for Block {
    fn encode_size(&self) -> usize {
        let header = self.header.length();
        header.encode_size()
            + header
            + self.extension.encode_size()
            + self.transactions.len().encode_size()
            + self
                .transactions
                .iter()
                .map(|raw| raw.0.encode_size())
                .sum::<usize>()
    }
}

impl Read for Block {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, CodecError> {
        let header = read_header(buf)?;
        let extension = Extension::read(buf)?;
        let count = usize::read_cfg(buf, &RangeCfg::new(0..=MAX_TRANSACTIONS))?;
        let mut transactions = Vec::with_capacity(count.min(1024));
        let mut body = 0_usize;
        for _ in 0..count {
            let raw = bytes::Bytes::read_cfg(buf, &RangeCfg::new(0..=MAX_TRANSACTION_BYTES))?;
            body += raw.len() + 5;
            // Checked while reading: a hostile peer must not make us hold more than the bound.
            if body > MAX_BODY_BYTES {
                return Err(CodecError::Invalid("Block", "body too large"));
            }
            transactions.push(raw.into());
        }
        Self::new(header, extension, transactions)
            .map_err(|_| CodecError::Invalid("Block", "header does not commit to the rest"))
    }
}

impl Digestible for Block {
    type Digest = Digest;

    fn digest(&self) -> Digest {
        Digest::from(self.hash().0)
    }
}

impl Heightable for Block {
    fn height(&self) -> Height {
        Height::new(self.header.number)
    }
}

impl ConsensusBlock for Block {
    fn parent(&self) -> Digest {
        Digest::from(self.header.parent_hash.0)
    }
}

impl CertifiableBlock for Block {
    type Context = Context;

    fn context(&self) -> Context {
        self.extension.context.clone()
    }
}

impl ReshareBlock for Block {
    type Variant = MinSig;
    type PublicKey = PublicKey;
    type Directory = Unit;

    fn payload(&self) -> Option<Ceremony> {
        // It decodes, or this block would not be.
        self.extension.ceremony(self.number()).ok().flatten()
    }
}

impl BoundedBlock for Block {
    fn max_encode_size(_: &()) -> usize {
        const LENGTH_PREFIX: usize = 5;
        LENGTH_PREFIX
            + MAX_HEADER_BYTES
            + Context::MAX_ENCODE_SIZE
            + Digest::EMPTY.encode_size()
            + NonEmptyRange::<Location<Family>>::MAX_ENCODE_SIZE
            + u16::MAX.encode_size()
            + LENGTH_PREFIX
            + MAX_DKG_BYTES
            + LENGTH_PREFIX
            + MAX_BODY_BYTES
    }
}

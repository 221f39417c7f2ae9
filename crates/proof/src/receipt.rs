//! The receipt as a type. What cannot be meant cannot be written: a path without a log, or content without a path, has
//! no representation here, though it has one on the wire and is refused there (`format`).

use alloc::vec::Vec;
use alloy_primitives::{B256, Bytes, FixedBytes};

/// The network's public key: a BLS12-381 point of G2, 96 bytes compressed. It outlives every change of validators.
pub type Identity = FixedBytes<96>;

/// A threshold signature of the validators: a BLS12-381 point of G1, 48 bytes compressed.
pub type Signature = FixedBytes<48>;

/// A portable proof, checked by [`verify`](crate::verify::verify) with nothing but the network's identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Which network says so.
    pub network: Network,
    /// What its validators signed together.
    pub finalization: Finalization,
    /// RLP headers from the record's block `h` to the block the finalization names, `h' ≥ h`. Usually just one.
    pub headers: Vec<Bytes>,
    /// The transaction receipt under the first header's receipts root.
    pub inclusion: Inclusion,
    /// The record inside that transaction receipt; `None` when the file proves a transaction receipt and no more.
    pub record: Option<Record>,
}

/// The network a receipt speaks for. `chain_id` and `genesis` are part of what is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// The EVM chain id.
    pub chain_id: u64,
    /// The hash of block 0.
    pub genesis: B256,
    /// A hint for people and tools. Whoever wants proof pins the identity from elsewhere.
    pub identity: Identity,
}

/// A certificate that a block is final: the consensus proposal, but for its block hash (which is computed from the last
/// header), and one signature over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finalization {
    /// The epoch of the committee that signed.
    pub epoch: u64,
    /// The consensus view in which the block was proposed. Not a height.
    pub view: u64,
    /// The view of the block's parent.
    pub parent_view: u64,
    /// The signature, valid under the network's identity.
    pub signature: Signature,
}

/// A Merkle-Patricia proof of one transaction receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inclusion {
    /// Position of the transaction in its block.
    pub transaction_index: u64,
    /// The trie's nodes from the root to the leaf; the leaf holds the transaction receipt.
    pub proof: Vec<Bytes>,
}

/// One record of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Position of the `Recorded` log among the logs of its transaction receipt (not of the block).
    pub log_index: u64,
    /// From the record to the batch root in that log.
    pub path: Path,
    /// What was recorded; absent when it was erased, or is not for this reader. The rest still verifies.
    pub content: Option<Content>,
}

/// A Merkle path. How many leaves the tree has is read from the log, never from the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The record's id: `keccak256(organization ‖ key)`.
    pub id: B256,
    /// What the organization committed to under that id.
    pub commitment: B256,
    /// Position of the record among the batch's leaves.
    pub leaf_index: u64,
    /// Sibling hashes from the leaf upward; a level where the node is the odd last one has none.
    pub siblings: Vec<B256>,
}

/// The opening of a commitment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// 32 random bytes, made for this record alone. Without them the commitment says nothing about its content.
    pub salt: B256,
    /// Canonical JSON (RFC 8785) of `{"data", "type"}` and, with attachments, `"attachments"`.
    pub body: Bytes,
    /// SHA-256 of each attachment, in the order in which the body lists them.
    pub attachments: Vec<B256>,
}

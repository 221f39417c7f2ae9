//! Following the chain of finalized blocks without believing who sends them. No sockets, no clock.
//!
//! From a block that is trusted (genesis, or one verified before) every next block must
//! 1. name the one before as its parent, and be one higher;
//! 2. carry transactions and receipts with the two roots in its header;
//! 3. be certified under the network's identity, itself or through a later block whose chain of headers leads to it.
//!
//! Blocks wait for 3 in a bounded buffer; nothing is given out before.

use alloy_primitives::{B256, Bytes};
use proof::{
    Failure, IdentityKey, Succession, SuccessionError, build, receipt::Identity,
    verify::IdentityError,
};

use crate::node::{FinalityProof, FinalizedBlock};

/// Blocks that may wait for a certificate. With the certified one they fill the headers of a receipt.
pub const WAITING_MAX: usize = proof::format::HEADERS_MAX - 1;

/// Bytes of transactions and receipts that may wait for a certificate.
pub const WAITING_BYTES_MAX: usize = 256 << 20;

/// The network whose blocks are followed.
#[derive(Debug, Clone)]
pub struct Network {
    chain_id: u64,
    genesis: B256,
    identity: Identity,
    namespace: Vec<u8>,
    key: IdentityKey,
}

impl Network {
    /// Fails if `identity` is not a usable public key.
    pub fn new(
        chain_id: u64,
        genesis: B256,
        identity: Identity,
    ) -> Result<Self, proof::finalization::KeyError> {
        let key = IdentityKey::new(&identity)?;
        Ok(Self {
            chain_id,
            genesis,
            identity,
            namespace: proof::namespace(chain_id, &genesis),
            key,
        })
    }

    /// The network that this one named to go on with its state, by a receipt of the transaction that named it.
    ///
    /// # Errors
    /// When the receipt is no proof of that, or the successor's identity is no usable public key.
    pub fn successor(&self, receipt: &proof::Receipt) -> Result<Self, SuccessionError> {
        let Succession {
            predecessor,
            successor,
            ..
        } = Succession::verify(receipt, &self.identity)?;
        if predecessor != self.named() {
            return Err(SuccessionError::Other {
                last: Box::new(self.named()),
                found: Box::new(predecessor),
            });
        }
        let proof::Network {
            chain_id,
            genesis,
            identity,
        } = successor;
        let key = |error| Failure::from(IdentityError::from(error));
        Ok(Self::new(chain_id, genesis, identity).map_err(key)?)
    }

    /// The EVM chain id.
    pub const fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// The hash of block 0.
    pub const fn genesis(&self) -> B256 {
        self.genesis
    }

    /// The network's public key.
    pub const fn identity(&self) -> Identity {
        self.identity
    }

    /// The network as a receipt names it.
    pub const fn named(&self) -> proof::Network {
        proof::Network {
            chain_id: self.chain_id,
            genesis: self.genesis,
            identity: self.identity,
        }
    }

    /// Checks that `proof` shows its first block final, and returns that block.
    pub fn verify(&self, proof: FinalityProof) -> Result<Head, Fault> {
        let (first, last) = proof::verify_headers(&proof.headers)
            .map_err(|error| Fault::Header(error.to_string()))?;
        self.key
            .verify(&self.namespace, &proof.finalization.into(), &last.hash)
            .map_err(|error| Fault::Certificate(error.to_string()))?;
        Ok(Head {
            height: first.number,
            hash: first.hash,
        })
    }
}

/// A block that is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its height.
    pub height: u64,
    /// Its hash.
    pub hash: B256,
}

/// A block that was shown to be final, with its content and with what shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedBlock {
    /// Its header, decoded.
    pub header: proof::Header,
    /// Its transactions, in their EIP-2718 encoding.
    pub transactions: Vec<Bytes>,
    /// Their receipts, in their EIP-2718 encoding, with bloom; as many.
    pub receipts: Vec<Bytes>,
    /// RLP headers from this block to the certified one.
    pub headers: Vec<Bytes>,
    /// The certificate over the last of them.
    pub finalization: proof::Finalization,
}

impl VerifiedBlock {
    /// Which block it is.
    pub const fn head(&self) -> Head {
        Head {
            height: self.header.number,
            hash: self.header.hash,
        }
    }
}

/// What a sender did that an honest node does not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Not an Ethereum header, or not a chain of them.
    #[error("a header is malformed: {0}")]
    Header(String),
    /// Heights must come one by one.
    #[error("block {found} was sent where block {expected} was due")]
    Gap {
        /// The height that was due.
        expected: u64,
        /// The height that came.
        found: u64,
    },
    /// The block is not the child of the one before.
    #[error("block {height} names {named} as its parent, but the block before is {actual}")]
    Parent {
        /// The height of the block.
        height: u64,
        /// The parent it names.
        named: B256,
        /// The block before it.
        actual: B256,
    },
    /// The block is not the child of the trusted one, **and its certificate is valid**: the validators have made two
    /// blocks of one height final. No node can do that alone; the network's safety is broken.
    #[error(
        "the network has made two histories final: block {height} {block} does not descend from {trusted}"
    )]
    ConflictingFinality {
        /// The height of the block.
        height: u64,
        /// The block.
        block: B256,
        /// The block before it that was verified earlier.
        trusted: B256,
    },
    /// The transactions are not those of the header.
    #[error(
        "the transactions of block {height} have the root {computed}, not the header's {expected}"
    )]
    TransactionsRoot {
        /// The height of the block.
        height: u64,
        /// The root of what was sent.
        computed: B256,
        /// The root in the header.
        expected: B256,
    },
    /// The receipts are not those of the header.
    #[error("the receipts of block {height} have the root {computed}, not the header's {expected}")]
    ReceiptsRoot {
        /// The height of the block.
        height: u64,
        /// The root of what was sent.
        computed: B256,
        /// The root in the header.
        expected: B256,
    },
    /// Each transaction has one receipt.
    #[error("block {height} has {transactions} transactions but {receipts} receipts")]
    Counts {
        /// The height of the block.
        height: u64,
        /// The number of transactions.
        transactions: usize,
        /// The number of receipts.
        receipts: usize,
    },
    /// The certificate is not the network's over that block.
    #[error("the certificate is forged or of another network: {0}")]
    Certificate(String),
    /// Block after block without a certificate over any of them.
    #[error("{blocks} blocks ({bytes} bytes) came without a certificate; no receipt can span more")]
    Uncertified {
        /// How many.
        blocks: usize,
        /// How much.
        bytes: usize,
    },
    /// The message is not what the interface says.
    #[error("a message is malformed: {0}")]
    Message(String),
}

/// A fault, and whose.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{node} sent what an honest node does not: {fault}")]
pub struct Evidence {
    /// The node's address.
    pub node: String,
    /// What it did.
    pub fault: Fault,
}

/// Checks blocks one after the other.
#[derive(Debug)]
pub struct Follower {
    network: Network,
    trusted: Head,
    waiting: Vec<Waiting>,
    waiting_bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    rlp: Bytes,
    header: proof::Header,
    transactions: Vec<Bytes>,
    receipts: Vec<Bytes>,
}

impl Follower {
    /// Follows from `trusted` on.
    pub const fn new(network: Network, trusted: Head) -> Self {
        Self {
            network,
            trusted,
            waiting: Vec::new(),
            waiting_bytes: 0,
        }
    }

    /// The last block that was given out.
    pub const fn trusted(&self) -> Head {
        self.trusted
    }

    /// Drops the blocks that wait for a certificate: another node starts after [`Self::trusted`].
    pub fn restart(&mut self) {
        self.waiting.clear();
        self.waiting_bytes = 0;
    }

    /// Takes the next block. Returns the blocks that are verified by it, in order: none while it waits for a
    /// certificate. After a fault the follower is as if it had been restarted.
    pub fn push(&mut self, block: FinalizedBlock) -> Result<Vec<VerifiedBlock>, Fault> {
        let result = self.try_push(block);
        if result.is_err() {
            self.restart();
        }
        result
    }

    fn try_push(&mut self, block: FinalizedBlock) -> Result<Vec<VerifiedBlock>, Fault> {
        let header = proof::Header::decode(&block.header)
            .map_err(|error| Fault::Header(error.to_string()))?;
        let certificate = block.finalization.map(proof::Finalization::from);
        self.check_chain(&header, certificate.as_ref())?;
        check_content(&header, &block.transactions, &block.receipts)?;
        if let Some(certificate) = &certificate {
            self.check_certificate(&header, certificate)?;
        }
        let bytes = |list: &[Bytes]| list.iter().map(|item| item.len()).sum::<usize>();
        self.waiting_bytes += bytes(&block.transactions) + bytes(&block.receipts);
        self.waiting.push(Waiting {
            rlp: block.header,
            header,
            transactions: block.transactions,
            receipts: block.receipts,
        });
        match certificate {
            Some(certificate) => Ok(self.release(&certificate)),
            None if self.waiting.len() > WAITING_MAX || self.waiting_bytes > WAITING_BYTES_MAX => {
                Err(Fault::Uncertified {
                    blocks: self.waiting.len(),
                    bytes: self.waiting_bytes,
                })
            }
            None => Ok(Vec::new()),
        }
    }

    fn check_chain(
        &self,
        header: &proof::Header,
        certificate: Option<&proof::Finalization>,
    ) -> Result<(), Fault> {
        let before = self.waiting.last().map_or(self.trusted, |last| Head {
            height: last.header.number,
            hash: last.header.hash,
        });
        let expected = before.height.saturating_add(1);
        if header.number != expected {
            return Err(Fault::Gap {
                expected,
                found: header.number,
            });
        }
        if header.parent_hash == before.hash {
            return Ok(());
        }
        let certified = certificate
            .is_some_and(|certificate| self.check_certificate(header, certificate).is_ok());
        if certified && self.waiting.is_empty() {
            return Err(Fault::ConflictingFinality {
                height: header.number,
                block: header.hash,
                trusted: before.hash,
            });
        }
        Err(Fault::Parent {
            height: header.number,
            named: header.parent_hash,
            actual: before.hash,
        })
    }

    fn check_certificate(
        &self,
        header: &proof::Header,
        certificate: &proof::Finalization,
    ) -> Result<(), Fault> {
        self.network
            .key
            .verify(&self.network.namespace, certificate, &header.hash)
            .map_err(|error| Fault::Certificate(error.to_string()))
    }

    fn release(&mut self, certificate: &proof::Finalization) -> Vec<VerifiedBlock> {
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        let headers: Vec<Bytes> = waiting.iter().map(|block| block.rlp.clone()).collect();
        let blocks: Vec<VerifiedBlock> = (0..)
            .zip(waiting)
            .map(|(at, block)| VerifiedBlock {
                header: block.header,
                transactions: block.transactions,
                receipts: block.receipts,
                headers: headers[at..].to_vec(),
                finalization: certificate.clone(),
            })
            .collect();
        if let Some(last) = blocks.last() {
            self.trusted = last.head();
        }
        blocks
    }
}

fn check_content(
    header: &proof::Header,
    transactions: &[Bytes],
    receipts: &[Bytes],
) -> Result<(), Fault> {
    let height = header.number;
    let computed = build::transactions_root(transactions);
    if computed != header.transactions_root {
        return Err(Fault::TransactionsRoot {
            height,
            computed,
            expected: header.transactions_root,
        });
    }
    let computed = build::receipts_root(receipts);
    if computed != header.receipts_root {
        return Err(Fault::ReceiptsRoot {
            height,
            computed,
            expected: header.receipts_root,
        });
    }
    if transactions.len() != receipts.len() {
        return Err(Fault::Counts {
            height,
            transactions: transactions.len(),
            receipts: receipts.len(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests;

//! A network small enough to hold in one's hand: one signing key, and blocks that say whatever a test wants them to.
//!
//! The encodings here are written out again on purpose, not borrowed from the crate under test.

use alloy_primitives::{Address, B64, B256, Bloom, Bytes, LogData, U256, keccak256};
use alloy_rlp::Encodable;
use blst::min_sig::SecretKey;
use proof::{
    Content, Finalization, Identity, Inclusion, Network, Path, RECORDS, Receipt, Record, Signature,
    build,
};

pub const DST: &[u8] = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";

/// Holds the one key under which its blocks are final.
pub struct TestNetwork {
    secret: SecretKey,
    pub chain_id: u64,
    pub genesis: B256,
}

impl TestNetwork {
    pub fn new(name: &str) -> Self {
        let seed = keccak256(name);
        Self {
            secret: SecretKey::key_gen(seed.as_slice(), &[]).unwrap(),
            chain_id: 4242,
            genesis: keccak256(format!("{name}: genesis")),
        }
    }

    pub fn identity(&self) -> Identity {
        Identity::from(self.secret.sk_to_pk().compress())
    }

    pub fn sign(&self, dst: &[u8], signed: &[u8]) -> Signature {
        Signature::from(self.secret.sign(signed, dst, &[]).compress())
    }

    /// `"ashlar/1" ‖ chain id ‖ genesis ‖ suffix`.
    pub fn namespace(&self, suffix: &str) -> Vec<u8> {
        let mut out = b"ashlar/1".to_vec();
        out.extend(self.chain_id.to_be_bytes());
        out.extend(self.genesis);
        out.extend(suffix.as_bytes());
        out
    }

    pub fn finalize(&self, proposal: Proposal, block_hash: B256) -> Finalization {
        let namespace = self.namespace("_FINALIZE");
        let signed = [
            varint(namespace.len() as u64),
            namespace,
            proposal.message(block_hash),
        ];
        proposal.signed(self.sign(DST, &signed.concat()))
    }
}

/// What is signed beside the block hash.
#[derive(Clone, Copy)]
pub struct Proposal {
    pub epoch: u64,
    pub view: u64,
    pub parent_view: u64,
}

impl Proposal {
    pub fn message(self, block_hash: B256) -> Vec<u8> {
        let mut out = [self.epoch, self.view, self.parent_view]
            .map(varint)
            .concat();
        out.extend(block_hash);
        out
    }

    pub fn signed(self, signature: Signature) -> Finalization {
        let Self {
            epoch,
            view,
            parent_view,
        } = self;
        Finalization {
            epoch,
            view,
            parent_view,
            signature,
        }
    }
}

pub fn varint(value: u64) -> Vec<u8> {
    let groups = (64 - value.leading_zeros()).div_ceil(7).max(1);
    let group = |at| {
        let more = if at + 1 < groups { 0x80 } else { 0 };
        (value >> (7 * at)) as u8 & 0x7f | more
    };
    (0..groups).map(group).collect()
}

pub type Log = alloy_primitives::Log<LogData>;

pub fn log(address: Address, topics: Vec<B256>, data: Vec<u8>) -> Log {
    Log {
        address,
        data: LogData::new_unchecked(topics, data.into()),
    }
}

/// The event by which a contract says that it recorded a batch.
pub fn recorded(organization: B256, root: B256, count: u64, claimed: &[u8]) -> Log {
    let mut data = root.to_vec();
    for word in [count, 0x60, claimed.len() as u64] {
        data.extend(U256::from(word).to_be_bytes::<32>());
    }
    data.extend(claimed);
    data.resize(data.len().next_multiple_of(32), 0);
    let topic = keccak256("Recorded(bytes32,bytes32,uint256,bytes)");
    log(RECORDS, vec![topic, organization], data)
}

/// Some token's transfer: a log that is nobody's record.
pub fn transfer(amount: u64) -> Log {
    let party = |name| keccak256(name) & B256::with_last_byte(0xff);
    let topics = vec![
        keccak256("Transfer(address,address,uint256)"),
        party("from"),
        party("to"),
    ];
    let data = U256::from(amount).to_be_bytes::<32>().to_vec();
    log(Address::repeat_byte(0x70), topics, data)
}

/// An EIP-2718 transaction receipt; `None` for a legacy one.
pub fn transaction_receipt(kind: Option<u8>, succeeded: bool, gas: u64, logs: &[Log]) -> Bytes {
    let mut payload = Vec::new();
    succeeded.encode(&mut payload);
    gas.encode(&mut payload);
    logs.iter().collect::<Bloom>().encode(&mut payload);
    logs.to_vec().encode(&mut payload);
    kind.into_iter().chain(list(&payload)).collect()
}

/// An RLP list with this payload.
pub fn list(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    alloy_rlp::Header {
        list: true,
        payload_length: payload.len(),
    }
    .encode(&mut out);
    out.extend(payload);
    out
}

/// A header of the Osaka fork: 21 fields.
pub struct Draft {
    pub parent_hash: B256,
    pub number: u64,
    /// Some root of its own without.
    pub state_root: Option<B256>,
    pub receipts_root: B256,
    pub bloom: Bloom,
    /// Bytes put after the last field, inside the list.
    pub appended: Vec<u8>,
}

impl Draft {
    pub fn seal(&self) -> Bytes {
        let some = |name: &str| keccak256(format!("{name} of {}", self.number));
        let mut out = Vec::new();
        self.parent_hash.encode(&mut out);
        keccak256(list(&[])).encode(&mut out); // ommers
        Address::repeat_byte(0xfe).encode(&mut out); // beneficiary
        let state_root = self.state_root.unwrap_or_else(|| some("state"));
        state_root.encode(&mut out);
        some("transactions").encode(&mut out);
        self.receipts_root.encode(&mut out);
        self.bloom.encode(&mut out);
        U256::ZERO.encode(&mut out); // difficulty
        self.number.encode(&mut out);
        100_000_000u64.encode(&mut out); // gas limit
        91_234u64.encode(&mut out); // gas used
        (1_795_000_000 + self.number).encode(&mut out); // timestamp
        some("extra").as_slice().encode(&mut out);
        some("randao").encode(&mut out);
        B64::ZERO.encode(&mut out); // nonce
        0u64.encode(&mut out); // base fee
        keccak256([0x80]).encode(&mut out); // withdrawals
        0u64.encode(&mut out); // blob gas used
        0u64.encode(&mut out); // excess blob gas
        B256::ZERO.encode(&mut out); // parent beacon block
        some("requests").encode(&mut out);
        out.extend(&self.appended);
        list(&out).into()
    }
}

/// One receipt and all that stands behind it. The default is the plainest: a block with one transaction that records
/// one entry, certified itself. Tests change what they are about.
pub struct Scenario {
    pub network: TestNetwork,
    pub proposal: Proposal,
    /// Height of the record's block.
    pub height: u64,
    /// Blocks from the record's to the certified one, both included.
    pub blocks: u64,
    /// Transactions of the record's block, and which one records.
    pub transactions: usize,
    pub transaction: usize,
    pub kind: Option<u8>,
    pub succeeded: bool,
    /// Logs before the `Recorded` one in the same transaction.
    pub logs_before: Vec<Log>,
    pub organization: B256,
    /// Leaves of the batch, and which one is the record.
    pub leaves: usize,
    pub leaf: usize,
    pub claimed: Vec<u8>,
    pub salt: B256,
    pub body: String,
    pub attachments: Vec<B256>,
    /// How the contract computes a leaf and the root, and the last word on the log it emits.
    pub leaf_of: fn(&B256, &B256) -> B256,
    pub root_of: fn(&[B256]) -> B256,
    pub commitment_of: fn(&B256, &B256, &[B256]) -> B256,
    pub edit_log: fn(&mut Log),
    pub edit_headers: fn(&mut Draft),
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            network: TestNetwork::new("ashlar test network"),
            proposal: Proposal {
                epoch: 0,
                view: 12,
                parent_view: 11,
            },
            height: 9,
            blocks: 1,
            transactions: 1,
            transaction: 0,
            kind: Some(2),
            succeeded: true,
            logs_before: Vec::new(),
            organization: B256::left_padding_from(&[0xac; 20]),
            leaves: 1,
            leaf: 0,
            claimed: Vec::new(),
            salt: keccak256("salt"),
            body: r#"{"data":{"parcel":7},"type":"example"}"#.into(),
            attachments: Vec::new(),
            leaf_of: proof::leaf,
            root_of: |leaves| build::batch_root(leaves).unwrap(),
            commitment_of: proof::commitment,
            edit_log: |_| {},
            edit_headers: |_| {},
        }
    }
}

impl Scenario {
    /// `id` and commitment of entry `entry` of the batch.
    pub fn entry(&self, entry: usize) -> (B256, B256) {
        let key = keccak256(format!("tenant\u{1f}order-{entry}"));
        let id = keccak256([self.organization, key].concat());
        if entry != self.leaf {
            return (id, keccak256(format!("commitment {entry}")));
        }
        let body = proof::content::content_digest(self.body.as_bytes());
        (
            id,
            (self.commitment_of)(&self.salt, &body, &self.attachments),
        )
    }

    pub fn leaf_hashes(&self) -> Vec<B256> {
        let leaf = |entry| {
            let (id, commitment) = self.entry(entry);
            (self.leaf_of)(&id, &commitment)
        };
        (0..self.leaves).map(leaf).collect()
    }

    fn logs(&self, transaction: usize) -> Vec<Log> {
        if transaction != self.transaction {
            return vec![transfer(transaction as u64)];
        }
        let root = (self.root_of)(&self.leaf_hashes());
        let mut log = recorded(self.organization, root, self.leaves as u64, &self.claimed);
        (self.edit_log)(&mut log);
        [self.logs_before.clone(), vec![log]].concat()
    }

    /// The transaction receipts of the record's block.
    pub fn receipts(&self) -> Vec<Bytes> {
        let receipt = |transaction: usize| {
            let ours = transaction == self.transaction;
            let kind = if ours { self.kind } else { Some(2) };
            let gas = 91_234 * (transaction as u64 + 1);
            transaction_receipt(kind, self.succeeded || !ours, gas, &self.logs(transaction))
        };
        (0..self.transactions).map(receipt).collect()
    }

    pub fn receipt(&self) -> Receipt {
        let receipts = self.receipts();
        let headers = self.headers(build::receipts_root(&receipts));
        let (id, commitment) = self.entry(self.leaf);
        Receipt {
            network: Network {
                chain_id: self.network.chain_id,
                genesis: self.network.genesis,
                identity: self.network.identity(),
            },
            finalization: self
                .network
                .finalize(self.proposal, keccak256(headers.last().unwrap())),
            headers,
            inclusion: Inclusion {
                transaction_index: self.transaction as u64,
                proof: build::inclusion_proof(&receipts, self.transaction).unwrap(),
            },
            record: Some(Record {
                log_index: self.logs_before.len() as u64,
                path: Path {
                    id,
                    commitment,
                    leaf_index: self.leaf as u64,
                    siblings: build::record_path(&self.leaf_hashes(), self.leaf).unwrap(),
                },
                content: Some(Content {
                    salt: self.salt,
                    body: self.body.clone().into_bytes().into(),
                    attachments: self.attachments.clone(),
                }),
            }),
        }
    }

    pub fn headers(&self, receipts_root: B256) -> Vec<Bytes> {
        let mut parent_hash = keccak256(format!("block {}", self.height - 1));
        let mut headers = Vec::new();
        for number in self.height..self.height + self.blocks {
            let of_record = number == self.height;
            let mut draft = Draft {
                parent_hash,
                number,
                state_root: None,
                receipts_root: if of_record {
                    receipts_root
                } else {
                    keccak256([0x80])
                },
                bloom: if of_record { self.bloom() } else { Bloom::ZERO },
                appended: Vec::new(),
            };
            (self.edit_headers)(&mut draft);
            let header = draft.seal();
            parent_hash = keccak256(&header);
            headers.push(header);
        }
        headers
    }

    fn bloom(&self) -> Bloom {
        let logs: Vec<_> = (0..self.transactions)
            .flat_map(|at| self.logs(at))
            .collect();
        logs.iter().collect()
    }

    /// Drops the record: what is left is the receipt of a plain transaction.
    pub fn plain(&self) -> Receipt {
        Receipt {
            record: None,
            ..self.receipt()
        }
    }

    pub fn erased(&self) -> Receipt {
        let mut receipt = self.receipt();
        receipt.record.as_mut().unwrap().content = None;
        receipt
    }
}

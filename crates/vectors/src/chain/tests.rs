//! The cases in `tests/cases/blockchain.json` are made here: chains under several forks, and after each
//! a block for every field of its header, with that field made wrong.
//!
//! `UPDATE_EXPECT=1 cargo test -p vectors` writes the file anew.

use super::*;
use crate::json::Allocation;
use alloy_consensus::{SignableTransaction as _, TxEnvelope, TxLegacy, proofs};
use alloy_eips::{
    eip2718::Encodable2718 as _, eip4895::Withdrawal,
    eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
    eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
};
use alloy_primitives::{Address, B64, Bloom, Bytes, TxKind, address, hex};
use alloy_rlp::Encodable;
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use serde_json::{Value, json};
use std::{env, fs};

/// Adds one to slot 0, and logs.
const COUNTER: Address = address!("0x00000000000000000000000000000000000c0001");
const COUNTER_CODE: &[u8] = &hex!("600054600101600055600760006000a1");
/// Returns nothing: no requests.
const SILENT_CODE: &[u8] = &hex!("60006000f3");
const MINER: Address = address!("0x0000000000000000000000000000000000c01bae");

fn user() -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&B256::repeat_byte(1)).unwrap()
}

fn accounts() -> BTreeMap<Address, Allocation> {
    let account = |balance: u64, code: &'static [u8]| Allocation {
        nonce: 0,
        balance: U256::from(balance),
        code: Bytes::from_static(code),
        storage: BTreeMap::new(),
    };
    BTreeMap::from([
        (user().address(), account(1_000_000_000_000_000_000, &[])),
        (COUNTER, account(0, COUNTER_CODE)),
        (
            WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
            account(0, SILENT_CODE),
        ),
        (
            CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
            account(0, SILENT_CODE),
        ),
    ])
}

/// A call of the counter.
fn call(nonce: u64, protected: bool) -> Bytes {
    let unsigned = TxLegacy {
        chain_id: protected.then_some(1),
        nonce,
        gas_price: 2_000_000_000,
        gas_limit: 100_000,
        to: TxKind::Call(COUNTER),
        ..TxLegacy::default()
    };
    let signature = user().sign_hash_sync(&unsigned.signature_hash()).unwrap();
    TxEnvelope::from(unsigned.into_signed(signature))
        .encoded_2718()
        .into()
}

/// A block before it is sealed.
#[derive(Clone)]
struct Draft {
    header: Header,
    transactions: Vec<Bytes>,
    uncles: Vec<Header>,
    withdrawals: Option<Vec<Withdrawal>>,
}

impl Draft {
    fn rlp(&self) -> Vec<u8> {
        let mut payload = Vec::new();
        self.header.encode(&mut payload);
        list(&self.transactions.concat(), &mut payload);
        alloy_rlp::encode_list::<Header, Header>(&self.uncles, &mut payload);
        if let Some(withdrawals) = &self.withdrawals {
            alloy_rlp::encode_list::<Withdrawal, Withdrawal>(withdrawals, &mut payload);
        }
        let mut rlp = Vec::new();
        list(&payload, &mut rlp);
        rlp
    }

    fn commit_to_body(&mut self) {
        self.header.transactions_root = types::transactions_root(&self.transactions);
        self.header.ommers_hash = proofs::calculate_ommers_root(&self.uncles);
        self.header.withdrawals_root = self
            .withdrawals
            .as_deref()
            .map(proofs::calculate_withdrawals_root);
    }
}

fn list(payload: &[u8], out: &mut Vec<u8>) {
    alloy_rlp::Header {
        list: true,
        payload_length: payload.len(),
    }
    .encode(out);
    out.extend_from_slice(payload);
}

/// A vector in the making.
struct Builder {
    name: &'static str,
    fork: Fork,
    genesis: Draft,
    chain: Chain,
    blocks: Vec<Value>,
}

impl Builder {
    fn new(name: &'static str) -> Self {
        let fork = Fork::parse(name).unwrap();
        let world = World::new(&accounts());
        let since = |fork_of_field| fork >= fork_of_field;
        let mut genesis = Draft {
            header: Header {
                state_root: world.root(),
                difficulty: U256::from(if since(Fork::Paris) { 0 } else { 131_072 }),
                gas_limit: 10_000_000,
                base_fee_per_gas: since(Fork::London).then_some(1_000_000_000),
                blob_gas_used: since(Fork::Cancun).then_some(0),
                excess_blob_gas: since(Fork::Cancun).then_some(0),
                parent_beacon_block_root: since(Fork::Cancun).then_some(B256::ZERO),
                requests_hash: since(Fork::Prague)
                    .then_some(alloy_eips::eip7685::EMPTY_REQUESTS_HASH),
                ..Header::default()
            },
            transactions: Vec::new(),
            uncles: Vec::new(),
            withdrawals: since(Fork::Shanghai).then(Vec::new),
        };
        genesis.commit_to_body();
        let network = Network::parse(name).unwrap();
        let chain = Chain::new(network, 1, genesis.header.clone(), world);
        Self {
            name,
            fork,
            genesis,
            chain,
            blocks: Vec::new(),
        }
    }

    /// A child of a block that keeps the rules, as far as they are known before it is executed.
    fn child(&self, parent: &Header) -> Draft {
        let mut draft = self.genesis.clone();
        let timestamp = parent.timestamp + 13;
        draft.header = Header {
            parent_hash: parent.hash_slow(),
            number: parent.number + 1,
            timestamp,
            beneficiary: MINER,
            gas_used: 0,
            difficulty: if self.fork >= Fork::Paris {
                U256::ZERO
            } else {
                crate::difficulty::difficulty(self.fork, timestamp, parent)
            },
            base_fee_per_gas: parent
                .next_block_base_fee(alloy_eips::eip1559::BaseFeeParams::ethereum()),
            ..draft.header
        };
        draft
    }

    /// Finds what the header must say about the result: a wrong one is refused with the right value.
    fn seal(&self, mut draft: Draft, bloom: Bloom) -> Draft {
        draft.commit_to_body();
        draft.header.logs_bloom = bloom;
        let mut trial = Chain {
            network: self.chain.network.clone(),
            chain_id: 1,
            nodes: HashMap::new(),
            head: self.chain.head,
        };
        for (hash, node) in &self.chain.nodes {
            trial.nodes.insert(
                *hash,
                Node {
                    header: node.header.clone(),
                    uncles: node.uncles.clone(),
                    total_difficulty: node.total_difficulty,
                    world: Arc::clone(&node.world),
                },
            );
        }
        loop {
            match trial.import(&draft.rlp()) {
                Ok(_) => return draft,
                Err(Refusal::GasUsed { want, .. }) => draft.header.gas_used = want,
                Err(Refusal::ReceiptsRoot { want }) => draft.header.receipts_root = want,
                Err(Refusal::RequestsHash { want }) => draft.header.requests_hash = Some(want),
                Err(Refusal::StateRoot { want }) => draft.header.state_root = want,
                Err(other) => panic!("{}: {other}", self.name),
            }
        }
    }

    fn accept(&mut self, draft: &Draft) {
        let taken = self.chain.import(&draft.rlp()).unwrap();
        self.blocks.push(json!({
            "rlp": Bytes::from(draft.rlp()),
            "blockHeader": { "hash": taken.hash },
        }));
    }

    /// A copy of a good block with something wrong, and what that is called.
    fn tampered(&mut self, good: &Draft, expected: &str, tamper: impl Fn(&mut Draft)) {
        let mut bad = good.clone();
        tamper(&mut bad);
        let refusal = self.chain.import(&bad.rlp()).unwrap_err();
        assert!(
            refusal.is(expected),
            "{}: {refusal}; want {expected}",
            self.name
        );
        self.blocks.push(json!({
            "rlp": Bytes::from(bad.rlp()),
            "expectException": expected,
        }));
    }

    fn finish(self) -> Value {
        let pre: serde_json::Map<String, Value> = accounts()
            .into_iter()
            .map(|(address, account)| {
                let account = json!({
                    "nonce": U256::from(account.nonce),
                    "balance": account.balance,
                    "code": account.code,
                    "storage": account.storage,
                });
                (address.to_string(), account)
            })
            .collect();
        json!({
            "network": self.name,
            "genesisRLP": Bytes::from(self.genesis.rlp()),
            "genesisBlockHeader": { "hash": self.genesis.header.hash_slow() },
            "pre": pre,
            "blocks": self.blocks,
            "lastblockhash": self.chain.head(),
            "postStateHash": self.chain.world().unwrap().root(),
            "sealEngine": "NoProof",
        })
    }
}

/// The bloom of what the counter logs.
fn bloom() -> Bloom {
    let mut bloom = Bloom::ZERO;
    bloom.accrue_raw_log(COUNTER, &[B256::with_last_byte(7)]);
    bloom
}

/// One good block, and every way to make it wrong.
fn one_block(name: &'static str) -> Value {
    let mut builder = Builder::new(name);
    let fork = builder.fork;
    let mut draft = builder.child(&builder.genesis.header);
    let protected = fork >= Fork::SpuriousDragon;
    draft.transactions = vec![call(0, protected), call(1, protected)];
    if let Some(withdrawals) = &mut draft.withdrawals {
        withdrawals.push(Withdrawal {
            address: MINER,
            amount: 7,
            ..Withdrawal::default()
        });
    }
    let good = builder.seal(draft, bloom());
    let mut wrong =
        |expected: &str, tamper: fn(&mut Draft)| builder.tampered(&good, expected, tamper);
    wrong("UNKNOWN_PARENT", |b| {
        b.header.parent_hash = B256::repeat_byte(9);
    });
    wrong("INVALID_BLOCK_NUMBER", |b| b.header.number += 1);
    wrong("INVALID_BLOCK_TIMESTAMP_OLDER_THAN_PARENT", |b| {
        b.header.timestamp = 0;
    });
    wrong("INVALID_GASLIMIT", |b| b.header.gas_limit += 9765);
    wrong("GAS_USED_OVERFLOW", |b| {
        b.header.gas_used = b.header.gas_limit + 1;
    });
    wrong("EXTRA_DATA_TOO_BIG", |b| {
        b.header.extra_data = vec![0; 33].into();
    });
    wrong("INVALID_DIFFICULTY", |b| b.header.difficulty += U256::ONE);
    wrong("INVALID_GAS_USED", |b| b.header.gas_used -= 1);
    wrong("INVALID_RECEIPTS_ROOT", |b| {
        b.header.receipts_root = B256::ZERO;
    });
    wrong("INVALID_STATE_ROOT", |b| b.header.state_root = B256::ZERO);
    wrong("INVALID_LOG_BLOOM", |b| b.header.logs_bloom = Bloom::ZERO);
    wrong("INVALID_TRANSACTIONS_ROOT", |b| {
        b.header.transactions_root = B256::ZERO;
    });
    wrong("NONCE_MISMATCH_TOO_HIGH", |b| {
        b.transactions = vec![b.transactions[1].clone()];
    });
    wrong("NONCE_MISMATCH_TOO_LOW", |b| {
        b.transactions.push(b.transactions[0].clone());
    });
    wrong("RLP_STRUCTURES_ENCODING", |b| {
        b.transactions[0] = Bytes::from_static(&[0x80]);
    });
    if fork >= Fork::London {
        wrong("INVALID_BASEFEE_PER_GAS", |b| {
            b.header.base_fee_per_gas = Some(1);
        });
    }
    if fork >= Fork::Paris {
        wrong("INCORRECT_BLOCK_FORMAT", |b| {
            b.header.nonce = B64::with_last_byte(1);
        });
        wrong("IMPORT_IMPOSSIBLE_UNCLES_OVER_PARIS", |b| {
            b.uncles.push(b.header.clone());
        });
    } else {
        wrong("INVALID_UNCLES_HASH", |b| b.header.ommers_hash = B256::ZERO);
        wrong("UNCLE_IS_BROTHER", |b| b.uncles.push(b.header.clone()));
    }
    if fork >= Fork::Shanghai {
        wrong("INVALID_WITHDRAWALS_ROOT", |b| {
            b.withdrawals.as_mut().unwrap()[0].index = 1;
        });
    }
    if fork >= Fork::Cancun {
        wrong("INCORRECT_EXCESS_BLOB_GAS", |b| {
            b.header.excess_blob_gas = Some(131_072);
        });
        wrong("INCORRECT_BLOB_GAS_USED", |b| {
            b.header.blob_gas_used = Some(131_072);
        });
        wrong("BLOB_GAS_USED_ABOVE_LIMIT", |b| {
            b.header.blob_gas_used = Some(22 * 131_072);
        });
    }
    if fork >= Fork::Prague {
        wrong("INVALID_REQUESTS", |b| {
            b.header.requests_hash = Some(B256::ZERO);
        });
    }
    builder.accept(&good);
    builder.finish()
}

/// Two blocks of the same height; the next has the loser as its uncle.
fn uncle() -> Value {
    let mut builder = Builder::new("Byzantium");
    let genesis = builder.genesis.header.clone();
    let first = builder.seal(builder.child(&genesis), Bloom::ZERO);
    builder.accept(&first);
    let mut loser = builder.child(&genesis);
    loser.header.extra_data = Bytes::from_static(b"late");
    let loser = builder.seal(loser, Bloom::ZERO);
    builder.accept(&loser);
    assert_eq!(
        builder.chain.head(),
        first.header.hash_slow(),
        "a tie changes nothing"
    );
    let mut second = builder.child(&first.header);
    second.uncles = vec![loser.header.clone()];
    let second = builder.seal(second, Bloom::ZERO);
    builder.tampered(&second, "UNCLE_IS_ANCESTOR", |block| {
        block.uncles = vec![first.header.clone()];
    });
    builder.tampered(&second, "INVALID_GASLIMIT", |block| {
        block.uncles[0].gas_limit *= 2;
    });
    builder.accept(&second);
    let mut third = builder.child(&second.header);
    third.uncles = vec![loser.header.clone()];
    let refusal = builder.chain.import(&third.rlp()).unwrap_err();
    assert_eq!(refusal, Refusal::Uncles("named before"));
    builder.finish()
}

#[test]
fn the_committed_cases_are_what_is_made_here() {
    let mut cases = serde_json::Map::new();
    for name in [
        "Frontier",
        "SpuriousDragon",
        "Byzantium",
        "Istanbul",
        "London",
        "Paris",
        "Shanghai",
        "Cancun",
        "Prague",
        "Osaka",
        "BPO2",
    ] {
        cases.insert(format!("one block {name}"), one_block(name));
    }
    cases.insert("an uncle".to_owned(), uncle());
    let text = serde_json::to_string_pretty(&cases).unwrap() + "\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/blockchain.json");
    if env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(path, &text).unwrap();
    }
    assert_eq!(
        fs::read_to_string(path).unwrap(),
        text,
        "run with UPDATE_EXPECT=1 if this is meant"
    );
}

//! A model chain: the rules of `Records`, real signed transactions, real headers, tries and certificates. Two nodes
//! with mempools of their own.

use std::collections::BTreeMap;

use alloy_consensus::{
    Eip658Value, Header, Receipt as TxReceipt, ReceiptEnvelope, Transaction as _, TxEnvelope,
    transaction::SignerRecoverable as _,
};
use alloy_eips::eip2718::{Decodable2718 as _, Encodable2718 as _};
use alloy_primitives::{Address, B256, Bytes, FixedBytes, Log, keccak256};
use alloy_sol_types::{SolCall as _, SolEvent as _};
use blst::min_sig::SecretKey;
use client::VerifiedBlock;
use contracts::{IRecords, RECORDS_ADDRESS, batch_root, leaf, organization_of, record_id};
use operations::record::{NonceRead, SendAnswer};
use proof::{Finalization, Network, build};

pub const CHAIN_ID: u64 = 4242;
pub const NODES: usize = 2;

pub struct Chain {
    pub network: Network,
    secret: SecretKey,
    pub account: Address,
    pub nonce: u64,
    pub commitments: BTreeMap<B256, B256>,
    pub blocks: Vec<VerifiedBlock>,
    mempools: [BTreeMap<u64, Bytes>; NODES],
    /// A call with this key reverts.
    pub poison: Option<B256>,
}

impl Chain {
    pub fn new(account: Address) -> Self {
        let secret = SecretKey::key_gen(&[5; 32], &[]).unwrap();
        let identity = FixedBytes(secret.sk_to_pk().to_bytes());
        let network = Network {
            chain_id: CHAIN_ID,
            genesis: B256::repeat_byte(0x99),
            identity,
        };
        let mempools = Default::default();
        Self {
            network,
            secret,
            account,
            nonce: 0,
            commitments: BTreeMap::new(),
            blocks: vec![],
            mempools,
            poison: None,
        }
    }

    pub fn height(&self) -> u64 {
        self.blocks.len() as u64
    }

    /// What a healthy node answers to a transaction.
    pub fn send(&mut self, node: usize, raw: &Bytes) -> SendAnswer {
        let transaction = TxEnvelope::decode_2718(&mut raw.as_ref()).unwrap();
        if transaction.nonce() < self.nonce {
            return SendAnswer::NonceTooLow;
        }
        match self.mempools[node].get(&transaction.nonce()) {
            Some(known) if known == raw => SendAnswer::Taken,
            Some(_) => SendAnswer::Refused("replacement transaction underpriced".to_owned()),
            None => {
                self.mempools[node].insert(transaction.nonce(), raw.clone());
                SendAnswer::Taken
            }
        }
    }

    /// A node loses its mempool.
    pub fn forget(&mut self, node: usize) {
        self.mempools[node].clear();
    }

    pub fn read_nonce(&self, node: usize) -> NonceRead {
        let mut pending = self.nonce;
        while self.mempools[node].contains_key(&pending) {
            pending += 1;
        }
        NonceRead {
            height: self.height(),
            latest: self.nonce,
            pending,
            base_fee: 0,
        }
    }

    /// Makes the next block final, of at most `most` transactions from `node`'s mempool.
    pub fn produce(&mut self, node: usize, most: usize) {
        let (mut transactions, mut receipts) = (vec![], vec![]);
        while transactions.len() < most
            && let Some(raw) = self.mempools[node].get(&self.nonce).cloned()
        {
            let receipt = self.execute(&raw);
            receipts.push(Bytes::from(receipt.encoded_2718()));
            transactions.push(raw);
        }
        for mempool in &mut self.mempools {
            *mempool = mempool.split_off(&self.nonce);
        }
        let parent = self
            .blocks
            .last()
            .map_or(self.network.genesis, |block| block.header.hash);
        let header = Header {
            parent_hash: parent,
            number: self.height() + 1,
            timestamp: 1_700_000_000 + self.height(),
            transactions_root: build::transactions_root(&transactions),
            receipts_root: build::receipts_root(&receipts),
            base_fee_per_gas: Some(0),
            ..Header::default()
        };
        let rlp = Bytes::from(alloy_rlp::encode(&header));
        let header = proof::Header::decode(&rlp).unwrap();
        let finalization = self.certify(&header.hash, header.number);
        self.blocks.push(VerifiedBlock {
            header,
            transactions,
            receipts,
            headers: vec![rlp],
            finalization,
        });
    }

    fn certify(&self, hash: &B256, height: u64) -> Finalization {
        let mut certificate = Finalization {
            epoch: 0,
            view: height,
            parent_view: height - 1,
            signature: FixedBytes::ZERO,
        };
        let namespace = proof::namespace(CHAIN_ID, &self.network.genesis);
        let signed = proof::finalization::signed_bytes(&namespace, &certificate, hash);
        certificate.signature = FixedBytes(
            self.secret
                .sign(&signed, proof::finalization::DST, &[])
                .to_bytes(),
        );
        certificate
    }

    fn execute(&mut self, raw: &Bytes) -> ReceiptEnvelope {
        let transaction = TxEnvelope::decode_2718(&mut raw.as_ref()).unwrap();
        assert_eq!(transaction.recover_signer().unwrap(), self.account);
        assert_eq!(transaction.nonce(), self.nonce);
        self.nonce += 1;
        let (status, logs) = match transaction.to() {
            Some(RECORDS_ADDRESS) => self
                .record(transaction.input())
                .map_or((false, vec![]), |logs| (true, logs)),
            _ => (true, vec![]),
        };
        let receipt = TxReceipt {
            status: Eip658Value::Eip658(status),
            cumulative_gas_used: 21_000,
            logs,
        };
        ReceiptEnvelope::Eip1559(receipt.with_bloom())
    }

    /// `Records.record`, as the brief of the contract has it. None: reverted.
    fn record(&mut self, input: &[u8]) -> Option<Vec<Log>> {
        let IRecords::recordCall { keys, commitments } =
            IRecords::recordCall::abi_decode(input).ok()?;
        let refused = keys.is_empty() || keys.len() > 512 || keys.len() != commitments.len();
        if refused || keys.iter().any(|key| Some(*key) == self.poison) {
            return None;
        }
        let organization = organization_of(self.account);
        let mut logs = vec![];
        let mut leaves = vec![];
        let mut bitmap = vec![0_u8; keys.len().div_ceil(8)];
        for (at, (key, commitment)) in keys.iter().zip(&commitments).enumerate() {
            let id = record_id(organization, *key);
            match self.commitments.get(&id) {
                None => {
                    self.commitments.insert(id, *commitment);
                    leaves.push(leaf(id, *commitment));
                    bitmap[at / 8] |= 1 << (at % 8);
                }
                Some(recorded) if recorded == commitment => {}
                Some(recorded) => {
                    let (recorded, attempted) = (*recorded, *commitment);
                    let event = IRecords::Conflicted {
                        organization,
                        id,
                        recorded,
                        attempted,
                    };
                    logs.push(Log {
                        address: RECORDS_ADDRESS,
                        data: event.encode_log_data(),
                    });
                }
            }
        }
        if let Some(root) = batch_root(&leaves) {
            let whole = leaves.len() == keys.len();
            let claimed = if whole { Bytes::new() } else { bitmap.into() };
            let count = alloy_primitives::U256::from(leaves.len());
            let event = IRecords::Recorded {
                organization,
                root,
                count,
                claimed,
            };
            logs.push(Log {
                address: RECORDS_ADDRESS,
                data: event.encode_log_data(),
            });
        }
        Some(logs)
    }

    /// The receipt a node gives for a transaction, and its input.
    pub fn receipts(&self) -> impl Iterator<Item = (B256, Bytes, proof::Receipt)> + '_ {
        self.blocks.iter().flat_map(move |block| {
            block
                .transactions
                .iter()
                .enumerate()
                .map(move |(index, raw)| {
                    let receipt = proof::Receipt {
                        network: self.network.clone(),
                        finalization: block.finalization.clone(),
                        headers: block.headers.clone(),
                        inclusion: proof::Inclusion {
                            transaction_index: index as u64,
                            proof: build::inclusion_proof(&block.receipts, index).unwrap(),
                        },
                        record: None,
                    };
                    let input = TxEnvelope::decode_2718(&mut raw.as_ref())
                        .unwrap()
                        .input()
                        .clone();
                    (keccak256(raw), input, receipt)
                })
        })
    }
}

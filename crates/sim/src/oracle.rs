//! The judge. It reads public outputs only (blocks, receipts, certificates, state) and checks them
//! with the receipt's own verifier, which shares no code with the node.

mod epochs;
mod records;

use self::{epochs::Epochs, records::Records};
use crate::witness::Witness;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, U256};
use chain::{Finalized, Node};
use proof::{IdentityKey, receipt::Identity};
use std::collections::BTreeMap;
use types::{ChainSpec, StateKey};

/// What was promised and seen, over all power cycles of a run.
pub struct Oracle {
    identity: Identity,
    key: IdentityKey,
    namespace: Vec<u8>,
    /// Hash of each final height, as first seen.
    chain: BTreeMap<u64, B256>,
    epochs: Epochs,
    records: Records,
    violations: Vec<String>,
    certificates: u64,
}

impl Oracle {
    /// A judge of the network with this spec and genesis.
    #[expect(clippy::expect_used, reason = "the simulation's own committee")]
    pub fn new(spec: &ChainSpec, genesis: B256) -> Self {
        let identity = spec
            .committee()
            .expect("a valid committee")
            .identity()
            .into();
        Self {
            identity,
            key: IdentityKey::new(&identity).expect("a valid key"),
            namespace: proof::namespace(spec.chain_id, &genesis),
            chain: BTreeMap::from([(0, genesis)]),
            epochs: Epochs::new(spec),
            records: Records::default(),
            violations: Vec::new(),
            certificates: 0,
        }
    }

    /// Notes a broken promise.
    pub fn violation(&mut self, text: String) {
        self.violations.push(text);
    }

    /// What was broken.
    pub fn violations(&self) -> &[String] {
        &self.violations
    }

    /// Certificates verified.
    pub const fn certificates(&self) -> u64 {
        self.certificates
    }

    /// The highest final block seen.
    pub fn height(&self) -> u64 {
        self.chain.keys().next_back().copied().unwrap_or_default()
    }

    /// Hashes of all final blocks seen, in order.
    pub fn hashes(&self) -> impl Iterator<Item = &B256> {
        self.chain.values()
    }

    /// Reads everything a node calls final that was not read before, and checks it.
    pub async fn observe(&mut self, index: usize, node: &Node) {
        let latest = node.latest().number();
        let Some(first) = node.first_block().await else {
            return;
        };
        if !self.chain.contains_key(&first.saturating_sub(1)) {
            // It took the state from others: these say what was before.
            return;
        }
        for number in first..=latest {
            let Some(block) = node.block(number).await else {
                if node.pruned(number).await.is_some() {
                    // Since it was asked where it begins.
                    continue;
                }
                self.violation(format!("validator {index} lost final block {number}"));
                return;
            };
            match self.chain.get(&number) {
                Some(known) if *known != block.hash => {
                    self.violation(format!(
                        "fork at {number}: {known} and, on validator {index}, {}",
                        block.hash
                    ));
                }
                Some(_) => {}
                None => {
                    if self.chain.get(&(number - 1)) != Some(&block.block.header().parent_hash) {
                        self.violation(format!("block {number} does not continue the chain"));
                    }
                    if proof::header_hash(&block.block.header_rlp()) != block.hash {
                        self.violation(format!("block {number} is not named by its header"));
                    }
                    self.chain.insert(number, block.hash);
                    self.check_effects(number, &block);
                    self.violations.extend(self.epochs.block(&block.block));
                }
            }
            if let Some(certificate) = node.certificate(number).await {
                self.check_certificate(number, &certificate);
            }
        }
    }

    fn check_effects(&mut self, number: u64, block: &Finalized) {
        let encoded: Vec<_> = block
            .receipts
            .iter()
            .map(|each| each.encoded_2718())
            .collect();
        if proof::build::receipts_root(&encoded) != block.block.header().receipts_root {
            self.violation(format!(
                "the receipts of block {number} are not those of its header"
            ));
        }
        let transactions = block.block.transactions();
        if proof::build::transactions_root(transactions) != block.block.header().transactions_root {
            self.violation(format!(
                "the transactions of block {number} are not its header's"
            ));
        }
        let wrong = self
            .records
            .block(number, block.hash, transactions, &block.receipts);
        self.violations.extend(wrong);
    }

    /// Judges all records: promised, final, proved. How many kept every promise.
    pub async fn settle_records(
        &mut self,
        witness: &Witness,
        accounts: &[Address],
        nodes: &[(usize, Node)],
    ) -> u64 {
        for (index, node) in nodes {
            let wrong = self.records.compare(*index, node).await;
            self.violations.extend(wrong);
        }
        let (kept, wrong) = self
            .records
            .judge(&witness.notes(), accounts, &self.identity);
        self.violations.extend(wrong);
        kept
    }

    fn check_certificate(&mut self, number: u64, certificate: &chain::Certificate) {
        if certificate.epoch != self.epochs.epoch_of(number) {
            self.violation(format!(
                "the certificate of block {number} is of epoch {}",
                certificate.epoch
            ));
        }
        let finalization = proof::Finalization {
            epoch: certificate.epoch,
            view: certificate.view,
            parent_view: certificate.parent_view,
            signature: signature(&certificate.signature),
        };
        let block_hash = certificate.block_hash;
        if self.chain.get(&number) != Some(&block_hash) {
            self.violation(format!("the certificate at {number} is for {block_hash}"));
        }
        match self.key.verify(&self.namespace, &finalization, &block_hash) {
            Ok(()) => self.certificates += 1,
            Err(error) => self.violation(format!("certificate of block {number}: {error}")),
        }
    }

    /// Checks that every final block is covered by a certificate, and that nodes agree on state.
    pub async fn settle(&mut self, nodes: &[(usize, Node)], witness: &Witness) {
        let mut whole = None;
        for (_, node) in nodes {
            // Its archive, too, goes back to the beginning.
            if node.first_block().await == Some(1) && node.keep_blocks().is_none() {
                whole = Some(node);
            }
        }
        if let Some(node) = whole {
            let wrong = self.epochs.settle(node).await;
            self.violations.extend(wrong);
        }
        for mark in self.epochs.marks() {
            witness.mark(mark);
        }
        let mut seen: BTreeMap<(u64, usize), Vec<(usize, String)>> = BTreeMap::new();
        for (index, node) in nodes {
            let latest = node.latest().number();
            let first = node.first_block().await.unwrap_or(u64::MAX);
            if node.keep_blocks().is_some() && (2..=latest).contains(&first) {
                witness.mark("removed");
            }
            // The last block's certificate may be on its way.
            for number in first..latest {
                if node.finality(number).await.is_none() && node.pruned(number).await.is_none() {
                    self.violation(format!(
                        "validator {index}: no certificate covers block {number}"
                    ));
                }
            }
            let keys = vec![
                StateKey::Account(contracts::RECORDS_ADDRESS),
                StateKey::Slot(contracts::history::HISTORY_ADDRESS, U256::from(1)),
            ];
            match node.read(keys).await {
                Ok(values) => {
                    for (place, value) in values.into_iter().enumerate() {
                        seen.entry((0, place))
                            .or_default()
                            .push((*index, format!("{value:?}")));
                    }
                }
                Err(error) => self.violation(format!("validator {index} cannot read: {error}")),
            }
        }
        for values in seen.values() {
            if values
                .windows(2)
                .any(|pair| matches!(pair, [(_, a), (_, b)] if a != b))
            {
                self.violation(format!("validators read different state: {values:?}"));
            }
        }
    }
}

fn signature(bytes: &Bytes) -> proof::Signature {
    let mut signature = [0; 48];
    if bytes.len() == signature.len() {
        signature.copy_from_slice(bytes);
    }
    signature.into()
}

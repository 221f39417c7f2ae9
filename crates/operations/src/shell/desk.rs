//! The operations machine within the shell: its journal, its calls to nodes, and the keys of relayers and accounts.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use alloy_primitives::{Address, B256, Bytes, U64};
use alloy_signer_local::PrivateKeySigner;
use alloy_sol_types::SolEvent as _;
use client::{VerifiedBlock, node::GET_RECEIPT, rpc::RpcError};
use contracts::{
    abi::{IOperations::Executed, Operation},
    operation::{Signed, delegation},
};
use db::{Bill, Failure};
use proof::Receipt;
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use tokio::sync::mpsc;

use super::{Counters, Error, Inbox, Journal, Operating, node::Lines};
use crate::{
    journal,
    operation::{self, Effect, Input, Machine, Place, TransactionFacts, facts},
    transaction::{self, Relay},
};

/// Blocks that a node is asked to search at once.
const WINDOW: u64 = 100_000;

/// What others ask of the desk.
#[derive(Debug, Clone)]
pub enum Order {
    /// An operation is in the journal.
    Accepted(db::OperationEntry),
    /// Nobody wants it any more.
    Cancel(u64),
}

/// The machine with what it needs.
pub(super) struct Desk {
    machine: Machine,
    tools: Tools,
    answers: mpsc::UnboundedSender<Input>,
}

/// What tasks work with.
#[derive(Clone)]
struct Tools {
    operating: Arc<Operating>,
    place: Arc<Place>,
    lines: Lines,
    journal: Journal,
    /// Accounts that were seen with the code.
    delegated: Arc<Mutex<BTreeSet<Address>>>,
}

impl Desk {
    /// Continues from the journal.
    pub(super) async fn recover(
        operating: &Operating,
        place: Place,
        lines: Lines,
        journal: &Journal,
        answers: mpsc::UnboundedSender<Input>,
    ) -> Result<Self, Error> {
        let (readers, config) = (journal.readers.clone(), operating.machine.clone());
        let relayers = operating.relayers.iter();
        let relayers: Vec<Address> = relayers.map(PrivateKeySigner::address).collect();
        let machine = super::actor::read(move || {
            readers.read(|view| journal::recover_operations(config, &relayers, view))
        });
        Ok(Self {
            machine: machine.await?,
            tools: Tools {
                operating: Arc::new(operating.clone()),
                place: Arc::new(place),
                lines,
                journal: journal.clone(),
                delegated: Arc::default(),
            },
            answers,
        })
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        self.machine.deadline()
    }

    pub(super) async fn block(
        &mut self,
        block: &VerifiedBlock,
        now_ms: u64,
        inbox: &Inbox,
    ) -> Result<(), Error> {
        let facts = facts(block, &self.tools.place, &self.machine.watch())?;
        self.take(Input::Block(facts), now_ms, inbox).await
    }

    /// Gives the machine an input, and performs what comes of it.
    pub(super) async fn take(
        &mut self,
        input: Input,
        now_ms: u64,
        inbox: &Inbox,
    ) -> Result<(), Error> {
        for effect in self.machine.step(now_ms, input) {
            self.perform(effect, inbox).await?;
        }
        let status = self.machine.status();
        inbox.view.send_if_modified(|view| {
            let changed = view.operations != Some(status);
            view.operations = Some(status);
            changed
        });
        Ok(())
    }

    async fn perform(&self, effect: Effect, inbox: &Inbox) -> Result<(), Error> {
        match effect {
            Effect::Persist(write) => {
                let writer = &self.tools.journal.writer;
                writer.write(move |tx| tx.apply_operation(&write)).await?;
            }
            Effect::Authorize { seq, follows } => {
                self.spawn(async move |tools: Tools| tools.authorize(seq, follows).await);
            }
            Effect::Sign {
                relayer,
                nonce,
                max_fee_per_gas,
                gas_limit,
                operations,
                undelegated,
            } => {
                let request = Request {
                    relayer,
                    nonce,
                    max_fee_per_gas,
                    gas_limit,
                    operations,
                    undelegated,
                };
                self.spawn(async move |tools: Tools| tools.sign(request).await);
            }
            Effect::Send {
                relayer,
                nonce,
                raw,
                attempt,
            } => {
                Counters::count(&inbox.counters.sends, 1);
                self.spawn(async move |tools: Tools| Input::Sent {
                    relayer,
                    nonce,
                    answer: tools.lines.send(&raw, attempt).await,
                });
            }
            Effect::ReadNonce { relayer, attempt } => {
                self.spawn(async move |tools: Tools| {
                    let signer = tools.operating.relayers.get(relayer);
                    let account = signer.map(PrivateKeySigner::address).unwrap_or_default();
                    let read = tools.lines.read_nonce(&account, attempt).await;
                    Input::NonceRead { relayer, read }
                });
            }
            Effect::Find {
                operations,
                attempt,
            } => {
                let up_to = self.machine.status().cursor.height;
                self.spawn(async move |tools: Tools| {
                    Input::Found(tools.find(&operations, up_to, attempt).await)
                });
            }
            Effect::Settled(keys) => {
                Counters::count(&inbox.counters.settled, keys.len());
                inbox.waiters.tell(&keys);
            }
            Effect::Alarm(alarm) => tracing::warn!(%alarm, "the operations machine"),
        }
        Ok(())
    }

    /// Runs something that ends as an input.
    fn spawn<T, F>(&self, task: T)
    where
        T: FnOnce(Tools) -> F,
        F: Future<Output = Input> + Send + 'static,
    {
        let (answers, task) = (self.answers.clone(), task(self.tools.clone()));
        tokio::spawn(async move {
            let _ = answers.send(task.await);
        });
    }
}

/// A relay to be signed.
struct Request {
    relayer: usize,
    nonce: u64,
    max_fee_per_gas: u128,
    gas_limit: u64,
    operations: Vec<u64>,
    undelegated: Vec<Address>,
}

/// Why something could not be signed now.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Journal(#[from] db::Error),
    #[error(transparent)]
    Node(#[from] RpcError),
    #[error(transparent)]
    Sign(#[from] transaction::Error),
    #[error("there is no such relayer")]
    NoRelayer,
}

impl Tools {
    async fn bills(&self, seqs: Vec<u64>) -> Result<Vec<Bill>, db::Error> {
        let readers = self.journal.readers.clone();
        let bills = super::actor::read(move || {
            readers.read(|view| {
                let bills = seqs.iter().map(|seq| view.bill(*seq));
                bills.collect::<Result<Vec<_>, _>>()
            })
        });
        Ok(bills.await?.into_iter().flatten().collect())
    }

    fn chain_id(&self) -> u64 {
        self.place.network.chain_id
    }

    async fn authorize(&self, seq: u64, follows: Option<B256>) -> Input {
        let bill = match self.bills(vec![seq]).await {
            Ok(bills) => bills.into_iter().next(),
            Err(error) => {
                tracing::error!(%error, seq, "an operation cannot be read to be signed");
                return Input::Unauthorized { seq };
            }
        };
        let Some(bill) = bill else {
            return Input::Unauthorized { seq };
        };
        let account = bill.call.account;
        let Some(signer) = self.operating.accounts.get(&account) else {
            let failure = Failure {
                code: "signer_unknown".to_owned(),
                detail: format!("the gateway has no key of the account {account} any more"),
            };
            return Input::Forbidden { seq, failure };
        };
        let mut operation = unsigned(bill);
        operation.follows = follows.unwrap_or_default();
        match transaction::sign_operation(signer, self.chain_id(), &operation) {
            Ok(signature) => Input::Authorized {
                seq,
                follows,
                signature,
            },
            Err(error) => {
                tracing::error!(%error, %account, "an operation could not be signed");
                Input::Unauthorized { seq }
            }
        }
    }

    async fn sign(&self, request: Request) -> Input {
        let (relayer, nonce) = (request.relayer, request.nonce);
        match self.signed(request).await {
            Ok(signed) => Input::Signed {
                relayer,
                nonce,
                hash: signed.hash,
                raw: signed.raw,
            },
            Err(error) => {
                tracing::error!(%error, relayer, nonce, "a relay could not be signed");
                Input::SignFailed { relayer, nonce }
            }
        }
    }

    async fn signed(&self, request: Request) -> Result<transaction::SignedBatch, Trouble> {
        let signer = self.operating.relayers.get(request.relayer);
        let signer = signer.ok_or(Trouble::NoRelayer)?;
        let mut operations = Vec::new();
        for bill in self.bills(request.operations).await? {
            // One whose predecessor failed meanwhile is signed anew, and rides later.
            let Some(signature) = bill.signature.clone() else {
                continue;
            };
            operations.push(Signed {
                account: bill.call.account,
                operation: unsigned(bill),
                signature: signature.into(),
            });
        }
        let accounts: BTreeSet<Address> = operations.iter().map(|signed| signed.account).collect();
        let authorizations = self.authorizations(accounts, &request.undelegated).await?;
        let relay = Relay {
            chain_id: self.chain_id(),
            nonce: request.nonce,
            max_fee_per_gas: request.max_fee_per_gas,
            gas_limit: request.gas_limit,
            code: self.place.code,
            operations,
            authorizations,
        };
        Ok(transaction::sign_relay(signer, relay)?)
    }

    /// Gives the code to the accounts that have it not.
    async fn authorizations(
        &self,
        accounts: BTreeSet<Address>,
        undelegated: &[Address],
    ) -> Result<Vec<alloy_eips::eip7702::SignedAuthorization>, Trouble> {
        let known = {
            let mut delegated = self
                .delegated
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            delegated.retain(|account| !undelegated.contains(account));
            delegated.clone()
        };
        let mut authorizations = Vec::new();
        for account in accounts.difference(&known) {
            let index = self.lines.index(0);
            let nodes = &self.lines.nodes;
            let latest = (account, "latest");
            let code: Bytes = nodes.call_at(index, "eth_getCode", latest).await?;
            if code == delegation(self.place.code) {
                let mut delegated = self
                    .delegated
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                delegated.insert(*account);
                continue;
            }
            let Some(signer) = self.operating.accounts.get(account) else {
                continue;
            };
            let pending = (account, "pending");
            let nonce: U64 = nodes
                .call_at(index, "eth_getTransactionCount", pending)
                .await?;
            authorizations.push(transaction::authorize(
                signer,
                self.chain_id(),
                self.place.code,
                nonce.to(),
            )?);
        }
        Ok(authorizations)
    }

    /// Where operations ran before this journal's stream began. The node guides the search; what it brings is verified.
    async fn find(
        &self,
        operations: &[(Address, B256)],
        up_to: u64,
        attempt: u32,
    ) -> Vec<TransactionFacts> {
        let index = self.lines.index(attempt);
        let mut found: BTreeMap<B256, TransactionFacts> = BTreeMap::new();
        for (account, key) in operations {
            match self.look_for(index, account, key, up_to).await {
                Ok(Some(facts)) => drop(found.insert(facts.execution.tx_hash, facts)),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(node = self.lines.nodes.name(index), %error, "the search for an operation failed");
                }
            }
        }
        found.into_values().collect()
    }

    async fn look_for(
        &self,
        index: usize,
        account: &Address,
        key: &B256,
        up_to: u64,
    ) -> Result<Option<TransactionFacts>, RpcError> {
        let nodes = &self.lines.nodes;
        let mut to = up_to;
        loop {
            let from = to.saturating_sub(WINDOW - 1);
            let filter = json!({
                "address": account,
                "topics": [Executed::SIGNATURE_HASH, key],
                "fromBlock": U64::from(from),
                "toBlock": U64::from(to),
            });
            let logs: Vec<LogPlace> = nodes.call_at(index, "eth_getLogs", [filter]).await?;
            if let Some(log) = logs.first() {
                let hash = log.transaction_hash;
                let receipt: Box<RawValue> = nodes.call_at(index, GET_RECEIPT, [hash]).await?;
                let malformed = |reason: String| RpcError::Malformed {
                    node: nodes.name(index),
                    reason,
                };
                let receipt = Receipt::from_json(receipt.get().as_bytes())
                    .map_err(|error| malformed(error.to_string()))?;
                let facts = operation::found(&receipt, hash, &self.place);
                return facts
                    .map(Some)
                    .map_err(|error| malformed(error.to_string()));
            }
            if from == 0 {
                return Ok(None);
            }
            to = from - 1;
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogPlace {
    transaction_hash: B256,
}

/// An operation as its account signs it.
fn unsigned(bill: Bill) -> Operation {
    Operation {
        key: bill.key,
        target: bill.call.target,
        value: bill.call.value,
        data: bill.call.data.into(),
        gas: bill.call.gas,
        deadline: bill.call.deadline,
        follows: bill.follows.unwrap_or_default(),
    }
}

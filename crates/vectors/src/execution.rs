//! One block through the executor, with what Ethereum does around the transactions.

use crate::{
    body::Body,
    dao,
    fork::{Fork, Network},
    refusal::Refusal,
    world::{Parent, World},
};
use alloy_consensus::{
    Eip658Value, Header, Receipt, ReceiptEnvelope, ReceiptWithBloom, Transaction as _, proofs,
};
use alloy_eips::{
    eip2935::HISTORY_STORAGE_ADDRESS, eip4788::BEACON_ROOTS_ADDRESS, eip4844::DATA_GAS_PER_BLOB,
    eip6110, eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
    eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, eip7685::Requests,
};
use alloy_primitives::{Address, B256, Bytes, U256, b256};
use evm::{
    CodeCache, Executor, Outcome, Policy, Progress, ViewError,
    ethereum::{Blobs, Environment, SystemCall},
};
use std::collections::BTreeMap;
use types::{StateKey, Transaction, TransactionReceipt};

/// An Osaka block in RLP may have so many bytes (EIP-7934): 10 MiB less 2 MiB for the rest of a
/// beacon block.
const BLOCK_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The event of the deposit contract (EIP-6110).
const DEPOSIT_TOPIC: B256 =
    b256!("649bbc62d0e31342afea4e5cd82d4049e7e1ee912fc0889aa790803be39038c5");

/// What surrounds a block.
pub(crate) struct Place<'a> {
    pub network: &'a Network,
    pub fork: Fork,
    pub chain_id: u64,
    pub ancestors: BTreeMap<u64, B256>,
}

/// A block that was executed.
pub(crate) struct Executed {
    /// The state after it.
    pub world: World,
    pub transactions: Vec<Transaction>,
    pub receipts: Vec<TransactionReceipt>,
}

/// Executes a block whose header was checked against its parent's, and checks all the header says
/// about the result.
pub(crate) fn execute(place: Place<'_>, body: &Body, parent: &World) -> Result<Executed, Refusal> {
    let header = &body.header;
    check_body(place.fork, body)?;
    let environment = environment(&place, header, parent);
    let transactions = body
        .transactions
        .iter()
        .enumerate()
        .map(|(index, raw)| {
            let recovered = environment.recover(raw.clone());
            recovered.map_err(|error| Refusal::Undecodable { index, error })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let mut run = Run {
        view: Parent::new(parent),
        executor: environment.executor(Policy::Reject, CodeCache::default()),
    };
    run.before(&place, header)?;
    let roots = run.transactions(place.fork, &transactions)?;
    check_blob_gas(header, &transactions)?;
    let requests = run.after(&place, body)?;
    let (outcome, wiped) = run.executor.finish_ethereum();
    let mut world = parent.clone();
    world.apply(outcome.changes.clone(), &wiped);
    let receipts = match roots {
        Some(roots) => with_roots(&outcome, &roots),
        None => outcome.receipts.clone(),
    };
    check_roots(body)?;
    check_outcome(header, &outcome, &receipts, requests, &world)?;
    Ok(Executed {
        world,
        transactions,
        receipts,
    })
}

/// What the body must be before anything is executed.
fn check_body(fork: Fork, body: &Body) -> Result<(), Refusal> {
    if fork >= Fork::Osaka && body.length > BLOCK_BYTES_MAX {
        return Err(Refusal::TooLarge(body.length));
    }
    if body.withdrawals.is_some() != (fork >= Fork::Shanghai) {
        return Err(Refusal::Field("withdrawals"));
    }
    Ok(())
}

fn environment(place: &Place<'_>, header: &Header, parent: &World) -> Environment {
    let blobs = place.network.blobs(place.fork);
    let excess_gas = header.excess_blob_gas.unwrap_or_default();
    Environment {
        chain_id: place.chain_id,
        spec: place.fork.spec(),
        number: header.number,
        timestamp: header.timestamp,
        gas_limit: header.gas_limit,
        base_fee: header.base_fee_per_gas.unwrap_or_default(),
        beneficiary: header.beneficiary,
        difficulty: header.difficulty,
        prev_randao: header.mix_hash,
        blobs: Blobs {
            excess_gas,
            gas_price: blobs.calc_blob_fee(excess_gas),
            per_transaction_max: blobs.max_blobs_per_tx,
            update_fraction: u64::try_from(blobs.update_fraction).unwrap_or(u64::MAX),
        },
        ancestors: place.ancestors.clone(),
        occupied: parent.occupied(),
    }
}

/// A block on its way through the executor.
struct Run<'a> {
    view: Parent<'a>,
    executor: Executor,
}

impl Run<'_> {
    /// What happens before the first transaction.
    fn before(&mut self, place: &Place<'_>, header: &Header) -> Result<(), Refusal> {
        if place.network.since_dao(header.number) == Some(0) {
            for account in dao::DRAINED {
                self.until_done(|executor, view| executor.drain(account, dao::REFUND, view))?;
            }
        }
        if let Some(root) = header.parent_beacon_block_root {
            self.call(BEACON_ROOTS_ADDRESS, root.into())?;
        }
        if place.fork >= Fork::Prague {
            self.call(HISTORY_STORAGE_ADDRESS, header.parent_hash.into())?;
        }
        Ok(())
    }

    /// All transactions; before Byzantium with the state root after each, which receipts held then.
    fn transactions(
        &mut self,
        fork: Fork,
        transactions: &[Transaction],
    ) -> Result<Option<Vec<B256>>, Refusal> {
        if fork >= Fork::Byzantium {
            self.transactions_up_to(transactions)?;
            return Ok(None);
        }
        let mut roots = Vec::new();
        for count in 1..=transactions.len() {
            let Some(first) = transactions.get(..count) else {
                break;
            };
            self.transactions_up_to(first)?;
            let (changes, wiped) = self.executor.changes();
            let mut world = self.view.world().clone();
            world.apply(changes, &wiped);
            roots.push(world.root());
        }
        Ok(Some(roots))
    }

    fn transactions_up_to(&mut self, transactions: &[Transaction]) -> Result<(), Refusal> {
        loop {
            match self
                .executor
                .run(transactions, &self.view)
                .map_err(database)?
            {
                Progress::Done => return Ok(()),
                Progress::Suspended(key) => self.supply(key),
                Progress::Invalid { index, reason } => {
                    return Err(Refusal::Transaction { index, reason });
                }
            }
        }
    }

    /// What happens after the last transaction. Gives the requests of a Prague block.
    fn after(&mut self, place: &Place<'_>, body: &Body) -> Result<Option<Requests>, Refusal> {
        for withdrawal in body.withdrawals.iter().flatten() {
            self.credit(withdrawal.address, withdrawal.amount_wei())?;
        }
        if let Some(reward) = place.fork.reward() {
            self.reward(reward, body)?;
        }
        if place.fork < Fork::Prague {
            return Ok(None);
        }
        let mut requests = Requests::default();
        push(&mut requests, 0, &deposits(self.executor.receipts())?);
        for (kind, name, contract) in [
            (
                1,
                "withdrawal requests",
                WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
            ),
            (
                2,
                "consolidation requests",
                CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
            ),
        ] {
            match self.call(contract, Bytes::new())? {
                SystemCall::Returned(output) => push(&mut requests, kind, &output),
                SystemCall::Failed | SystemCall::NoCode => {
                    return Err(Refusal::SystemContract(name));
                }
            }
        }
        Ok(Some(requests))
    }

    /// The miner's reward, and a share for each uncle.
    fn reward(&mut self, reward: U256, body: &Body) -> Result<(), Refusal> {
        let number = body.header.number;
        for uncle in &body.uncles {
            let age = number.saturating_sub(uncle.number);
            let share = reward * U256::from(8_u64.saturating_sub(age)) / U256::from(8);
            self.credit(uncle.beneficiary, share)?;
        }
        let nephew = reward / U256::from(32) * U256::from(body.uncles.len());
        self.credit(body.header.beneficiary, reward + nephew)
    }

    fn credit(&mut self, address: Address, wei: U256) -> Result<(), Refusal> {
        self.until_done(|executor, view| executor.credit(address, wei, view))
    }

    fn call(&mut self, contract: Address, input: Bytes) -> Result<SystemCall, Refusal> {
        self.until_done(|executor, view| executor.system_call(contract, input.clone(), view))
    }

    fn until_done<T>(
        &mut self,
        step: impl Fn(&mut Executor, &Parent<'_>) -> Result<T, ViewError>,
    ) -> Result<T, Refusal> {
        loop {
            match step(&mut self.executor, &self.view) {
                Err(ViewError::Missing(key)) => self.supply(key),
                done => return done.map_err(database),
            }
        }
    }

    fn supply(&mut self, key: StateKey) {
        let value = self.view.world().value(&key);
        self.executor.supply(key, value);
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err gives it")]
fn database(error: ViewError) -> Refusal {
    Refusal::Database(error.to_string())
}

fn push(requests: &mut Requests, kind: u8, data: &[u8]) {
    if !data.is_empty() {
        requests.push_request([&[kind], data].concat().into());
    }
}

/// The deposits in the logs of the deposit contract, as EIP-6110 strings them together.
fn deposits(receipts: &[TransactionReceipt]) -> Result<Vec<u8>, Refusal> {
    let mut deposits = Vec::new();
    for log in receipts.iter().flat_map(ReceiptEnvelope::logs) {
        if log.address != eip6110::MAINNET_DEPOSIT_CONTRACT_ADDRESS
            || log.data.topics().first() != Some(&DEPOSIT_TOPIC)
        {
            continue;
        }
        deposits.extend(deposit(&log.data.data).ok_or(Refusal::DepositLayout)?);
    }
    Ok(deposits)
}

/// The event's five fields, each with an offset, a length, and padding: where each must begin, and
/// how many bytes it has.
const DEPOSIT_FIELDS: [(usize, usize); 5] = [(160, 48), (256, 32), (320, 8), (384, 96), (512, 8)];
/// Bytes the event's data has.
const DEPOSIT_BYTES: usize = 576;

fn deposit(data: &[u8]) -> Option<Vec<u8>> {
    if data.len() != DEPOSIT_BYTES {
        return None;
    }
    let mut fields = Vec::new();
    for (place, (offset, length)) in DEPOSIT_FIELDS.into_iter().enumerate() {
        let word = |at: usize| Some(U256::from_be_slice(data.get(at..at.checked_add(32)?)?));
        if word(place * 32)? != U256::from(offset) || word(offset)? != U256::from(length) {
            return None;
        }
        fields.extend_from_slice(data.get(offset + 32..offset + 32 + length)?);
    }
    Some(fields)
}

/// Receipts of before Byzantium: with the state root after the transaction instead of a status.
fn with_roots(outcome: &Outcome, roots: &[B256]) -> Vec<TransactionReceipt> {
    let pairs = outcome.receipts.iter().zip(roots);
    pairs
        .map(|(receipt, root)| {
            ReceiptEnvelope::Legacy(ReceiptWithBloom {
                receipt: Receipt {
                    status: Eip658Value::PostState(*root),
                    cumulative_gas_used: receipt.cumulative_gas_used(),
                    logs: receipt.logs().to_vec(),
                },
                logs_bloom: *receipt.logs_bloom(),
            })
        })
        .collect()
}

fn check_blob_gas(header: &Header, transactions: &[Transaction]) -> Result<(), Refusal> {
    let Some(have) = header.blob_gas_used else {
        return Ok(());
    };
    let blobs = transactions
        .iter()
        .map(|transaction| transaction.envelope().blob_versioned_hashes())
        .map(|hashes| hashes.map_or(0, <[B256]>::len))
        .sum::<usize>();
    let want = (blobs as u64).saturating_mul(DATA_GAS_PER_BLOB);
    if have == want {
        Ok(())
    } else {
        Err(Refusal::BlobGasUsed { have, want })
    }
}

/// Whether the header commits to the body. A node would look before it executes anything; vectors
/// have transactions that must be refused, in blocks whose roots were made without them.
fn check_roots(body: &Body) -> Result<(), Refusal> {
    let header = &body.header;
    if proofs::calculate_ommers_root(&body.uncles) != header.ommers_hash {
        return Err(Refusal::UnclesHash);
    }
    if types::transactions_root(&body.transactions) != header.transactions_root {
        return Err(Refusal::TransactionsRoot);
    }
    let withdrawals = body
        .withdrawals
        .as_deref()
        .map(proofs::calculate_withdrawals_root);
    if withdrawals != header.withdrawals_root {
        return Err(Refusal::WithdrawalsRoot);
    }
    Ok(())
}

fn check_outcome(
    header: &Header,
    outcome: &Outcome,
    receipts: &[TransactionReceipt],
    requests: Option<Requests>,
    world: &World,
) -> Result<(), Refusal> {
    let (have, want) = (header.gas_used, outcome.gas_used);
    if have != want {
        return Err(Refusal::GasUsed { have, want });
    }
    let want = types::receipts_root(receipts);
    if header.receipts_root != want {
        return Err(Refusal::ReceiptsRoot { want });
    }
    if header.logs_bloom != outcome.logs_bloom {
        return Err(Refusal::Bloom);
    }
    if let Some(requests) = requests {
        let want = requests.requests_hash();
        if header.requests_hash != Some(want) {
            return Err(Refusal::RequestsHash { want });
        }
    }
    let want = world.root();
    if header.state_root != want {
        return Err(Refusal::StateRoot { want });
    }
    Ok(())
}

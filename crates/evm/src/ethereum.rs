//! Ethereum's own rules, from Frontier to Osaka, for test vectors and imports.
//!
//! A block of our chain has one shape: [`Environment`](crate::Environment). Ethereum's has had a
//! dozen. What differs is put here and nowhere else: this module's [`Environment`] makes an
//! [`Executor`] whose `run` is the loop that our blocks take, and the steps that Ethereum does
//! around the transactions (system calls, rewards, withdrawals, the DAO fork) are methods to call
//! before and after it. **No node may start an executor here**: it takes blob transactions, which
//! our chain refuses, and `BLOCKHASH` is answered from a list instead of the state.

use crate::{
    admission::intrinsic_gas,
    executor::{Executor, Outcome, Policy, Rules},
    overlay::{CodeCache, Overlay, Session, View, ViewError},
    transaction::Invalid,
};
use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256};
pub use revm::primitives::hardfork::SpecId;
use revm::{
    Context, MainBuilder as _, MainContext as _, SystemCallEvm as _,
    context::{BlockEnv, CfgEnv},
    context_interface::{
        block::BlobExcessGasAndPrice,
        result::{EVMError, ExecutionResult},
    },
};
use std::collections::{BTreeMap, BTreeSet};
use types::{Account, StateKey, StateValue, Transaction, TransactionError, TransactionReceipt};

/// Everything execution of an Ethereum block depends on besides parent state and transactions.
#[derive(Clone, Debug)]
pub struct Environment {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The EVM rules.
    pub spec: SpecId,
    /// Block number.
    pub number: u64,
    /// Seconds since the Unix epoch.
    pub timestamp: u64,
    /// Gas the block may use.
    pub gas_limit: u64,
    /// Base fee per gas in wei; zero before London.
    pub base_fee: u64,
    /// Receiver of fees.
    pub beneficiary: Address,
    /// What `DIFFICULTY` gives before the merge.
    pub difficulty: U256,
    /// What `PREVRANDAO` gives since the merge.
    pub prev_randao: B256,
    /// Blobs, since Cancun.
    pub blobs: Blobs,
    /// Hashes of ancestors by number, for `BLOCKHASH`.
    pub ancestors: BTreeMap<u64, B256>,
    /// Accounts of the parent state with storage but neither nonce nor code. None can come to be;
    /// some test vectors begin with one, and EIP-7610 says that no contract may be created there.
    pub occupied: BTreeSet<Address>,
}

/// The market for blobs (EIP-4844).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blobs {
    /// Excess blob gas of the header.
    pub excess_gas: u64,
    /// Wei per blob gas.
    pub gas_price: u128,
    /// Blobs one transaction may carry.
    pub per_transaction_max: u64,
    /// How quickly the price follows demand (EIP-7840).
    pub update_fraction: u64,
}

impl Environment {
    /// Decodes a transaction as this fork takes it, and recovers its signer.
    ///
    /// # Errors
    /// It is no transaction of this fork.
    pub fn recover(&self, raw: Bytes) -> Result<Transaction, TransactionError> {
        let transaction =
            Transaction::recover_foreign(raw, !self.spec.is_enabled_in(SpecId::HOMESTEAD))?;
        let envelope = transaction.envelope();
        if let Some(have) = envelope.chain_id()
            && envelope.is_legacy()
            && !self.spec.is_enabled_in(SpecId::SPURIOUS_DRAGON)
        {
            // Before EIP-155 its `v` is no signature's.
            return Err(TransactionError::ChainId { have, want: 0 });
        }
        Ok(transaction)
    }

    /// Checks what depends on neither state nor the rest of the block, and says how much gas the
    /// transaction needs before any is executed.
    ///
    /// # Errors
    /// The reason it could not be executed.
    pub fn admit(&self, transaction: &Transaction) -> Result<u64, Invalid> {
        let mut cfg = self.cfg();
        cfg.disable_base_fee = true;
        cfg.disable_block_gas_limit = true;
        intrinsic_gas(cfg, self.block(), transaction)
    }

    /// Starts a block on its parent's state, and executes nothing yet.
    pub fn executor(self, policy: Policy, codes: CodeCache) -> Executor {
        let rules = Rules {
            cfg: self.cfg(),
            block: self.block(),
            governed: None,
        };
        let legacy = Legacy {
            spec: self.spec,
            ancestors: self.ancestors,
            occupied: self.occupied,
            wiped: BTreeSet::new(),
        };
        Executor::with_rules(rules, policy, Overlay::with_legacy(codes, legacy))
    }

    fn cfg(&self) -> CfgEnv {
        let mut cfg = CfgEnv::new_with_spec(self.spec);
        cfg.chain_id = self.chain_id;
        cfg.max_blobs_per_tx = Some(self.blobs.per_transaction_max);
        cfg.blob_base_fee_update_fraction = Some(self.blobs.update_fraction);
        cfg
    }

    fn block(&self) -> BlockEnv {
        let merged = self.spec.is_enabled_in(SpecId::MERGE);
        BlockEnv {
            number: U256::from(self.number),
            beneficiary: self.beneficiary,
            timestamp: U256::from(self.timestamp),
            gas_limit: self.gas_limit,
            basefee: self.base_fee,
            difficulty: if merged { U256::ZERO } else { self.difficulty },
            prevrandao: merged.then_some(self.prev_randao),
            blob_excess_gas_and_price: self.spec.is_enabled_in(SpecId::CANCUN).then_some(
                BlobExcessGasAndPrice {
                    excess_blob_gas: self.blobs.excess_gas,
                    blob_gasprice: self.blobs.gas_price,
                },
            ),
            ..BlockEnv::default()
        }
    }
}

/// What became of a system call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SystemCall {
    /// It returned this.
    Returned(Bytes),
    /// It failed; nothing changed.
    Failed,
    /// There is no contract.
    NoCode,
}

impl Executor {
    /// Calls a contract as the system does (EIP-4788, 2935, 7002, 7251): from its own address, at no
    /// one's cost, outside the block's gas.
    ///
    /// # Errors
    /// [`ViewError::Missing`] names a value to supply before this is done again; [`ViewError::Database`] when the state
    /// database failed.
    pub fn system_call(
        &mut self,
        contract: Address,
        input: Bytes,
        view: &impl View,
    ) -> Result<SystemCall, ViewError> {
        let account = self.overlay.account(view, contract)?;
        let has_code = account.is_some_and(|account| account.code_hash != KECCAK256_EMPTY);
        if !has_code {
            return Ok(SystemCall::NoCode);
        }
        let called = Context::mainnet()
            .with_db(Session {
                overlay: &mut self.overlay,
                view,
            })
            .with_cfg(self.rules.cfg.clone())
            .with_block(self.rules.block.clone())
            .build_mainnet()
            .system_call(contract, input);
        match called {
            Ok(called) => match called.result {
                ExecutionResult::Success { output, .. } => {
                    self.overlay.commit(view, called.state)?;
                    Ok(SystemCall::Returned(output.into_data()))
                }
                ExecutionResult::Revert { .. } | ExecutionResult::Halt { .. } => {
                    Ok(SystemCall::Failed)
                }
            },
            Err(EVMError::Database(fault)) => Err(fault),
            Err(other) => Err(ViewError::Database(format!("system call: {other}"))),
        }
    }

    /// Adds wei to an account out of nothing: rewards, withdrawals. Zero wei create no account.
    ///
    /// # Errors
    /// [`ViewError::Missing`] names a value to supply before this is done again; [`ViewError::Database`] when the state
    /// database failed.
    pub fn credit(
        &mut self,
        address: Address,
        wei: U256,
        view: &impl View,
    ) -> Result<(), ViewError> {
        let account = self.overlay.account(view, address)?;
        if !wei.is_zero() {
            let account = account.unwrap_or_default();
            self.overlay.write(
                StateKey::Account(address),
                StateValue::Account(Account {
                    balance: account.balance.saturating_add(wei),
                    ..account
                }),
            );
        }
        Ok(())
    }

    /// Moves all an account has to another, and leaves both there (the DAO fork).
    ///
    /// # Errors
    /// [`ViewError::Missing`] names a value to supply before this is done again; [`ViewError::Database`] when the state
    /// database failed.
    pub fn drain(&mut self, from: Address, to: Address, view: &impl View) -> Result<(), ViewError> {
        let drained = self.overlay.account(view, from)?.unwrap_or_default();
        let filled = self.overlay.account(view, to)?.unwrap_or_default();
        for (address, balance, account) in [
            (from, U256::ZERO, drained),
            (to, filled.balance.saturating_add(drained.balance), filled),
        ] {
            self.overlay.write(
                StateKey::Account(address),
                StateValue::Account(Account { balance, ..account }),
            );
        }
        Ok(())
    }

    /// The receipts so far.
    pub fn receipts(&self) -> &[TransactionReceipt] {
        &self.receipts
    }

    /// The changes so far, and the accounts whose storage is to be dropped before they are applied.
    pub fn changes(&self) -> (Vec<(StateKey, StateValue)>, BTreeSet<Address>) {
        let wiped = self.overlay.legacy().map(|legacy| legacy.wiped.clone());
        (
            self.overlay.clone().into_changes(),
            wiped.unwrap_or_default(),
        )
    }

    /// The effect of what was executed, and the accounts whose storage is to be dropped before the
    /// changes are applied.
    pub fn finish_ethereum(self) -> (Outcome, BTreeSet<Address>) {
        let wiped = self.overlay.legacy().map(|legacy| legacy.wiped.clone());
        (self.finish(), wiped.unwrap_or_default())
    }
}

/// What an overlay keeps under rules that our fixed fork has left behind.
#[derive(Clone, Debug)]
pub(crate) struct Legacy {
    spec: SpecId,
    ancestors: BTreeMap<u64, B256>,
    occupied: BTreeSet<Address>,
    /// Accounts whose parent storage is gone: `SELFDESTRUCT` before EIP-6780 destroys what was there
    /// before the transaction.
    wiped: BTreeSet<Address>,
}

impl Legacy {
    pub(crate) fn ancestor(&self, number: u64) -> B256 {
        self.ancestors.get(&number).copied().unwrap_or_default()
    }

    /// Before EIP-161 an account could be there and empty.
    pub(crate) fn keeps_empty(&self) -> bool {
        !self.spec.is_enabled_in(SpecId::SPURIOUS_DRAGON)
    }

    /// Since EIP-6780 a destroyed contract has none.
    pub(crate) fn destroys_old_storage(&self) -> bool {
        !self.spec.is_enabled_in(SpecId::CANCUN)
    }

    pub(crate) fn wipe(&mut self, address: Address) {
        self.wiped.insert(address);
    }

    pub(crate) fn is_wiped(&self, address: &Address) -> bool {
        self.wiped.contains(address)
    }

    /// A slot written after its account's storage was dropped is a change even if the parent holds the
    /// same value.
    pub(crate) fn must_write(&self, key: &StateKey) -> bool {
        matches!(key, StateKey::Slot(address, _) if self.is_wiped(address))
    }

    /// The nonce that revm is shown. It knows no EIP-7610; a nonce keeps contracts away as well.
    pub(crate) fn nonce_before(&self, address: &Address, account: &Account) -> u64 {
        let shifted =
            self.is_shifted(address) && account.nonce == 0 && account.code_hash == KECCAK256_EMPTY;
        if shifted { 1 } else { account.nonce }
    }

    /// The nonce behind the one that revm was shown.
    pub(crate) fn nonce_after(&self, address: &Address, nonce: u64) -> u64 {
        if self.is_shifted(address) {
            nonce.saturating_sub(1)
        } else {
            nonce
        }
    }

    fn is_shifted(&self, address: &Address) -> bool {
        !self.occupied.is_empty() && self.occupied.contains(address) && !self.is_wiped(address)
    }
}

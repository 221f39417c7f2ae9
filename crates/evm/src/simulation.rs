//! Execution without effect: calls and transactions on a state in memory over another one.

use crate::{
    call::Call,
    environment::Environment,
    overlay::{CodeCache, Overlay, Session, View, ViewError, history_slot},
    overrides::{BlockChange, Overrides, StorageChange, code_hash},
    permission::{self, Executed, Governed},
    precompiles::{Routed, Routes},
    quantum::Quantum,
    transaction::{Invalid, tx_env},
};
use alloy_eips::eip2935::HISTORY_SERVE_WINDOW;
use alloy_primitives::{Address, B256, U256};
use revm::{
    Context, Database, DatabaseRef, Inspector, MainBuilder as _, MainContext as _,
    bytecode::Bytecode,
    context::{BlockEnv, CfgEnv, Evm, TxEnv},
    context_interface::{block::BlobExcessGasAndPrice, result::ResultAndState},
    handler::{EthFrame, MainnetContext, instructions::EthInstructions},
    interpreter::interpreter::EthInterpreter,
    state::{AccountInfo, EvmState},
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};
use types::{StateKey, StateValue, Transaction};

/// What is executed, and by which rules.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Message<'a> {
    /// A call that nobody signed: nonce, sender and limits of the block are not checked; without a price it costs nothing.
    Call(&'a Call),
    /// A call of a simulated block; if it is `checked`, nonce and base fee must fit.
    Simulated { call: &'a Call, checked: bool },
    /// A signed transaction, as in a block.
    Transaction(&'a Transaction),
}

impl Message<'_> {
    fn tx_env(&self, chain_id: u64) -> TxEnv {
        match self {
            Self::Call(call) | Self::Simulated { call, .. } => call.tx_env(chain_id),
            Self::Transaction(transaction) => tx_env(transaction),
        }
    }
}

/// A state to execute on, with reads kept from one attempt to the next.
#[derive(Clone, Debug)]
pub struct Simulation {
    environment: Environment,
    blob_base_fee: u128,
    overlay: Overlay,
    /// Overrides not applied yet: that takes reads.
    overrides: Option<Overrides>,
    /// Accounts whose storage is what was written here, and nothing else.
    replaced: BTreeSet<Address>,
    routes: Routes,
    /// Hashes that the state does not hold: the parent's, those of simulated blocks, those that were asked for.
    hashes: BTreeMap<u64, B256>,
    /// The first number whose hash the state cannot hold.
    unknown: u64,
    quantum: Quantum,
}

impl Simulation {
    /// Executes in this environment, on the state after the block with its number, or after that block's parent.
    pub fn new(environment: Environment, codes: CodeCache) -> Self {
        let parent = environment.counted_parent();
        let hashes = parent.map(|parent| (parent, environment.parent_hash));
        Self {
            unknown: environment.counted(),
            environment,
            // As `Environment::block`: no blobs on this chain.
            blob_base_fee: 1,
            overlay: Overlay::new(codes),
            overrides: None,
            replaced: BTreeSet::new(),
            routes: Routes::default(),
            hashes: hashes.into_iter().collect(),
            quantum: Quantum::default(),
        }
    }

    /// Computes no more than this, traces apart, which have bounds of their own.
    #[must_use]
    pub fn within(self, quantum: Quantum) -> Self {
        Self { quantum, ..self }
    }

    /// Begins a block with this environment on top: as [`crate::Executor`] does, its parent's hash is recorded (EIP-2935).
    pub fn begin(&mut self, environment: Environment) {
        if let Some(parent) = environment.counted_parent() {
            self.hashes.insert(parent, environment.parent_hash);
            self.overlay.write(
                history_slot(parent),
                StateValue::Slot(environment.parent_hash.into()),
            );
        }
        self.routes = Routes::default();
        self.environment = environment;
        self.blob_base_fee = 1;
    }

    /// The block that is executed in.
    pub const fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Changes the block for what is executed from now on.
    pub fn change(&mut self, change: &BlockChange) {
        let environment = &mut self.environment;
        let set = |field: &mut u64, value: Option<u64>| *field = value.unwrap_or(*field);
        set(&mut environment.number, change.number);
        set(&mut environment.timestamp, change.timestamp);
        set(&mut environment.gas_limit, change.gas_limit);
        set(&mut environment.base_fee, change.base_fee);
        environment.beneficiary = change.beneficiary.unwrap_or(environment.beneficiary);
        environment.prev_randao = change.prev_randao.unwrap_or(environment.prev_randao);
        self.blob_base_fee = change.blob_base_fee.unwrap_or(self.blob_base_fee);
        self.hashes.extend(&change.hashes);
    }

    /// Changes the state for what is executed from now on.
    pub fn override_state(&mut self, overrides: Overrides) {
        self.routes.clone_from(&overrides.routes);
        self.overrides = (!overrides.is_empty()).then_some(overrides);
    }

    /// Makes a value of the state below known.
    pub fn supply(&mut self, key: StateKey, value: StateValue) {
        self.overlay.supply(key, value);
    }

    /// An account as it is now.
    pub(crate) fn account(
        &mut self,
        address: Address,
        view: &dyn View,
    ) -> Result<types::Account, ViewError> {
        self.settle(view)?;
        Ok(self.overlay.account(&view, address)?.unwrap_or_default())
    }

    /// Executes and gives what it would change; why not, if it cannot start.
    pub(crate) fn execute(
        &mut self,
        message: Message<'_>,
        view: &dyn View,
    ) -> Result<Executed, ViewError> {
        self.settle(view)?;
        let tx = message.tx_env(self.environment.chain_id);
        let mut quantum = std::mem::take(&mut self.quantum);
        let mut cfg = self.cfg(message);
        // Who is paid nothing need not be read; but the EVM forgets the value too when nothing is charged. Traces show that
        // account all the same.
        cfg.disable_fee_charge =
            matches!(message, Message::Call(call) if call.is_free() && call.value.is_zero());
        let mut evm = self.evm(message, cfg, &view, &mut quantum);
        let executed = evm.inspect(tx);
        self.quantum = quantum;
        self.quantum.ended().map_or(executed, Err)
    }

    /// As [`Self::execute`], watched by an inspector.
    pub(crate) fn inspect<I>(
        &mut self,
        message: Message<'_>,
        view: &dyn View,
        inspector: &mut I,
    ) -> Result<Result<Inspected, Invalid>, ViewError>
    where
        I: for<'a> Inspector<MainnetContext<Simulated<'a>>>,
    {
        self.settle(view)?;
        let tx = message.tx_env(self.environment.chain_id);
        let block = self.block(message);
        let cfg = self.cfg(message);
        let mut evm = self.evm(message, cfg, &view, inspector);
        let executed = evm.inspect(tx.clone())?;
        Ok(executed.map(|result| Inspected { result, tx, block }))
    }

    /// Makes what an execution would change part of the state.
    pub(crate) fn commit(&mut self, state: EvmState, view: &dyn View) -> Result<(), ViewError> {
        self.overlay.commit(&view, state)
    }

    /// The state as it is now, for those who describe what an execution would change.
    pub(crate) fn before<'a>(&'a mut self, view: &'a &'a dyn View) -> Before<'a> {
        Before(RefCell::new(self.simulated(view)))
    }

    /// Applies overrides once all that this needs was read.
    pub(crate) fn settle(&mut self, view: &dyn View) -> Result<(), ViewError> {
        let Some(overrides) = &self.overrides else {
            return Ok(());
        };
        let mut accounts = Vec::with_capacity(overrides.accounts.len());
        for change in &overrides.accounts {
            accounts.push(self.overlay.account(&view, change.address)?);
        }
        let Some(overrides) = self.overrides.take() else {
            return Ok(());
        };
        for (change, before) in overrides.accounts.into_iter().zip(accounts) {
            let address = change.address;
            let mut account = before.unwrap_or_default();
            account.balance = change.balance.unwrap_or(account.balance);
            account.nonce = change.nonce.unwrap_or(account.nonce);
            if let Some(code) = change.code {
                account.code_hash = code_hash(&code);
                self.overlay
                    .write(StateKey::Code(account.code_hash), StateValue::Code(code));
            }
            if before != Some(account) {
                self.overlay
                    .write(StateKey::Account(address), StateValue::Account(account));
            }
            let slots = match change.storage {
                StorageChange::Unchanged => continue,
                StorageChange::Some(slots) => slots,
                StorageChange::All(slots) => {
                    self.overlay.unwrite_slots(address);
                    self.replaced.insert(address);
                    slots
                }
            };
            for (slot, value) in slots {
                let value = if value.is_zero() {
                    StateValue::Absent
                } else {
                    StateValue::Slot(value)
                };
                self.overlay.write(StateKey::Slot(address, slot), value);
            }
        }
        Ok(())
    }

    fn simulated<'a>(&'a mut self, view: &'a &'a dyn View) -> Simulated<'a> {
        Simulated {
            session: Session {
                overlay: &mut self.overlay,
                view,
            },
            replaced: &self.replaced,
            hashes: &self.hashes,
            unknown: self.unknown,
        }
    }

    fn cfg(&self, message: Message<'_>) -> CfgEnv {
        let mut cfg = self.environment.cfg();
        match message {
            Message::Transaction(_) => {}
            Message::Call(call) => {
                cfg.disable_nonce_check = true;
                cfg.disable_eip3607 = true;
                cfg.disable_block_gas_limit = true;
                cfg.disable_base_fee = call.is_free();
                // The caller's gas cap bounds a call; EIP-7825 bounds transactions.
                cfg.tx_gas_limit_cap = Some(u64::MAX);
            }
            Message::Simulated { call, checked } => {
                cfg.disable_nonce_check = !checked;
                // As in geth, with validation too.
                cfg.disable_eip3607 = true;
                cfg.disable_base_fee = !checked && call.is_free();
                cfg.tx_gas_limit_cap = Some(u64::MAX);
            }
        }
        cfg
    }

    fn block(&self, message: Message<'_>) -> BlockEnv {
        let mut block = self.environment.block();
        block.blob_excess_gas_and_price = Some(BlobExcessGasAndPrice {
            excess_blob_gas: 0,
            blob_gasprice: self.blob_base_fee,
        });
        // As in geth, a call that pays nothing sees a base fee of nothing.
        if matches!(message, Message::Call(call) if call.is_free()) {
            block.basefee = 0;
        }
        block
    }

    fn evm<'a, I>(
        &'a mut self,
        message: Message<'_>,
        cfg: CfgEnv,
        view: &'a &'a dyn View,
        inspector: I,
    ) -> Governed<SimulatedEvm<'a, I>> {
        // Who asks what would be is told, whether or not it may be; what was, was by the rule.
        let governed =
            self.environment.governed.is_some() && matches!(message, Message::Transaction(_));
        let precompiles = Routed::new(cfg.spec, &self.routes);
        let block = self.block(message);
        let evm = Context::mainnet()
            .with_db(self.simulated(view))
            .with_cfg(cfg)
            .with_block(block)
            .build_mainnet_with_inspector(inspector)
            .with_precompiles(precompiles);
        Governed::new(evm, governed)
    }
}

/// What was executed under inspection, with what it ran in.
pub(crate) struct Inspected {
    pub result: ResultAndState,
    pub tx: TxEnv,
    pub block: BlockEnv,
}

type SimulatedEvm<'a, I> = Evm<
    MainnetContext<Simulated<'a>>,
    I,
    EthInstructions<EthInterpreter, MainnetContext<Simulated<'a>>>,
    Routed,
    EthFrame<EthInterpreter>,
>;

/// A simulation's state for the time revm runs.
pub(crate) struct Simulated<'a> {
    session: Session<'a, &'a dyn View>,
    replaced: &'a BTreeSet<Address>,
    hashes: &'a BTreeMap<u64, B256>,
    unknown: u64,
}

impl permission::Before for Simulated<'_> {
    fn slot_before(&mut self, address: Address, slot: U256) -> Result<U256, ViewError> {
        self.session.slot_before(address, slot)
    }
}

impl Database for Simulated<'_> {
    type Error = ViewError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, ViewError> {
        self.session.basic(address)
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, ViewError> {
        self.session.code_by_hash(hash)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, ViewError> {
        if self.replaced.contains(&address)
            && !self.session.overlay.writes(&StateKey::Slot(address, slot))
        {
            return Ok(U256::ZERO);
        }
        self.session.storage(address, slot)
    }

    /// A block may be simulated far from the ones there are, so that the history contract would answer with a hash of
    /// another number in the same place.
    fn block_hash(&mut self, number: u64) -> Result<B256, ViewError> {
        if let Some(hash) = self.hashes.get(&number) {
            return Ok(*hash);
        }
        let age = self.unknown.saturating_sub(number);
        if age == 0 || age >= HISTORY_SERVE_WINDOW as u64 {
            return Ok(B256::ZERO);
        }
        self.session.block_hash(number)
    }
}

/// The state before an execution, as those read it who describe what changed.
pub(crate) struct Before<'a>(RefCell<Simulated<'a>>);

impl DatabaseRef for Before<'_> {
    type Error = ViewError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, ViewError> {
        self.0.borrow_mut().basic(address)
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, ViewError> {
        self.0.borrow_mut().code_by_hash(hash)
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, ViewError> {
        self.0.borrow_mut().storage(address, slot)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, ViewError> {
        self.0.borrow_mut().block_hash(number)
    }
}

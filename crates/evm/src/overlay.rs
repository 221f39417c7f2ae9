//! State in memory over a parent state that may answer "not yet".

use crate::{ethereum::Legacy, permission::Before};
use alloy_eips::eip2935::{HISTORY_SERVE_WINDOW, HISTORY_STORAGE_ADDRESS};
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256};
use revm::{
    Database,
    bytecode::Bytecode,
    database_interface::DBErrorMarker,
    state::{AccountInfo, EvmState},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
};
use types::{Account, StateKey, StateValue};

/// Parent state as execution sees it: a read that is tried once.
pub trait View {
    /// The value of `key`, or [`Poll::Pending`] if it is not at hand. Must never block, and must
    /// give the same value for the same key as long as the parent state is the same.
    fn poll(&self, key: &StateKey) -> Poll<Result<StateValue, ViewError>>;
}

impl<V: View + ?Sized> View for &V {
    fn poll(&self, key: &StateKey) -> Poll<Result<StateValue, ViewError>> {
        (**self).poll(key)
    }
}

/// Why a read from the parent state gave no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// Not at hand: fetch the key, supply it, run again.
    #[error("{0:?} is not at hand")]
    Missing(StateKey),
    /// The branch being read lost to another, or nobody waits any more: the result is of no use to anyone.
    #[error("the branch being read was abandoned")]
    Abandoned,
    /// More was computed than a short question may: it can be put again without that bound.
    #[error("too much to compute at one go")]
    Exhausted,
    /// The database failed or holds what it must not. The node must stop.
    #[error("state database: {0}")]
    Database(String),
}

impl DBErrorMarker for ViewError {}

/// Analysed contract code shared by all executions of a node.
///
/// Safe to share because code is named by its hash: whatever is cached, the result is the same.
#[derive(Clone, Debug, Default)]
pub struct CodeCache(Arc<Mutex<HashMap<B256, Bytecode>>>);

/// Contracts kept analysed. At 24 KiB each with its jump table, about 30 MiB at the worst.
const CODE_CACHE_ENTRIES: usize = 1024;

impl CodeCache {
    fn lookup(&self, hash: &B256) -> Option<Bytecode> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(hash)
            .cloned()
    }

    fn insert(&self, hash: B256, code: Bytecode) {
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if codes.len() >= CODE_CACHE_ENTRIES {
            codes.clear();
        }
        codes.insert(hash, code);
    }
}

/// What a block has read from its parent state and written over it.
#[derive(Clone, Debug, Default)]
pub struct Overlay {
    /// Parent values. What is in here beyond what execution read differs between nodes (prefetch,
    /// proposals that were skipped), so it may only ever save a read, never decide anything.
    known: HashMap<StateKey, StateValue>,
    /// Values after the transactions executed so far.
    written: BTreeMap<StateKey, StateValue>,
    codes: CodeCache,
    /// What other forks need kept; nothing in production.
    legacy: Option<Box<Legacy>>,
}

impl Overlay {
    /// An empty overlay.
    pub fn new(codes: CodeCache) -> Self {
        Self {
            codes,
            ..Self::default()
        }
    }

    /// An overlay under another fork's rules.
    pub(crate) fn with_legacy(codes: CodeCache, legacy: Legacy) -> Self {
        Self {
            codes,
            legacy: Some(Box::new(legacy)),
            ..Self::default()
        }
    }

    /// What other forks need kept, if this overlay is under one.
    pub(crate) fn legacy(&self) -> Option<&Legacy> {
        self.legacy.as_deref()
    }

    /// Makes the parent value of a key known.
    pub fn supply(&mut self, key: StateKey, value: StateValue) {
        self.known.insert(key, value);
    }

    /// Whether the parent value of a key is known.
    pub fn knows(&self, key: &StateKey) -> bool {
        self.known.contains_key(key)
    }

    /// Whether the value of a key was written here.
    pub(crate) fn writes(&self, key: &StateKey) -> bool {
        self.written.contains_key(key)
    }

    /// Forgets what was written to the slots of an account.
    pub(crate) fn unwrite_slots(&mut self, address: Address) {
        self.written
            .retain(|key, _| !matches!(key, StateKey::Slot(of, _) if *of == address));
    }

    /// Writes a value over the parent state.
    pub fn write(&mut self, key: StateKey, value: StateValue) {
        self.written.insert(key, value);
    }

    /// The current value of a key: written, known, or asked of the view once.
    pub fn read(&mut self, view: &impl View, key: StateKey) -> Result<StateValue, ViewError> {
        if let Some(value) = self.written.get(&key) {
            return Ok(value.clone());
        }
        self.before(view, key)
    }

    /// A slot as the parent state has it.
    pub(crate) fn slot_before(
        &mut self,
        view: &impl View,
        key: StateKey,
    ) -> Result<U256, ViewError> {
        match self.before(view, key)? {
            StateValue::Slot(value) => Ok(value),
            StateValue::Absent => Ok(U256::ZERO),
            other => Err(wrong_kind(&key, &other)),
        }
    }

    /// The parent's value of a key: known, or asked of the view once.
    fn before(&mut self, view: &impl View, key: StateKey) -> Result<StateValue, ViewError> {
        if let Some(value) = self.known.get(&key) {
            return Ok(value.clone());
        }
        match view.poll(&key) {
            Poll::Ready(value) => {
                let value = value?;
                self.known.insert(key, value.clone());
                Ok(value)
            }
            Poll::Pending => Err(ViewError::Missing(key)),
        }
    }

    /// The current account, if there is one.
    pub fn account(
        &mut self,
        view: &impl View,
        address: Address,
    ) -> Result<Option<Account>, ViewError> {
        match self.read(view, StateKey::Account(address))? {
            StateValue::Account(account) => Ok(Some(account)),
            StateValue::Absent => Ok(None),
            other => Err(wrong_kind(&StateKey::Account(address), &other)),
        }
    }

    fn slot(&mut self, view: &impl View, key: StateKey) -> Result<U256, ViewError> {
        if let (Some(legacy), StateKey::Slot(address, _)) = (&self.legacy, key)
            && legacy.is_wiped(&address)
            && !self.written.contains_key(&key)
        {
            return Ok(U256::ZERO);
        }
        match self.read(view, key)? {
            StateValue::Slot(value) => Ok(value),
            StateValue::Absent => Ok(U256::ZERO),
            other => Err(wrong_kind(&key, &other)),
        }
    }

    fn code(&mut self, view: &impl View, hash: B256) -> Result<Bytecode, ViewError> {
        if hash == KECCAK256_EMPTY || hash.is_zero() {
            return Ok(Bytecode::default());
        }
        if let Some(code) = self.codes.lookup(&hash) {
            return Ok(code);
        }
        match self.read(view, StateKey::Code(hash))? {
            StateValue::Code(bytes) => {
                let code = Bytecode::new_raw_checked(bytes)
                    .map_err(|error| ViewError::Database(format!("code {hash}: {error}")))?;
                self.codes.insert(hash, code.clone());
                Ok(code)
            }
            StateValue::Absent => Err(ViewError::Database(format!(
                "an account names code {hash}, which is absent"
            ))),
            other => Err(wrong_kind(&StateKey::Code(hash), &other)),
        }
    }

    /// Writes what one transaction changed.
    ///
    /// On [`ViewError::Missing`] nothing was written; the transaction must be executed again.
    #[expect(
        clippy::disallowed_methods,
        reason = "the journal is a hash map; each entry goes to a key of its own in ordered maps"
    )]
    pub fn commit(&mut self, view: &impl View, state: EvmState) -> Result<(), ViewError> {
        // Code is content-addressed: whether it must be written depends on whether the parent has
        // it, so that is read first. Only then does anything change.
        let mut codes: BTreeMap<B256, Bytes> = BTreeMap::new();
        for (address, account) in state.iter().filter(|(_, account)| account.is_touched()) {
            let hash = account.info.code_hash;
            let Some(code) = &account.info.code else {
                continue;
            };
            if code.is_empty() || hash == KECCAK256_EMPTY || account.is_selfdestructed() {
                continue;
            }
            // Code the account already had is in the state; no need to look.
            let before = self.account(view, *address)?;
            if before.is_some_and(|before| before.code_hash == hash) {
                continue;
            }
            if self.read(view, StateKey::Code(hash))? == StateValue::Absent {
                codes.insert(hash, code.original_bytes());
            }
        }
        for (hash, code) in codes {
            self.written
                .insert(StateKey::Code(hash), StateValue::Code(code));
        }
        for (address, account) in state {
            if !account.is_touched() {
                continue;
            }
            let key = StateKey::Account(address);
            if account.is_selfdestructed() {
                // Since Cancun only a contract created by the same transaction is destroyed, so
                // none of its slots can be in the parent or written before.
                self.written.insert(key, StateValue::Absent);
                if self.legacy().is_some_and(Legacy::destroys_old_storage) {
                    self.wipe(address);
                }
                continue;
            }
            let created = account.is_created();
            for (slot, value) in &account.storage {
                let slot_key = StateKey::Slot(address, *slot);
                if created {
                    // The journal knows that a new contract has no storage and does not ask; record
                    // it, so that every written slot has a known parent value.
                    self.known.entry(slot_key).or_insert(StateValue::Absent);
                }
                if value.is_changed() {
                    let present = value.present_value;
                    self.written.insert(
                        slot_key,
                        if present.is_zero() {
                            StateValue::Absent
                        } else {
                            StateValue::Slot(present)
                        },
                    );
                }
            }
            let mut after = Account {
                nonce: account.info.nonce,
                balance: account.info.balance,
                code_hash: account.info.code_hash,
            };
            let mut keeps_empty = false;
            if let Some(legacy) = &self.legacy {
                after.nonce = legacy.nonce_after(&address, after.nonce);
                keeps_empty = legacy.keeps_empty();
            }
            if !after.is_empty() || keeps_empty {
                self.written.insert(key, StateValue::Account(after));
                continue;
            }
            self.written.insert(key, StateValue::Absent);
            if self.legacy.is_some() {
                self.wipe(address);
            }
        }
        Ok(())
    }

    /// Drops all storage of an account, the parent's too.
    fn wipe(&mut self, address: Address) {
        let Some(legacy) = &mut self.legacy else {
            return;
        };
        legacy.wipe(address);
        let slots = StateKey::Slot(address, U256::ZERO)..=StateKey::Slot(address, U256::MAX);
        let gone: Vec<StateKey> = self.written.range(slots).map(|(key, _)| *key).collect();
        for key in gone {
            self.written.remove(&key);
        }
    }

    /// The changes against the parent state, in key order; a value written back to what the parent
    /// holds is no change.
    pub fn into_changes(self) -> Vec<(StateKey, StateValue)> {
        let (known, legacy) = (self.known, self.legacy);
        self.written
            .into_iter()
            .filter(|(key, value)| {
                known.get(key) != Some(value)
                    || legacy.as_ref().is_some_and(|legacy| legacy.must_write(key))
            })
            .collect()
    }
}

fn wrong_kind(key: &StateKey, value: &StateValue) -> ViewError {
    ViewError::Database(format!("{key:?} holds {value:?}"))
}

/// The slot of the EIP-2935 history contract that holds the hash of a block.
pub(crate) fn history_slot(number: u64) -> StateKey {
    StateKey::Slot(
        HISTORY_STORAGE_ADDRESS,
        U256::from(number % HISTORY_SERVE_WINDOW as u64),
    )
}

/// An overlay joined with its view for the time revm runs.
pub(crate) struct Session<'a, V> {
    pub overlay: &'a mut Overlay,
    pub view: &'a V,
}

impl<V: View> Before for Session<'_, V> {
    fn slot_before(&mut self, address: Address, slot: U256) -> Result<U256, ViewError> {
        let key = StateKey::Slot(address, slot);
        self.overlay.slot_before(self.view, key)
    }
}

impl<V: View> Database for Session<'_, V> {
    type Error = ViewError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, ViewError> {
        let account = self.overlay.account(self.view, address)?;
        let legacy = self.overlay.legacy();
        Ok(account.map(|account| AccountInfo {
            nonce: legacy.map_or(account.nonce, |legacy| {
                legacy.nonce_before(&address, &account)
            }),
            balance: account.balance,
            code_hash: account.code_hash,
            code: None,
            account_id: None,
        }))
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, ViewError> {
        self.overlay.code(self.view, hash)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, ViewError> {
        self.overlay.slot(self.view, StateKey::Slot(address, slot))
    }

    /// revm asks only for the last 256 blocks; their hashes are in the history contract's storage
    /// (EIP-2935), so they are part of the state, synced and proved like the rest of it.
    fn block_hash(&mut self, number: u64) -> Result<B256, ViewError> {
        if let Some(legacy) = self.overlay.legacy() {
            return Ok(legacy.ancestor(number));
        }
        Ok(self.overlay.slot(self.view, history_slot(number))?.into())
    }
}

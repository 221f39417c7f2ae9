//! The contracts that a network has from block 0 on.

use alloy_primitives::{Address, Bytes, U256};
use contracts::{
    SystemContract,
    history::{HISTORY_ADDRESS, history_runtime_code},
    member::{Charter, CharterError},
};
use std::collections::BTreeMap;
use types::GenesisAccount;

/// The system contracts, with the first organizations in `Members`, and the history of block hashes (EIP-2935): for
/// [`types::ChainSpec::accounts`].
///
/// # Errors
/// What is wrong with the charter.
pub fn contracts(charter: &Charter) -> Result<BTreeMap<Address, GenesisAccount>, CharterError> {
    let contract = |code: Bytes, storage| GenesisAccount {
        // As EIP-161 creates contracts.
        nonce: 1,
        balance: U256::ZERO,
        code,
        storage,
    };
    let mut accounts: BTreeMap<_, _> = SystemContract::ALL
        .into_iter()
        .map(|system| {
            let account = contract(system.runtime_code(), BTreeMap::new());
            (system.address(), account)
        })
        .collect();
    let history = contract(history_runtime_code(), BTreeMap::new());
    accounts.insert(HISTORY_ADDRESS, history);
    let members = contract(SystemContract::Members.runtime_code(), charter.storage()?);
    accounts.insert(SystemContract::Members.address(), members);
    Ok(accounts)
}

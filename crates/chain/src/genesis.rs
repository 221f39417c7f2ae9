//! The contracts that a network has from block 0 on.

use alloy_primitives::{Address, Bytes, U256};
use contracts::{
    SystemContract,
    history::{HISTORY_ADDRESS, history_runtime_code},
    member::{Charter, CharterError, Policy},
    parameter::{OutOfBounds, Parameters},
    stake::BondingError,
};
use std::collections::BTreeMap;
use types::{GenesisAccount, Limits, Pacing};

/// Why a network cannot begin like this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FoundingError {
    /// No decision of the network could have led to these members.
    #[error(transparent)]
    Charter(#[from] CharterError),
    /// No decision of the network could have set this parameter.
    #[error(transparent)]
    Parameter(#[from] OutOfBounds),
    /// No bonds could have led to these first candidates.
    #[error(transparent)]
    Bonding(#[from] BondingError),
}

/// The parameters as a spec has them, without quotas.
pub fn parameters(limits: &Limits, pacing: &Pacing) -> Parameters {
    Parameters {
        block_gas: limits.block_gas,
        account_gas: Parameters::GAS_MAX,
        organization_gas: Parameters::GAS_MAX,
        idle_interval_ms: pacing.idle_interval_ms,
        block_gap_ms: pacing.min_gap_ms,
        settle_interval_ms: pacing.settle_interval_ms,
    }
}

/// The system contracts, with the first organizations in `Members`, what nodes do in `Parameters`, and in a bonded network the
/// first candidates and their bonds in `Stake`, and the history of block hashes (EIP-2935): for [`types::ChainSpec::accounts`].
///
/// # Errors
/// What is wrong with the charter, the parameters or the bonds.
pub fn contracts(
    charter: &Charter,
    parameters: &Parameters,
) -> Result<BTreeMap<Address, GenesisAccount>, FoundingError> {
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
    let mut store = |system: SystemContract, storage| {
        let account = contract(system.runtime_code(), storage);
        accounts.insert(system.address(), account);
    };
    store(SystemContract::Members, charter.storage()?);
    let mut parameters = parameters.storage()?;
    if let Policy::Bonded(bonding) = &charter.policy {
        store(SystemContract::Stake, bonding.storage(charter)?);
        parameters.extend(bonding.parameters());
    }
    store(SystemContract::Parameters, parameters);
    if let Policy::Bonded(bonding) = &charter.policy
        && let Some(stake) = accounts.get_mut(&SystemContract::Stake.address())
    {
        stake.balance = bonding.balance(charter);
    }
    Ok(accounts)
}

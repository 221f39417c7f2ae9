//! What can be said of a transaction before it meets a block.

use crate::{
    environment::Environment,
    transaction::{Invalid, tx_env},
};
use alloy_consensus::Transaction as _;
use alloy_primitives::U256;
use revm::{
    Context, MainBuilder as _, MainContext as _,
    context::{BlockEnv, CfgEnv},
    context_interface::result::EVMError,
    database_interface::EmptyDB,
    handler::{EthFrame, Handler as _, MainnetHandler},
};
use std::convert::Infallible;
use types::{Account, Transaction};

impl Environment {
    /// Checks whether a mempool should keep a transaction of a sender in this state: everything
    /// that will not change while it waits, and that the sender can pay for it today. A nonce
    /// ahead of the account's is fine, so is a fee cap below today's base fee.
    ///
    /// # Errors
    /// The reason it could not be executed.
    pub fn admit(&self, transaction: &Transaction, sender: &Account) -> Result<(), Invalid> {
        let mut cfg = self.cfg();
        cfg.disable_base_fee = true;
        intrinsic_gas(cfg, self.block(), transaction)?;
        let envelope = transaction.envelope();
        if envelope.nonce() < sender.nonce {
            return Err(Invalid::NonceTooLow {
                tx: envelope.nonce(),
                state: sender.nonce,
            });
        }
        let want = cost_max(transaction);
        if want > sender.balance {
            return Err(Invalid::InsufficientFunds {
                have: sender.balance,
                want,
            });
        }
        Ok(())
    }
}

/// Checks what depends on neither state nor the rest of the block, and says how much gas the
/// transaction needs before any is executed.
pub(crate) fn intrinsic_gas(
    cfg: CfgEnv,
    block: BlockEnv,
    transaction: &Transaction,
) -> Result<u64, Invalid> {
    let mut evm = Context::mainnet()
        .with_db(EmptyDB::new())
        .with_cfg(cfg)
        .with_block(block)
        .with_tx(tx_env(transaction))
        .build_mainnet();
    let handler = MainnetHandler::<_, EVMError<Infallible>, EthFrame>::default();
    let checked = handler
        .validate_env(&mut evm)
        .and_then(|()| handler.validate_initial_tx_gas(&mut evm));
    match checked {
        Ok(gas) => Ok(gas.initial_total_gas()),
        Err(EVMError::Transaction(reason)) => Err(reason.into()),
        Err(other) => Err(Invalid::Other(other.to_string())),
    }
}

/// What a transaction may cost its sender at most: all its gas at its fee cap, and its value. In wei.
pub fn cost_max(transaction: &Transaction) -> U256 {
    let envelope = transaction.envelope();
    U256::from(envelope.gas_limit())
        .saturating_mul(U256::from(envelope.max_fee_per_gas()))
        .saturating_add(envelope.value())
}

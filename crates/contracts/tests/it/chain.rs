//! A state with the system contracts in it, to which each call commits.

use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::SolCall;
use contracts::SystemContract;
use revm::{
    Context, ExecuteCommitEvm, MainBuilder, MainContext,
    bytecode::Bytecode,
    context::{TxEnv, result::ExecutionResult},
    database::InMemoryDB,
    primitives::{TxKind, hardfork::SpecId},
    state::AccountInfo,
};
use std::collections::HashMap;

/// EIP-7825.
pub const TRANSACTION_GAS_CAP: u64 = 16_777_216;
/// Height and time of every block.
pub const HEIGHT: u64 = 10;
pub const NOW: u64 = 1_800_000_000;

pub struct Chain {
    pub db: InMemoryDB,
    nonces: HashMap<Address, u64>,
}

impl Chain {
    pub fn new() -> Self {
        let mut db = InMemoryDB::default();
        for contract in SystemContract::ALL {
            let code = Bytecode::new_raw(contract.runtime_code());
            let info = AccountInfo::default().with_code(code).with_nonce(1);
            db.insert_account_info(contract.address(), info);
        }
        Self {
            db,
            nonces: HashMap::new(),
        }
    }

    pub fn send(&mut self, caller: Address, to: SystemContract, data: Bytes) -> ExecutionResult {
        self.pay(caller, to, U256::ZERO, data)
    }

    /// Sends a call as an accepted proposal does.
    pub fn decide<C: SolCall>(&mut self, contract: SystemContract, call: &C) -> ExecutionResult {
        let governance = SystemContract::Governance.address();
        // Here it is an account, which can send.
        let nonce = self.nonces.get(&governance).copied().unwrap_or_default();
        let account = AccountInfo::default().with_nonce(nonce);
        self.db.insert_account_info(governance, account);
        let result = self.send(governance, contract, call.abi_encode().into());
        assert!(result.is_success(), "{result:?}");
        result
    }

    pub fn pay(
        &mut self,
        caller: Address,
        to: SystemContract,
        value: U256,
        data: Bytes,
    ) -> ExecutionResult {
        let nonce = self.nonces.entry(caller).or_default();
        let tx = TxEnv::builder()
            .caller(caller)
            .nonce(*nonce)
            .kind(TxKind::Call(to.address()))
            .value(value)
            .data(data)
            .gas_limit(TRANSACTION_GAS_CAP)
            .build()
            .unwrap();
        *nonce += 1;
        let context = Context::mainnet()
            .modify_cfg_chained(|cfg| cfg.set_spec_and_mainnet_gas_params(SpecId::OSAKA))
            .modify_block_chained(|block| {
                block.number = U256::from(HEIGHT);
                block.timestamp = U256::from(NOW);
            })
            .with_db(&mut self.db);
        context.build_mainnet().transact_commit(tx).unwrap()
    }
}

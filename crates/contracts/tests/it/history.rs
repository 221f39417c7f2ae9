//! The history contract at work: the chain stores the parent's hash, a contract reads it back.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use contracts::history::{HISTORY_ADDRESS, HISTORY_WINDOW, SYSTEM_ADDRESS, history_runtime_code};
use revm::{
    Context, ExecuteCommitEvm, MainBuilder, MainContext, SystemCallCommitEvm,
    bytecode::Bytecode,
    context::{BlockEnv, TxEnv, result::ExecutionResult},
    database::InMemoryDB,
    primitives::{TxKind, hardfork::SpecId},
    state::AccountInfo,
};

fn state() -> InMemoryDB {
    let mut db = InMemoryDB::default();
    let code = Bytecode::new_raw(history_runtime_code());
    // Nonce 1, as the EIP's own deployment leaves it: an account without nonce, balance and code would count as empty.
    db.insert_account_info(
        HISTORY_ADDRESS,
        AccountInfo::default().with_nonce(1).with_code(code),
    );
    db
}

fn block(number: u64) -> BlockEnv {
    BlockEnv {
        number: U256::from(number),
        ..Default::default()
    }
}

/// Block `number` starts: its parent's hash is stored.
fn start(db: &mut InMemoryDB, number: u64, parent: B256) -> ExecutionResult {
    let context = Context::mainnet()
        .modify_cfg_chained(|cfg| cfg.set_spec_and_mainnet_gas_params(SpecId::OSAKA))
        .with_block(block(number))
        .with_db(db);
    let mut evm = context.build_mainnet();
    evm.system_call_with_caller_commit(SYSTEM_ADDRESS, HISTORY_ADDRESS, parent.0.into())
        .unwrap()
}

/// In block `number`, anybody asks for the hash of `wanted`.
fn ask(db: &mut InMemoryDB, number: u64, wanted: u64) -> Option<Bytes> {
    let caller = Address::with_last_byte(number as u8);
    let tx = TxEnv::builder()
        .caller(caller)
        .kind(TxKind::Call(HISTORY_ADDRESS))
        .data(U256::from(wanted).to_be_bytes_vec().into())
        .build()
        .unwrap();
    let context = Context::mainnet()
        .modify_cfg_chained(|cfg| {
            cfg.set_spec_and_mainnet_gas_params(SpecId::OSAKA);
            cfg.disable_nonce_check = true;
        })
        .with_block(block(number))
        .with_db(db);
    let result = context.build_mainnet().transact_commit(tx).unwrap();
    result
        .is_success()
        .then(|| result.into_output().unwrap_or_default())
}

#[test]
fn the_parents_hash_can_be_read_back() {
    let mut db = state();
    for number in 1..=3 {
        let result = start(&mut db, number, keccak256([number as u8 - 1]));
        assert!(result.is_success(), "{result:?}");
    }
    for number in 0..3 {
        assert_eq!(
            ask(&mut db, 3, number),
            Some(keccak256([number as u8]).0.into())
        );
    }
}

#[test]
fn the_current_block_and_those_before_the_window_are_refused() {
    let window = HISTORY_WINDOW as u64;
    let mut db = state();
    start(&mut db, window + 5, B256::repeat_byte(1));
    assert_eq!(ask(&mut db, window + 5, window + 5), None);
    assert_eq!(ask(&mut db, window + 5, 4), None);
    assert_eq!(ask(&mut db, window + 5, 5), Some(B256::ZERO.0.into()));
}

#[test]
fn the_contract_stands_where_the_eip_says() {
    assert_eq!(
        HISTORY_ADDRESS.to_string(),
        "0x0000F90827F1C53a10cb7A02335B175320002935"
    );
    assert_eq!(
        SYSTEM_ADDRESS.to_string(),
        "0xffffFFFfFFffffffffffffffFfFFFfffFFFfFFfE"
    );
}

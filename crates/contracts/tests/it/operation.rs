//! Operations as accounts sign them, brought to the contract itself, executed by revm.

use crate::chain::{Chain, NOW};
use alloy_primitives::{Address, B256, Bytes, Log, U256, address, hex};
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use alloy_sol_types::{SolCall, SolError as _, SolEvent as _};
use contracts::{
    SystemContract,
    abi::IOperations,
    operation::{
        self, ADDRESS, Event, Operation, Refusal, Signed, Status, delegation, encode_relay,
    },
};
use revm::{DatabaseRef as _, bytecode::Bytecode, state::AccountInfo};

const CHAIN: u64 = 1;
const RELAYER: Address = Address::repeat_byte(0xbb);

struct Account(PrivateKeySigner);

impl Account {
    fn new(number: u8) -> Self {
        Self(PrivateKeySigner::from_bytes(&B256::repeat_byte(number)).unwrap())
    }

    fn address(&self) -> Address {
        self.0.address()
    }

    /// Gives it the code, as an authorization does.
    fn delegate(&self, chain: &mut Chain) {
        let code = Bytecode::new_raw(delegation(ADDRESS));
        let info = AccountInfo::default().with_code(code).with_nonce(1);
        chain.db.insert_account_info(self.address(), info);
    }

    fn sign(&self, operation: Operation) -> Signed {
        let digest = operation.digest(CHAIN, self.address());
        let signature = self.0.sign_hash_sync(&digest).unwrap().as_bytes();
        Signed {
            account: self.address(),
            operation,
            signature: signature.into(),
        }
    }
}

/// Asks `Records` whose an account is: something to call that answers.
fn question(key: u8) -> Operation {
    let call = contracts::IRecords::organizationOfCall {
        account: Address::repeat_byte(7),
    };
    Operation {
        key: B256::repeat_byte(key),
        target: SystemContract::Records.address(),
        data: call.abi_encode().into(),
        gas: 100_000,
        deadline: NOW,
        ..Operation::default()
    }
}

fn relay(chain: &mut Chain, operations: Vec<Signed>) -> Vec<Event> {
    let result = chain.send(
        RELAYER,
        SystemContract::Operations,
        encode_relay(operations),
    );
    assert!(result.is_success(), "{result:?}");
    let logs = result.logs().iter();
    logs.map(|log| Event::decode(log, ADDRESS).unwrap())
        .collect()
}

#[test]
fn what_is_signed_here_runs_there_and_is_told() {
    let mut chain = Chain::new();
    let account = Account::new(1);
    account.delegate(&mut chain);
    let first = account.sign(question(1));
    let key = first.operation.key;
    let events = relay(&mut chain, vec![first.clone()]);
    let ran = Event::Executed {
        account: account.address(),
        key,
        call: first.operation.call(),
        succeeded: true,
        result: Bytes::copy_from_slice(Address::repeat_byte(7).into_word().as_slice()),
    };
    assert_eq!(events, [ran]);
    let kept = chain
        .db
        .storage_ref(account.address(), operation::slot(key).into());
    let kept = B256::from(kept.unwrap());
    assert_eq!(kept[..31], first.operation.call()[..31]);
    assert_eq!(Status::decode(kept[31]), Some(Status::Succeeded));

    let again = relay(&mut chain, vec![first]);
    let repeated = Event::Repeated {
        account: account.address(),
        key,
        status: Status::Succeeded,
    };
    assert_eq!(again, [repeated]);
}

#[test]
fn every_refusal_is_read() {
    let mut chain = Chain::new();
    let (account, stranger) = (Account::new(1), Account::new(2));
    account.delegate(&mut chain);
    relay(&mut chain, vec![account.sign(question(1))]);
    let taken = Operation {
        data: Bytes::new(),
        ..question(1)
    };
    let late = Operation {
        deadline: NOW - 1,
        ..question(2)
    };
    let early = Operation {
        follows: B256::repeat_byte(9),
        ..question(3)
    };
    let greedy = Operation {
        gas: 1 << 40,
        ..question(4)
    };
    let mut forged = account.sign(question(5));
    forged.operation.value = U256::ONE;
    let zero = question(0);
    let brought = vec![
        stranger.sign(question(1)),
        account.sign(taken),
        account.sign(late),
        account.sign(early),
        account.sign(greedy),
        forged,
        account.sign(zero),
    ];
    let told = relay(&mut chain, brought);
    let reasons: Vec<_> = told
        .into_iter()
        .map(|event| match event {
            Event::Refused { reason, .. } => reason,
            other => panic!("{other:?}"),
        })
        .collect();
    let zero = IOperations::ZeroKey {};
    let expected = [
        Refusal::NotDelegated,
        Refusal::KeyTaken(Status::Succeeded),
        Refusal::Expired,
        Refusal::TooEarly(B256::repeat_byte(9)),
        Refusal::NotEnoughGas,
        Refusal::InvalidSignature,
        Refusal::Other(zero.abi_encode().into()),
    ];
    assert_eq!(reasons, expected);
}

#[test]
fn a_revert_is_told_with_its_reason() {
    let mut chain = Chain::new();
    let account = Account::new(1);
    account.delegate(&mut chain);
    // Reverts with Error("no"), as no contract of ours does.
    let code = Bytes::from_static(&hex!(
        "7f08c379a000000000000000000000000000000000000000000000000000000000600052602060045260026024527f6e6f00000000000000000000000000000000000000000000000000000000000060445260646000fd"
    ));
    let target = address!("0x00000000000000000000000000000000000000ff");
    let info = AccountInfo::default().with_code(Bytecode::new_raw(code));
    chain.db.insert_account_info(target, info);
    let operation = Operation {
        target,
        ..question(1)
    };
    let told = relay(&mut chain, vec![account.sign(operation)]);
    let [
        Event::Executed {
            succeeded: false,
            result,
            ..
        },
    ] = told.as_slice()
    else {
        panic!("{told:?}");
    };
    assert_eq!(
        operation::revert_reason(result).as_deref(),
        Some("revert: no")
    );
}

#[test]
fn what_others_say_is_not_believed() {
    let refused = IOperations::Refused {
        account: RELAYER,
        key: B256::ZERO,
        reason: Bytes::new(),
    };
    let log = Log {
        address: RELAYER,
        data: refused.encode_log_data(),
    };
    assert_eq!(Event::decode(&log, ADDRESS), None);
}

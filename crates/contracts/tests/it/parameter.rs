//! What genesis writes into `Parameters`, against the contract itself, executed by revm.

use crate::chain::Chain;
use alloy_primitives::{Address, U256};
use alloy_sol_types::{SolCall, sol};
use contracts::{
    SystemContract,
    governance::Parameter,
    parameter::{OutOfBounds, Parameters},
};
use revm::Database as _;

sol! {
    interface IParameters {
        struct Bounds { uint256 least; uint256 greatest; uint256 initial; }
        function valueOf(uint8 parameter) external view returns (uint256);
        function boundsOf(uint8 parameter) external view returns (Bounds memory);
    }
}

fn ask<C: SolCall>(chain: &mut Chain, call: C) -> C::Return {
    let data = call.abi_encode().into();
    let result = chain.send(Address::repeat_byte(0xee), SystemContract::Parameters, data);
    C::abi_decode_returns(result.output().unwrap()).unwrap()
}

/// The parameters with these values, in the order of their numbers.
fn with(values: [U256; 6]) -> Parameters {
    Parameters::from_slots(values)
}

#[test]
fn genesis_writes_what_the_contract_reads() {
    let mut chain = Chain::new();
    let values = [40_000_000, 20_000_000, 30_000_000, 200, 7, 60].map(U256::from);
    for (slot, value) in with(values).storage().unwrap() {
        let contract = SystemContract::Parameters.address();
        chain
            .db
            .insert_account_storage(contract, slot, value)
            .unwrap();
    }
    for (parameter, value) in (0..).zip(values) {
        assert_eq!(
            ask(&mut chain, IParameters::valueOfCall { parameter }),
            value
        );
    }
    let read = Parameters::SLOTS.map(|(account, slot)| chain.db.storage(account, slot).unwrap());
    assert_eq!(with(read), with(values));
}

#[test]
fn bounds_are_those_of_the_contract() {
    let mut chain = Chain::new();
    let bounds: Vec<_> = (0..6)
        .map(|parameter| ask(&mut chain, IParameters::boundsOfCall { parameter }))
        .collect();
    let initial: [U256; 6] = std::array::from_fn(|at| bounds[at].initial);
    assert!(with(initial).storage().is_ok());
    for (at, bounds) in bounds.iter().enumerate() {
        let storage = |value| {
            let mut values = initial;
            values[at] = value;
            with(values).storage()
        };
        assert!(storage(bounds.least).is_ok() && storage(bounds.greatest).is_ok());
        for value in [bounds.least - U256::ONE, bounds.greatest + U256::ONE] {
            let refused = OutOfBounds {
                value: value.to(),
                least: bounds.least.to(),
                greatest: bounds.greatest.to(),
                parameter: Parameter::ALL[at],
            };
            assert_eq!(storage(value), Err(refused), "parameter {at}");
        }
    }
}

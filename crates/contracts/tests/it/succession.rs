//! Where the contract keeps a network's end, and what the rule says then, against the contract itself, executed by revm.

use crate::{
    chain::{Chain, HEIGHT},
    member,
};
use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::SolEvent;
use contracts::{
    SystemContract,
    abi::ISuccession,
    permission::Denied,
    succession::{ADDRESS, CLOSED_AT, slots},
};
use revm::Database as _;

fn slot(chain: &mut Chain, slot: U256) -> U256 {
    chain.db.storage(ADDRESS, slot).unwrap()
}

#[test]
fn a_closed_network_only_governs() {
    let mut chain = member::founded(&member::charter());
    let [member, stranger] = [1, 0x99].map(Address::repeat_byte);
    let governance = SystemContract::Governance.address();
    let business = [
        None,
        Some(Address::repeat_byte(0x42)),
        Some(SystemContract::Records.address()),
    ];
    chain.decide(SystemContract::Succession, &ISuccession::closeCall {});
    assert_eq!(slot(&mut chain, CLOSED_AT), U256::from(HEIGHT));
    for to in business {
        assert_eq!(chain.admits(member, to), Err(Denied::Closed));
    }
    assert_eq!(chain.admits(member, Some(governance)), Ok(()));
    let strange = Err(Denied::Stranger(stranger));
    assert_eq!(chain.admits(stranger, Some(governance)), strange);
    chain.decide(SystemContract::Succession, &ISuccession::reopenCall {});
    for to in business {
        assert_eq!(chain.admits(member, to), Ok(()));
    }
}

#[test]
fn all_that_is_written_is_among_the_slots() {
    let mut chain = Chain::new();
    chain.decide(SystemContract::Succession, &ISuccession::closeCall {});
    let event = ISuccession::SuccessorNamed {
        identity: [0xbf; 96].into(),
        chainId: U256::from(7),
        genesis: B256::repeat_byte(9),
    };
    let named = chain.decide(
        SystemContract::Succession,
        &ISuccession::nameSuccessorCall {
            identity: event.identity.clone(),
            chainId: event.chainId,
            genesis: event.genesis,
        },
    );
    let [log] = named.logs() else {
        panic!("{named:?}");
    };
    assert_eq!(
        ISuccession::SuccessorNamed::decode_log_data(&log.data),
        Ok(event)
    );
    let account = chain.db.cache.accounts.get(&ADDRESS).unwrap();
    let written: Vec<_> = account.storage.keys().copied().collect();
    assert_eq!(written.len(), slots().len());
    assert!(written.iter().all(|slot| slots().contains(slot)));
    assert!(slots().iter().all(|slot| !account.storage[slot].is_zero()));
}

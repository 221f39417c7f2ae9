use super::*;
use alloy_consensus::EMPTY_OMMER_ROOT_HASH;
use alloy_primitives::{B256, Bytes};

/// A parent and a good child under the rules of a fork.
fn pair(fork: Fork) -> (Header, Header) {
    let parent = Header {
        number: 7,
        timestamp: 1000,
        gas_limit: 10_000_000,
        gas_used: 5_000_000,
        difficulty: U256::from(if fork >= Fork::Paris { 0 } else { 2_048_000 }),
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        base_fee_per_gas: (fork >= Fork::London).then_some(1000),
        excess_blob_gas: (fork >= Fork::Cancun).then_some(0),
        blob_gas_used: (fork >= Fork::Cancun).then_some(0),
        ..Header::default()
    };
    let child = Header {
        number: 8,
        timestamp: 1012,
        difficulty: if fork >= Fork::Paris {
            U256::ZERO
        } else {
            difficulty(fork, 1012, &parent)
        },
        withdrawals_root: (fork >= Fork::Shanghai).then_some(B256::ZERO),
        parent_beacon_block_root: (fork >= Fork::Cancun).then_some(B256::ZERO),
        requests_hash: (fork >= Fork::Prague).then_some(B256::ZERO),
        ..parent.clone()
    };
    (parent, child)
}

fn verdict(fork: Fork, tamper: impl Fn(&mut Header)) -> Result<(), Refusal> {
    let network = Network::parse("London").unwrap();
    let (parent, mut child) = pair(fork);
    tamper(&mut child);
    check(&network, fork, &child, &parent)
}

const FORKS: [Fork; 8] = [
    Fork::Frontier,
    Fork::Homestead,
    Fork::Byzantium,
    Fork::London,
    Fork::Paris,
    Fork::Shanghai,
    Fork::Cancun,
    Fork::Osaka,
];

#[test]
fn a_good_child_passes_in_every_fork() {
    for fork in FORKS {
        assert_eq!(verdict(fork, |_| {}), Ok(()), "{fork:?}");
    }
}

#[test]
fn each_rule_refuses_for_its_own_reason() {
    for fork in FORKS {
        let name = |tamper: fn(&mut Header)| verdict(fork, tamper).unwrap_err();
        assert!(matches!(name(|h| h.number = 9), Refusal::Number { .. }));
        assert!(matches!(
            name(|h| h.timestamp = 1000),
            Refusal::Timestamp { .. }
        ));
        assert!(matches!(
            name(|h| h.extra_data = Bytes::from(vec![0; 33])),
            Refusal::ExtraData(33)
        ));
        assert!(matches!(
            name(|h| h.difficulty += U256::ONE),
            Refusal::Difficulty { .. }
        ));
        // 10,000,000 / 1024 = 9765: one less is allowed, itself is not.
        assert!(matches!(
            name(|h| h.gas_limit = 10_009_765),
            Refusal::GasLimit { .. }
        ));
        assert_eq!(verdict(fork, |h| h.gas_limit = 10_009_764), Ok(()));
        assert!(matches!(
            name(|h| h.gas_limit = 1 << 63),
            Refusal::GasLimitHuge(_)
        ));
        assert!(matches!(
            name(|h| h.gas_used = 10_000_001),
            Refusal::GasUsedAboveLimit { .. }
        ));
        assert!(matches!(
            name(|h| h.requests_hash = match h.requests_hash {
                Some(_) => None,
                None => Some(B256::ZERO),
            }),
            Refusal::Field("requestsHash")
        ));
    }
}

#[test]
fn fee_and_blob_rules_begin_with_their_forks() {
    let fee = verdict(Fork::London, |h| h.base_fee_per_gas = Some(1001));
    assert_eq!(
        fee,
        Err(Refusal::BaseFee {
            have: 1001,
            want: 1000
        })
    );
    let nonce = verdict(Fork::Paris, |h| h.nonce = B64::with_last_byte(1));
    assert_eq!(nonce, Err(Refusal::Nonce));
    let excess = verdict(Fork::Cancun, |h| h.excess_blob_gas = Some(1));
    assert_eq!(excess, Err(Refusal::ExcessBlobGas { have: 1, want: 0 }));
    let blobs = verdict(Fork::Cancun, |h| h.blob_gas_used = Some(7 * 131_072));
    assert!(matches!(blobs, Err(Refusal::BlobGasAboveLimit { .. })));
    // Prague and Osaka allow nine.
    assert_eq!(
        verdict(Fork::Osaka, |h| h.blob_gas_used = Some(9 * 131_072)),
        Ok(())
    );
}

#[test]
fn london_doubles_the_gas_limit_and_sets_the_fee_once() {
    let network = Network::parse("BerlinToLondonAt5").unwrap();
    let (parent, _) = pair(Fork::Berlin);
    let (_, mut child) = pair(Fork::London);
    child.gas_limit = 20_000_000;
    child.base_fee_per_gas = Some(BASE_FEE_INITIAL);
    assert_eq!(check(&network, Fork::London, &child, &parent), Ok(()));
    child.gas_limit = 10_000_000;
    let refused = check(&network, Fork::London, &child, &parent);
    assert!(matches!(refused, Err(Refusal::GasLimit { .. })));
}

#[test]
fn the_first_ten_blocks_of_the_dao_fork_say_so() {
    let network = Network::parse("HomesteadToDaoAt5").unwrap();
    let (parent, mut child) = pair(Fork::Dao);
    let refused = check(&network, Fork::Dao, &child, &parent);
    assert_eq!(refused, Err(Refusal::DaoExtraData));
    child.extra_data = Bytes::from_static(dao::EXTRA_DATA);
    assert_eq!(check(&network, Fork::Dao, &child, &parent), Ok(()));
}

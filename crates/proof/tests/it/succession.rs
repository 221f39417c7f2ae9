//! Following networks from one to the next, and what is no such step.

use crate::chain::{Log, Scenario, TestNetwork, log};
use alloy_primitives::{Address, B256, FixedBytes, U256, keccak256};
use proof::{
    Failure, Lineage, Network, Receipt, SUCCESSION, Step, Succession, SuccessionError, verify,
};

fn named(network: &TestNetwork) -> Network {
    Network {
        chain_id: network.chain_id,
        genesis: network.genesis,
        identity: network.identity(),
    }
}

/// The event, encoded anew.
fn names(successor: &Network) -> Log {
    let word = |number: u64| U256::from(number).to_be_bytes_vec();
    let data = [
        word(0x60),
        word(successor.chain_id),
        successor.genesis.to_vec(),
        word(96),
        successor.identity.to_vec(),
    ];
    let topic = keccak256("SuccessorNamed(bytes,uint256,bytes32)");
    log(SUCCESSION, vec![topic], data.concat())
}

fn block(network: &str, logs_before: Vec<Log>) -> Scenario {
    Scenario {
        network: TestNetwork::new(network),
        logs_before,
        ..Scenario::default()
    }
}

/// The receipt in which one network names another.
fn step(from: &str, to: &str) -> Receipt {
    let successor = named(&TestNetwork::new(to));
    block(from, vec![names(&successor)]).plain()
}

#[test]
fn trust_goes_from_network_to_network() {
    let [first, second, third] = ["a", "b", "c"].map(|name| named(&TestNetwork::new(name)));
    let mut lineage = Lineage::new(first.identity);
    let last = block("c", Vec::new()).receipt();
    let foreign = |lineage: &Lineage| {
        let failed = verify(&last, Some(&lineage.pin(&last.network))).unwrap_err();
        assert_eq!(failed.step(), Step::Identity);
    };
    foreign(&lineage);
    let followed = lineage.follow(&step("a", "b")).unwrap();
    let Succession {
        predecessor,
        successor,
        block,
    } = followed;
    assert_eq!((predecessor, successor), (&first, &second));
    assert_eq!(block.height, 9);
    foreign(&lineage);
    assert_eq!(lineage.follow(&step("b", "c")).unwrap().successor, third);
    let verdict = verify(&last, Some(&lineage.pin(&last.network))).unwrap();
    assert!(verdict.pinned && verdict.identity == third.identity);
    // What is of the first or of the second holds as before.
    for network in [&first, &second] {
        assert_eq!(lineage.pin(network), network.identity);
    }
    // The identity alone is not the network.
    let same_key = Network {
        genesis: B256::repeat_byte(1),
        ..third
    };
    assert_eq!(lineage.pin(&same_key), first.identity);
    assert_eq!(lineage.successions().len(), 2);
}

#[test]
fn steps_are_made_in_order_and_by_the_last_network_only() {
    let first = TestNetwork::new("a").identity();
    let mut lineage = Lineage::new(first);
    let foreign = lineage.follow(&step("b", "c")).unwrap_err();
    assert!(matches!(
        &foreign,
        SuccessionError::Receipt(Failure::Identity(_))
    ));
    lineage.follow(&step("a", "b")).unwrap();
    let again = lineage.follow(&step("a", "b")).unwrap_err();
    assert!(matches!(&again, SuccessionError::Other { .. }), "{again}");
    assert_eq!(lineage.successions().len(), 1);
}

#[test]
fn what_names_no_successor_leads_nowhere() {
    let identity = TestNetwork::new("a").identity();
    let check = |receipt: &Receipt| Succession::verify(receipt, &identity).map(drop);
    let good = names(&named(&TestNetwork::new("b")));
    assert_eq!(check(&block("a", vec![good.clone()]).plain()), Ok(()));
    // Beside a record it counts as well.
    assert_eq!(check(&block("a", vec![good.clone()]).receipt()), Ok(()));
    let edited = |edit: &dyn Fn(&mut Log)| {
        let mut log = good.clone();
        edit(&mut log);
        check(&block("a", vec![log]).plain())
    };
    let data = |edit: &dyn Fn(&mut Vec<u8>)| {
        edited(&|log| {
            let mut bytes = log.data.data.to_vec();
            edit(&mut bytes);
            log.data.data = bytes.into();
        })
    };
    assert_eq!(
        edited(&|log| log.address = Address::repeat_byte(9)),
        Err(SuccessionError::NotNamed)
    );
    assert_eq!(
        edited(&|log| log.data.topics_mut_unchecked()[0] = B256::ZERO),
        Err(SuccessionError::NotNamed)
    );
    assert_eq!(
        edited(&|log| log.data.topics_mut_unchecked().push(B256::ZERO)),
        Err(SuccessionError::NotNamed)
    );
    let event = Err(SuccessionError::Event);
    assert_eq!(data(&|bytes| bytes.push(0)), event);
    assert_eq!(data(&|bytes| bytes.truncate(223)), event);
    assert_eq!(data(&|bytes| bytes[31] = 0x40), event);
    assert_eq!(data(&|bytes| bytes[127] = 95), event);
    assert_eq!(data(&|bytes| bytes[32] = 1), event);
    let failed = Scenario {
        succeeded: false,
        ..block("a", vec![good.clone()])
    };
    assert_eq!(check(&failed.plain()), Err(SuccessionError::NotNamed));
    assert_eq!(
        check(&block("a", Vec::new()).plain()),
        Err(SuccessionError::NotNamed)
    );
    let mut forged = block("a", vec![good]).plain();
    forged.finalization.signature = FixedBytes::repeat_byte(0x11);
    let refused = check(&forged).unwrap_err();
    assert!(
        matches!(&refused, SuccessionError::Receipt(failure) if failure.step() == Step::Finalization)
    );
}

#[test]
fn there_is_an_end_to_following() {
    let mut lineage = Lineage::new(TestNetwork::new("0").identity());
    for number in 0..proof::succession::SUCCESSIONS_MAX {
        let receipt = step(&number.to_string(), &(number + 1).to_string());
        lineage.follow(&receipt).unwrap();
    }
    assert_eq!(
        lineage.follow(&step("64", "65")),
        Err(SuccessionError::TooMany)
    );
}

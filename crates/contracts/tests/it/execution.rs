//! The genesis code of `Records`, executed by revm on the chain's fork, against the Rust model of the same rules.

use crate::chain::{Chain, TRANSACTION_GAS_CAP};
use alloy_primitives::{Address, B256, Bytes, Log, U256, keccak256};
use alloy_sol_types::{SolCall, SolInterface};
use contracts::{
    Entry, Event,
    IRecords::{self, IRecordsErrors},
    MAX_BATCH, RECORDS_ADDRESS, Recorded, SystemContract, batch_root, commitment_slot,
    encode_record, leaf, organization_of, record_id,
};
use proptest::{collection::vec, prelude::*};
use revm::context::result::ExecutionResult;
use std::collections::HashMap;

impl Chain {
    fn call(&mut self, caller: Address, data: Bytes) -> ExecutionResult {
        self.send(caller, SystemContract::Records, data)
    }

    /// The events of a call that must succeed.
    fn record(&mut self, caller: Address, entries: &[Entry]) -> Vec<Event> {
        let result = self.call(caller, encode_record(entries).unwrap());
        assert!(result.is_success(), "{result:?}");
        result.logs().iter().map(event).collect()
    }

    fn commitment_in_storage(&mut self, id: B256) -> B256 {
        let slot = commitment_slot(id).into();
        let account = self.db.load_account(RECORDS_ADDRESS).unwrap();
        account
            .storage
            .get(&slot)
            .copied()
            .unwrap_or_default()
            .into()
    }
}

fn event(log: &Log) -> Event {
    Event::decode(log)
        .unwrap()
        .expect("Records emits its own events only")
}

/// The rules of `IRecords`, on a map.
#[derive(Default)]
struct Model {
    commitments: HashMap<B256, B256>,
}

impl Model {
    fn record(&mut self, caller: Address, entries: &[Entry]) -> Vec<Event> {
        let organization = organization_of(caller);
        let mut events = Vec::new();
        let mut leaves = Vec::new();
        let mut claimed = vec![0; entries.len().div_ceil(8)];
        for (index, Entry { key, commitment }) in entries.iter().enumerate() {
            let id = record_id(organization, *key);
            let recorded = *self.commitments.entry(id).or_insert_with(|| {
                leaves.push(leaf(id, *commitment));
                claimed[index / 8] |= 1 << (index % 8);
                *commitment
            });
            if recorded != *commitment {
                let attempted = *commitment;
                events.push(Event::Conflicted(IRecords::Conflicted {
                    organization,
                    id,
                    recorded,
                    attempted,
                }));
            }
        }
        if let Some(root) = batch_root(&leaves) {
            let claimed = if leaves.len() == entries.len() {
                Bytes::new()
            } else {
                claimed.into()
            };
            events.push(Event::Recorded(Recorded {
                organization,
                root,
                count: leaves.len(),
                claimed,
            }));
        }
        events
    }
}

/// Two organizations, each sending several batches drawn from so few keys and commitments that repetitions and conflicts
/// are common; now and then a key of its own, so that large trees occur too.
fn batches() -> impl Strategy<Value = Vec<(bool, Vec<(u16, u8)>)>> {
    let entry = (prop_oneof![0_u16..40, any::<u16>()], 0_u8..3);
    let batch = prop_oneof![vec(entry.clone(), 1..30), vec(entry, 1..=MAX_BATCH)];
    vec((any::<bool>(), batch), 1..6)
}

fn entry((key, commitment): (u16, u8)) -> Entry {
    Entry {
        key: keccak256(key.to_be_bytes()),
        commitment: keccak256([commitment]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_batches_agree_with_the_model(batches in batches()) {
        let mut chain = Chain::new();
        let mut model = Model::default();
        for (first, batch) in batches {
            let caller = Address::repeat_byte(if first { 0xa1 } else { 0xb0 });
            let entries: Vec<Entry> = batch.into_iter().map(entry).collect();
            let expected = model.record(caller, &entries);
            prop_assert_eq!(chain.record(caller, &entries), expected);
        }
        for (id, commitment) in model.commitments {
            prop_assert_eq!(chain.commitment_in_storage(id), commitment);
        }
    }
}

#[test]
fn a_full_batch_fits_the_transaction_gas_cap() {
    let entries: Vec<Entry> = (0..MAX_BATCH as u16)
        .map(|index| entry((index, 0)))
        .collect();
    let result = Chain::new().call(Address::repeat_byte(0xa1), encode_record(&entries).unwrap());
    assert!(result.is_success(), "{result:?}");
    assert!(
        result.tx_gas_used() < TRANSACTION_GAS_CAP * 3 / 4,
        "used {}",
        result.tx_gas_used()
    );
}

#[test]
fn a_malformed_batch_reverts_with_its_error() {
    let call = |keys: usize, commitments: usize| {
        let call = IRecords::recordCall {
            keys: vec![B256::repeat_byte(1); keys],
            commitments: vec![B256::repeat_byte(2); commitments],
        };
        let result = Chain::new().call(Address::repeat_byte(0xa1), call.abi_encode().into());
        let ExecutionResult::Revert { output, .. } = result else {
            panic!("{result:?}")
        };
        IRecordsErrors::abi_decode(&output).unwrap()
    };
    let number = |value: u16| U256::from(value);

    let too_large = IRecords::BatchTooLarge {
        size: number(513),
        limit: number(512),
    };
    let mismatch = IRecords::LengthMismatch {
        keys: number(3),
        commitments: number(2),
    };
    assert_eq!(
        call(0, 0),
        IRecordsErrors::EmptyBatch(IRecords::EmptyBatch {})
    );
    assert_eq!(call(513, 513), IRecordsErrors::BatchTooLarge(too_large));
    assert_eq!(call(3, 2), IRecordsErrors::LengthMismatch(mismatch));
}

#[test]
fn views_answer_as_the_rust_helpers_do() {
    let caller = Address::repeat_byte(0xa1);
    let organization = organization_of(caller);
    let Entry { key, commitment } = entry((7, 1));
    let id = record_id(organization, key);
    let mut chain = Chain::new();
    chain.record(caller, &[Entry { key, commitment }]);

    let mut view = |data: Vec<u8>| {
        let result = chain.call(Address::repeat_byte(0xb0), data.into());
        B256::from_slice(result.output().unwrap())
    };
    assert_eq!(
        view(IRecords::commitmentOfCall { id }.abi_encode()),
        commitment
    );
    assert_eq!(
        view(IRecords::idOfCall { organization, key }.abi_encode()),
        id
    );
    assert_eq!(
        view(IRecords::organizationOfCall { account: caller }.abi_encode()),
        organization
    );
}

//! What genesis writes into `Stake`, and the order in which candidates validate, against the contract itself, executed by revm.

use crate::{
    chain::{Chain, NOW},
    member::{charter, founded},
};
use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::SolCall;
use contracts::{
    SystemContract,
    abi::{IParameters, IStake},
    governance::{Parameter, refusal},
    member::{Charter, Founder, Policy},
    stake::{self, Bonding, BondingError, Candidate},
};
use proptest::{collection::btree_map, prelude::*};
use revm::{Database as _, state::AccountInfo};

const STAKE: SystemContract = SystemContract::Stake;
const ETHER: u128 = stake::MINIMUM;

fn bonded(bonding: Bonding) -> Charter {
    Charter {
        policy: Policy::Bonded(bonding),
        ..charter()
    }
}

/// A network with bonds, where everybody who is asked for has money.
fn begun(bonding: &Bonding, rich: &[Address]) -> Chain {
    let charter = bonded(*bonding);
    let mut chain = founded(&charter);
    let mut slots = bonding.storage(&charter).unwrap();
    for (slot, value) in std::mem::take(&mut slots) {
        assert!(!value.is_zero());
        chain.put(STAKE, slot, value);
    }
    for (slot, value) in bonding.parameters() {
        chain.put(SystemContract::Parameters, slot, value);
    }
    chain.fund(STAKE.address(), bonding.balance(&charter));
    for account in rich {
        chain.fund(*account, U256::from(1_000 * ETHER));
    }
    chain
}

impl Chain {
    fn put(&mut self, contract: SystemContract, slot: U256, value: U256) {
        let address = contract.address();
        self.db
            .insert_account_storage(address, slot, value)
            .unwrap();
    }

    fn fund(&mut self, account: Address, balance: U256) {
        let info = self.db.basic(account).unwrap().unwrap_or_default();
        self.db
            .insert_account_info(account, AccountInfo { balance, ..info });
    }

    fn stake<C: SolCall>(&mut self, call: C) -> C::Return {
        let data = call.abi_encode().into();
        let result = self.send(Address::repeat_byte(0xee), STAKE, data);
        C::abi_decode_returns(result.output().unwrap()).unwrap()
    }

    /// Does something with bonds; gives the contract's words if it refuses.
    fn act<C: SolCall>(&mut self, who: Address, value: u128, call: C) -> Result<(), String> {
        let data = call.abi_encode().into();
        let result = self.pay(who, STAKE, U256::from(value), data);
        if result.is_success() {
            return Ok(());
        }
        Err(refusal(STAKE, result.output().unwrap()).unwrap())
    }

    fn read(&mut self, contract: SystemContract, slot: U256) -> U256 {
        self.db.storage(contract.address(), slot).unwrap()
    }

    /// What a node reads: the candidates that validate.
    fn elected(&mut self) -> Vec<B256> {
        let seats = self.read(SystemContract::Parameters, stake::SEATS);
        let keys = self.stored().into_iter().map(|candidate| candidate.key);
        keys.take(stake::seats(seats)).collect()
    }

    /// What a node reads: all candidates in order.
    fn stored(&mut self) -> Vec<Candidate> {
        let count: u64 = self.read(STAKE, stake::CANDIDATES).to();
        let mut candidates = Vec::new();
        for place in 0..count {
            let slots = Candidate::slots(place).map(|slot| self.read(STAKE, slot));
            candidates.push(Candidate::from_slots(slots));
        }
        stake::ranked(candidates)
    }
}

fn owner(number: u8) -> Address {
    Address::repeat_byte(number)
}

#[test]
fn what_genesis_writes_is_what_the_contract_reads() {
    let bonding = Bonding {
        bond: 3 * ETHER,
        seats: 7,
        unbonding: 2 * 86_400,
        minimum: 2 * ETHER,
    };
    let mut chain = begun(&bonding, &[owner(9)]);
    let candidates = chain.stake(IStake::candidatesCall {});
    assert_eq!(candidates.len(), 4);
    let mut keys = Vec::new();
    for candidate in &candidates {
        assert_eq!(candidate.bond, U256::from(3 * ETHER));
        let key = candidate.key;
        assert_eq!(chain.stake(IStake::candidateAtCall { key }), *candidate);
        keys.push(key);
    }
    // Of two organizations, three validators of one and one of the other, each its administrator's.
    let of = |account| {
        candidates
            .iter()
            .filter(|each| each.owner == account)
            .count()
    };
    assert_eq!((of(owner(2)), of(owner(1))), (3, 1));
    keys.sort();
    assert_eq!(chain.stake(IStake::validatorsCall {}), keys);
    assert_eq!(chain.elected(), keys);
    let totals = chain.stake(IStake::totalsCall {});
    assert_eq!(totals.bonded, U256::from(12 * ETHER));
    assert!(totals.unbonding.is_zero());
    let held = chain.db.basic(STAKE.address()).unwrap().unwrap();
    assert_eq!(held.balance, totals.bonded);
    for (parameter, value) in [
        (Parameter::StakeValidators, 7),
        (Parameter::StakeMinimum, 2 * ETHER),
        (Parameter::UnbondingPeriod, 2 * 86_400),
    ] {
        let call = IParameters::valueOfCall {
            parameter: parameter as u8,
        };
        let result = chain.send(
            owner(9),
            SystemContract::Parameters,
            call.abi_encode().into(),
        );
        let read = IParameters::valueOfCall::abi_decode_returns(result.output().unwrap()).unwrap();
        assert_eq!(read, U256::from(value), "{parameter}");
    }
}

#[test]
fn the_contract_goes_on_from_what_genesis_wrote() {
    let mut chain = begun(&Bonding::default(), &[owner(9), owner(2)]);
    let newcomer = B256::repeat_byte(0x11);
    let first = chain.elected()[0];
    let bond = |key| IStake::bondCall { key };
    let unbond = |key, amount: u128| IStake::unbondCall {
        key,
        amount: U256::from(amount),
    };
    let four = "TooFewCandidates { left: 3, floor: 4 }";
    let last = chain.act(owner(2), 0, unbond(first, ETHER));
    assert!(last.is_err(), "not its own, or the last four: {last:?}");
    let own = chain
        .stored()
        .into_iter()
        .find(|each| each.owner == owner(2));
    let own = own.unwrap().key;
    assert_eq!(
        chain.act(owner(2), 0, unbond(own, ETHER)),
        Err(four.to_owned())
    );
    for (who, value, key, words) in [
        (9, ETHER - 1, newcomer, "BondTooLow"),
        (9, 0, newcomer, "ZeroAmount"),
        (9, ETHER, B256::ZERO, "ZeroKey"),
        (9, ETHER, own, "NotOwner"),
    ] {
        let said = chain.act(owner(who), value, bond(key)).unwrap_err();
        assert!(said.starts_with(words), "{said}");
    }
    chain.act(owner(9), 2 * ETHER, bond(newcomer)).unwrap();
    assert_eq!(chain.elected()[0], newcomer);
    assert_eq!(chain.elected(), chain.stake(IStake::validatorsCall {}));
    // One of those that genesis wrote leaves, with all that genesis wrote of it.
    chain.act(owner(2), 0, unbond(own, ETHER)).unwrap();
    assert_eq!(chain.elected().len(), 4);
    assert!(!chain.elected().contains(&own));
    let call = IStake::unbondingOfCall { account: owner(2) };
    let held = chain.stake(call);
    assert_eq!(held.amount, U256::from(ETHER));
    assert_eq!(held.releasedAt, U256::from(NOW + 14 * 86_400));
    let early = chain.act(owner(2), 0, IStake::withdrawCall {}).unwrap_err();
    assert!(early.starts_with("TooEarly"), "{early}");
}

#[test]
fn a_network_of_members_takes_no_bonds() {
    let mut chain = founded(&charter());
    chain.fund(owner(9), U256::from(ETHER));
    let call = IStake::bondCall {
        key: B256::repeat_byte(1),
    };
    let said = chain.act(owner(9), ETHER, call);
    assert_eq!(said, Err("NotBonded".to_owned()));
}

#[test]
fn bonds_that_nobody_could_have_made_are_refused() {
    let check = |dev: bool, bonding: Bonding| {
        let charter = Charter {
            dev,
            ..bonded(bonding)
        };
        bonding.storage(&charter).map(drop)
    };
    let usual = Bonding::default();
    assert_eq!(check(false, usual), Ok(()));
    let with = |change: &dyn Fn(&mut Bonding)| {
        let mut bonding = usual;
        change(&mut bonding);
        bonding
    };
    let bond = ETHER - 1;
    for (bonding, error) in [
        (with(&|b| b.minimum = 0), BondingError::Minimum(0)),
        (
            with(&|b| b.bond = bond),
            BondingError::Bond {
                bond,
                minimum: ETHER,
            },
        ),
        (
            with(&|b| b.seats = 3),
            BondingError::Seats { seats: 3, least: 4 },
        ),
        (
            with(&|b| b.seats = 33),
            BondingError::Seats {
                seats: 33,
                least: 4,
            },
        ),
        (
            with(&|b| b.unbonding = 86_399),
            BondingError::Unbonding {
                seconds: 86_399,
                least: 86_400,
            },
        ),
    ] {
        assert_eq!(check(false, bonding), Err(error));
    }
    let brief = with(&|b| b.unbonding = 1);
    assert_eq!(check(true, brief), Ok(()));
    let crowded = BondingError::Crowded {
        validators: 4,
        seats: 3,
    };
    assert_eq!(check(true, with(&|b| b.seats = 3)), Err(crowded));
}

/// Bonds of keys: few amounts, so that many are equal.
fn bonds() -> impl Strategy<Value = Vec<(u8, u128)>> {
    btree_map(1..=255_u8, 0..4_u128, 0..40).prop_map(|bonds| bonds.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The nodes' order is the contract's, whoever came and went, and a plain model's.
    #[test]
    fn the_order_is_the_contracts(bonds in bonds(), gone in 0..8_usize, seats in 4..=32_u16) {
        let rich = owner(9);
        let bonding = Bonding { seats, ..Bonding::default() };
        let mut chain = begun(&bonding, &[rich]);
        let mut model: Vec<(u128, B256)> =
            chain.stored().iter().map(|each| (each.bond.to(), each.key)).collect();
        for (key, more) in &bonds {
            let (key, value) = (B256::repeat_byte(*key), ETHER + more * ETHER / 2);
            if model.iter().any(|(_, known)| *known == key) {
                continue;
            }
            chain.act(rich, value, IStake::bondCall { key }).unwrap();
            model.push((value, key));
        }
        for _ in 0..gone {
            // In the middle of the contract's list, so that the last takes its place.
            let own = chain.stored().into_iter().find(|each| each.owner == rich);
            let Some(Candidate { key, bond: amount, .. }) = own else { break };
            chain.act(rich, 0, IStake::unbondCall { key, amount }).unwrap();
            model.retain(|(_, known)| *known != key);
        }
        let mut best = Vec::new();
        while let Some(place) = (0..model.len()).reduce(|best, other| {
            let ((a, one), (b, two)) = (model[best], model[other]);
            if b > a || (b == a && two < one) { other } else { best }
        }) {
            best.push(model.remove(place).1);
        }
        best.truncate(seats.into());
        prop_assert_eq!(&chain.elected(), &best);
        prop_assert_eq!(chain.stake(IStake::validatorsCall {}), best);
    }
}

#[test]
fn seats_nobody_decided_are_as_many_as_there_can_be() {
    let seats = |slot: u64| stake::seats(U256::from(slot));
    assert_eq!([0, 1, 32, 33].map(seats), [32, 1, 32, 32]);
    assert_eq!(stake::seats(U256::MAX), 32);
}

/// Whose account a bond is: the first that administers, not the first there is.
#[test]
fn bonds_are_administrators() {
    let mut charter = bonded(Bonding::default());
    let other = Founder {
        accounts: charter.founders[0].accounts.clone(),
        ..charter.founders[0].clone()
    };
    charter.founders[0] = other;
    let transacts = contracts::member::Permissions::TRANSACT;
    charter.founders[0]
        .accounts
        .insert(Address::with_last_byte(1), transacts);
    let Policy::Bonded(bonding) = charter.policy else {
        unreachable!()
    };
    let slots = bonding.storage(&charter).unwrap();
    let owners = (0..4).map(|place| slots[&Candidate::slots(place)[1]]);
    let low = U256::from_be_bytes(Address::with_last_byte(1).into_word().0);
    assert!(owners.into_iter().all(|owner| owner != low));
}

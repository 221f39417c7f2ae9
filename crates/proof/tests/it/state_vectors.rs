//! The committed vectors of state proofs, `vectors/state/valid` and `vectors/state/tampered`: made here from a database of
//! commonware's, kept in the repository, and checked as another implementation would check them, from the files alone.
//!
//! `PROOF_VECTORS=write cargo test -p proof state_vectors` writes them anew.

use crate::{
    chain::{Draft, Proposal, TestNetwork},
    state::{Theirs, account, root, slot, with_database, write},
};
use alloy_primitives::{Address, B256, Bloom, Bytes, FixedBytes, U256, hex, keccak256};
use proof::{
    Identity, Network, StateFailure, StateProof, StateStep, StateVerdict,
    canonical::{Object, Value},
    state::{account_key, is_state_proof, slot_key},
    verify_state,
};
use std::{collections::BTreeMap, fs, path::PathBuf};

const NAME: &str = "ashlar test network";
const CONTRACT: Address = Address::repeat_byte(0xc0);
const NOBODY: Address = Address::repeat_byte(0x0b);

/// A database with a contract and `others` accounts, and a proof of `address` and `slots` in it.
fn proof(others: u64, address: Address, slots: &[u64], blocks: u64) -> StateProof {
    let slots: Vec<U256> = slots.iter().map(|slot| U256::from(*slot)).collect();
    let asked = slots.clone();
    let (root, mut entries) = with_database(move |mut database| async move {
        let mut changes = BTreeMap::new();
        changes.insert(
            account_key(&CONTRACT),
            Some(account(1, 5, keccak256("code"))),
        );
        for (number, value) in [(0, 42), (1, 7), (7, u64::MAX)] {
            changes.insert(slot_key(&CONTRACT, &U256::from(number)), Some(slot(value)));
        }
        database = write(database, changes.into_iter().collect()).await;
        for number in 0..others {
            let address = Address::left_padding_from(&number.to_be_bytes());
            let value = account(number, number * 1_000, keccak256([]));
            database = write(database, vec![(account_key(&address), Some(value))]).await;
        }
        let keys = asked.iter().map(|slot| slot_key(&address, slot));
        let mut entries = Vec::new();
        for key in std::iter::once(account_key(&address)).chain(keys) {
            entries.push(Theirs::of(&database, key).await.entry(key));
        }
        (root(&database), entries)
    });
    let network = TestNetwork::new(NAME);
    let headers = headers(root, blocks);
    let proposal = Proposal {
        epoch: 0,
        view: 31,
        parent_view: 30,
    };
    let (snapshot, account) = entries.remove(0);
    StateProof {
        network: Network {
            chain_id: network.chain_id,
            genesis: network.genesis,
            identity: network.identity(),
        },
        finalization: network.finalize(proposal, keccak256(headers.last().unwrap())),
        headers,
        snapshot,
        address,
        account,
        storage: slots
            .into_iter()
            .zip(entries.into_iter().map(|(_, entry)| entry))
            .collect(),
    }
}

fn headers(state_root: B256, blocks: u64) -> Vec<Bytes> {
    let mut parent_hash = keccak256("block 19");
    let headers = (20..20 + blocks).map(|number| {
        let header = Draft {
            parent_hash,
            number,
            state_root: (number == 20).then_some(state_root),
            receipts_root: keccak256([0x80]),
            bloom: Bloom::ZERO,
            appended: Vec::new(),
        }
        .seal();
        parent_hash = keccak256(&header);
        header
    });
    headers.collect()
}

/// Name, what it is about, and the proof.
fn valid() -> Vec<(&'static str, &'static str, StateProof)> {
    vec![
        (
            "account",
            "an account without slots, a log of few operations",
            proof(0, CONTRACT, &[], 1),
        ),
        (
            "slots",
            "slots with values and one without",
            proof(20, CONTRACT, &[0, 1, 7, 8], 1),
        ),
        (
            "absent-account",
            "neither the account nor a slot of it is there",
            proof(20, NOBODY, &[0], 1),
        ),
        (
            "descendant",
            "the certificate is that of a block two heights later",
            proof(20, CONTRACT, &[7], 3),
        ),
        (
            "pending-chunk",
            "a full chunk of the bitmap is not in the tree yet",
            proof(110, CONTRACT, &[0, 9], 1),
        ),
        (
            "grafted-chunk",
            "the entries' chunks are in the tree",
            proof(400, CONTRACT, &[0, 9], 1),
        ),
    ]
}

type Edit = fn(&mut StateProof);

/// Name, what is wrong, the step that must find it, and the change. `None` for the edit of one is its being read.
fn tampered() -> Vec<(&'static str, &'static str, StateStep, StateProof)> {
    let edits: [(&str, &str, StateStep, Edit); 14] = [
        (
            "identity-infinity",
            "the identity is the point at infinity",
            StateStep::Identity,
            |proof| {
                proof.network.identity = Identity::ZERO;
                proof.network.identity.0[0] = 0xc0;
            },
        ),
        (
            "headers-gap",
            "a header is left out",
            StateStep::Headers,
            |proof| {
                proof.headers.remove(1);
            },
        ),
        (
            "account-value",
            "the balance is another",
            StateStep::State,
            |proof| proof.account.value.0[40] ^= 1,
        ),
        (
            "slot-value",
            "a slot's value is another",
            StateStep::State,
            |proof| {
                proof.storage[0].1.value.0[32] ^= 1;
            },
        ),
        (
            "slot-of-another",
            "the entry is that of another slot",
            StateStep::State,
            |proof| {
                proof.storage[0].1 = proof.storage[1].1.clone();
            },
        ),
        (
            "slot-hidden",
            "a slot that has a value is said to be absent by its neighbour",
            StateStep::State,
            |proof| {
                let first = proof.storage[0].1.clone();
                proof.storage[0].1 = proof.account.clone();
                proof.storage[1].1 = first;
            },
        ),
        (
            "other-address",
            "the account is another's",
            StateStep::State,
            |proof| proof.address = NOBODY,
        ),
        (
            "inactive",
            "the operation was overtaken by a later one",
            StateStep::State,
            |proof| {
                let bit = proof.account.location as usize % 256;
                proof.account.chunk.0[bit / 8] &= !(1 << (bit % 8));
            },
        ),
        (
            "digest",
            "a digest of the path is another",
            StateStep::State,
            |proof| proof.account.digests[0].0[0] ^= 1,
        ),
        (
            "digest-missing",
            "a digest of the path is missing",
            StateStep::State,
            |proof| {
                proof.account.digests.pop();
            },
        ),
        (
            "leaves",
            "the log is one operation longer",
            StateStep::State,
            |proof| proof.snapshot.leaves += 1,
        ),
        (
            "state-root",
            "the header is of another state",
            StateStep::State,
            |proof| {
                let network = TestNetwork::new(NAME);
                proof.headers = headers(keccak256("other state"), 3);
                let certified = keccak256(proof.headers.last().unwrap());
                let proposal = Proposal {
                    epoch: 0,
                    view: 31,
                    parent_view: 30,
                };
                proof.finalization = network.finalize(proposal, certified);
            },
        ),
        (
            "view",
            "the certificate is for another view",
            StateStep::Finalization,
            |proof| proof.finalization.view += 1,
        ),
        (
            "other-signature",
            "another network's validators signed",
            StateStep::Finalization,
            |proof| {
                let certified = keccak256(proof.headers.last().unwrap());
                let proposal = Proposal {
                    epoch: 0,
                    view: 31,
                    parent_view: 30,
                };
                proof.finalization = TestNetwork::new("another").finalize(proposal, certified);
            },
        ),
    ];
    let honest = proof(20, CONTRACT, &[0, 1], 3);
    let edit = |(name, about, step, edit): (&'static str, &'static str, StateStep, Edit)| {
        let mut proof = honest.clone();
        edit(&mut proof);
        (name, about, step, proof)
    };
    edits.into_iter().map(edit).collect()
}

/// Texts that are no state proofs, made from one that is.
fn malformed(honest: &str) -> Vec<(&'static str, &'static str, String)> {
    let replace = |from: &str, to: &str| {
        let text = honest.replacen(from, to, 1);
        assert_ne!(text, honest, "{from}");
        text
    };
    vec![
        (
            "format-version",
            "another version",
            replace("ashlar-state-proof/1", "ashlar-state-proof/2"),
        ),
        (
            "format-unknown",
            "an unknown member",
            replace("{\"account\":", "{\"value\":1,\"account\":"),
        ),
        (
            "format-missing",
            "a member is missing",
            replace("\"leaves\":", "\"leaf_count\":"),
        ),
        (
            "format-upper-case",
            "hex in upper case",
            replace("0xc0c0", "0xC0c0"),
        ),
        (
            "format-short",
            "a value of 72 bytes",
            replace("\"value\":\"0x00", "\"value\":\"0x"),
        ),
    ]
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("vectors/state")
        .join(name)
}

fn text(members: Vec<(&str, Value)>) -> String {
    Value::Object(Object::from_iter(members)).pretty()
}

fn generated() -> [(&'static str, BTreeMap<String, String>); 2] {
    let identity = || hex::encode_prefixed(TestNetwork::new(NAME).identity());
    let parse = |json: &str| Value::parse(json.as_bytes()).unwrap();
    let accepted = valid().into_iter().map(|(name, about, proof)| {
        let pinned = TestNetwork::new(NAME).identity();
        let verdict =
            verify_state(&proof, Some(&pinned)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let members = vec![
            ("name", name.into()),
            ("about", about.into()),
            ("identity", identity().as_str().into()),
            ("proof", parse(&proof.to_json())),
            ("verdict", parse(&verdict.to_json())),
        ];
        (format!("{name}.json"), text(members))
    });
    let refused = |name: &str, about: &str, identity: Value, step: StateStep, json: &str| {
        let members = vec![
            ("name", name.into()),
            ("about", about.into()),
            ("identity", identity),
            ("step", step.name().into()),
            ("json", json.into()),
        ];
        (format!("{name}.json"), text(members))
    };
    let mut tampered: BTreeMap<String, String> = tampered()
        .into_iter()
        .map(|(name, about, step, proof)| {
            // Only unpinned does an identity that is none come to be looked at.
            let pinned = match step {
                StateStep::Identity => Value::Null,
                _ => identity().as_str().into(),
            };
            refused(name, about, pinned, step, &proof.to_json())
        })
        .collect();
    let honest = proof(20, CONTRACT, &[0, 1], 1).to_json();
    let texts = malformed(&honest).into_iter().map(|(name, about, json)| {
        refused(
            name,
            about,
            identity().as_str().into(),
            StateStep::Format,
            &json,
        )
    });
    tampered.extend(texts);
    let another = hex::encode_prefixed(TestNetwork::new("another").identity());
    tampered.extend([refused(
        "identity-other",
        "the proof is of another network than the pinned one",
        another.as_str().into(),
        StateStep::Identity,
        &honest,
    )]);
    [("valid", accepted.collect()), ("tampered", tampered)]
}

fn committed(name: &str) -> BTreeMap<String, String> {
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(path).unwrap())
    };
    fs::read_dir(folder(name)).unwrap().map(read).collect()
}

fn pinned(vector: &Value) -> Option<Identity> {
    let identity = vector.get("identity")?.as_str()?;
    Some(FixedBytes::from_slice(&hex::decode(identity).unwrap()))
}

fn decode_and_verify(json: &[u8], pinned: Option<&Identity>) -> Result<StateVerdict, StateFailure> {
    verify_state(&StateProof::from_json(json)?, pinned)
}

#[test]
fn committed_files_are_the_generated_ones() {
    for (name, generated) in generated() {
        if std::env::var_os("PROOF_VECTORS").is_some_and(|value| value == "write") {
            let _ = fs::remove_dir_all(folder(name));
            fs::create_dir_all(folder(name)).unwrap();
            for (file, text) in &generated {
                fs::write(folder(name).join(file), text).unwrap();
            }
        }
        let committed = committed(name);
        assert!(committed.keys().eq(generated.keys()), "{name}");
        for (file, text) in &generated {
            assert_eq!(committed[file], *text, "{name}/{file}");
        }
    }
}

#[test]
fn valid_ones_are_accepted_with_their_verdict() {
    let vectors = committed("valid");
    assert!(vectors.len() >= 6);
    let mut chunks = Vec::new();
    for (file, text) in vectors {
        let vector = Value::parse(text.as_bytes()).unwrap();
        let json = vector.get("proof").unwrap();
        assert!(is_state_proof(json.canonical().as_bytes()), "{file}");
        let proof = StateProof::from_json(json.pretty().as_bytes()).unwrap();
        assert_eq!(proof.to_json(), json.canonical(), "{file}");
        let verdict = verify_state(&proof, pinned(&vector).as_ref()).unwrap();
        let expected = vector.get("verdict").unwrap();
        assert_eq!(verdict.to_json(), expected.canonical(), "{file}");
        assert!(verdict.pinned && !verify_state(&proof, None).unwrap().pinned);
        chunks.push((
            proof.snapshot.pending.is_some(),
            proof.snapshot.leaves > 1_000,
        ));
    }
    assert!(
        chunks.contains(&(true, false)) && chunks.iter().any(|(_, many)| *many),
        "{chunks:?}"
    );
}

#[test]
fn tampered_ones_are_refused_at_their_step() {
    let vectors = committed("tampered");
    assert!(vectors.len() >= 20);
    let mut steps = Vec::new();
    for (file, text) in vectors {
        let vector = Value::parse(text.as_bytes()).unwrap();
        let json = vector.get("json").and_then(Value::as_str).unwrap();
        let checked = decode_and_verify(json.as_bytes(), pinned(&vector).as_ref());
        let failure = checked
            .err()
            .unwrap_or_else(|| panic!("{file} was accepted"));
        let step = vector.get("step").and_then(Value::as_str);
        assert_eq!(Some(failure.step().name()), step, "{file}: {failure}");
        steps.push(failure.step());
    }
    assert!(
        StateStep::ALL.iter().all(|step| steps.contains(step)),
        "{steps:?}"
    );
}

#[test]
fn a_verdict_reads_well() {
    let proof = proof(20, CONTRACT, &[0, 8], 1);
    let verdict = verify_state(&proof, None).unwrap().to_string();
    for line in [
        "balance       5 wei",
        "slot          0x0 is 0x2a",
        "slot          0x8 is 0x0",
    ] {
        assert!(verdict.lines().any(|each| each == line), "{verdict}");
    }
    let absent = self::proof(20, NOBODY, &[], 1);
    let verdict = verify_state(&absent, None).unwrap().to_string();
    assert!(verdict.ends_with(" does not exist"), "{verdict}");
}

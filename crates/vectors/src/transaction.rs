//! The TransactionTests format: bytes, and by fork the transaction they are or why they are none.

use crate::{
    fork::Fork,
    json::quantity,
    refusal::Refusal,
    suite::{self, Case, Verdict},
};
use alloy_primitives::{Address, B256, Bytes, U256};
use evm::ethereum::{Blobs, Environment};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The chain of the transaction vectors.
const CHAIN_ID: u64 = 1;

#[derive(Debug, Deserialize)]
struct Vector {
    result: BTreeMap<String, Stated>,
    txbytes: Bytes,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stated {
    exception: Option<String>,
    hash: Option<B256>,
    sender: Option<Address>,
    #[serde(default, deserialize_with = "quantity")]
    intrinsic_gas: u64,
}

/// Runs all vectors of a file.
pub(crate) fn run(
    file: &[u8],
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<Case>, serde_json::Error> {
    let vectors: BTreeMap<String, Vector> = suite::read(file, wanted)?;
    let mut cases = Vec::new();
    for (name, vector) in &vectors {
        for (fork, stated) in &vector.result {
            cases.push(Case {
                name: name.clone(),
                fork: fork.clone(),
                verdict: match check(&vector.txbytes, fork, stated) {
                    Ok(()) => Verdict::Passed,
                    Err(reason) => Verdict::Failed(reason),
                },
            });
        }
    }
    Ok(cases)
}

fn check(raw: &Bytes, fork: &str, stated: &Stated) -> Result<(), String> {
    let fork = Fork::parse(fork).ok_or_else(|| format!("the fork {fork} is not known"))?;
    let environment = environment(fork);
    let checked = environment
        .recover(raw.clone())
        .map_err(|error| Refusal::Undecodable { index: 0, error })
        .and_then(|transaction| match environment.admit(&transaction) {
            Ok(gas) => Ok((transaction, gas)),
            Err(reason) => Err(Refusal::Transaction { index: 0, reason }),
        });
    let (transaction, gas) = match (checked, &stated.exception) {
        (Ok(_), Some(expected)) => return Err(format!("it was taken; want {expected}")),
        (Err(refusal), None) => return Err(refusal.to_string()),
        // Vectors tell apart many ways to be malformed; for us all are one.
        (Err(_), Some(_)) => return Ok(()),
        (Ok(taken), None) => taken,
    };
    let (hash, sender) = (Some(transaction.hash()), Some(transaction.signer()));
    if hash != stated.hash {
        return Err(format!("its hash is {hash:?}, want {:?}", stated.hash));
    }
    if sender != stated.sender {
        return Err(format!(
            "its sender is {sender:?}, want {:?}",
            stated.sender
        ));
    }
    if gas != stated.intrinsic_gas {
        let want = stated.intrinsic_gas;
        return Err(format!("its intrinsic gas is {gas}, want {want}"));
    }
    Ok(())
}

fn environment(fork: Fork) -> Environment {
    let blobs = fork.blobs();
    Environment {
        chain_id: CHAIN_ID,
        spec: fork.spec(),
        number: 1,
        timestamp: 1,
        gas_limit: u64::MAX,
        base_fee: 0,
        beneficiary: Address::ZERO,
        difficulty: U256::ZERO,
        prev_randao: B256::ZERO,
        blobs: Blobs {
            excess_gas: 0,
            gas_price: 1,
            per_transaction_max: blobs.max_blobs_per_tx,
            update_fraction: u64::try_from(blobs.update_fraction).unwrap_or(u64::MAX),
        },
        ancestors: BTreeMap::new(),
        occupied: BTreeSet::new(),
    }
}

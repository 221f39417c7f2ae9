//! The TrieTests format: keys and values, and the root of their trie.

use crate::suite::{self, Case, Verdict};
use alloy_primitives::{B256, hex, keccak256};
use alloy_trie::{HashBuilder, Nibbles};
use serde_json::Value;
use std::collections::BTreeMap;

/// Our tries have hashes or RLP indices for keys.
const PREFIX: &str = "a key is the beginning of another: no trie of ours has such keys, and alloy-trie does not build it";
/// `trietestnextprev.json`.
const ITERATION: &str = "it walks a trie back and forth, which nothing of ours does";

/// Runs all vectors of a file. Whether keys are hashed first stands in its name, which is not known
/// here: the root of either is stated by exactly one of the two.
pub(crate) fn run(
    file: &[u8],
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<Case>, serde_json::Error> {
    suite::one_each(file, wanted, |vector: &Value| {
        (String::new(), check(vector))
    })
}

fn check(vector: &Value) -> Verdict {
    if vector.get("tests").is_some() {
        return Verdict::Excluded(ITERATION);
    }
    let (content, want) = match (content(vector), stated(vector)) {
        (Some(content), Some(want)) => (content, want),
        _ => {
            return Verdict::Failed(
                "malformed: no `in` of keys and values, or no `root`".to_owned(),
            );
        }
    };
    let hashed = content
        .iter()
        .map(|(key, value)| (keccak256(key).to_vec(), value.clone()))
        .collect();
    if root(&hashed) == want {
        return Verdict::Passed;
    }
    let keys = content.keys().zip(content.keys().skip(1));
    if keys.into_iter().any(|(key, next)| next.starts_with(key)) {
        return Verdict::Excluded(PREFIX);
    }
    if root(&content) == want {
        return Verdict::Passed;
    }
    Verdict::Failed(format!("the root is {}, want {want}", root(&content)))
}

fn stated(vector: &Value) -> Option<B256> {
    vector.get("root")?.as_str()?.parse().ok()
}

/// What is in the trie in the end: later entries replace earlier ones, and null removes.
fn content(vector: &Value) -> Option<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut content = BTreeMap::new();
    let mut put = |key: &str, value: &Value| {
        match value.as_str() {
            Some(value) => content.insert(bytes(key), bytes(value)),
            None => content.remove(&bytes(key)),
        };
    };
    match vector.get("in")? {
        Value::Object(entries) => entries.iter().for_each(|(key, value)| put(key, value)),
        Value::Array(entries) => {
            for entry in entries {
                put(entry.get(0)?.as_str()?, entry.get(1)?);
            }
        }
        _ => return None,
    }
    Some(content)
}

/// Hex with a prefix, text without.
fn bytes(text: &str) -> Vec<u8> {
    text.strip_prefix("0x")
        .and_then(|digits| hex::decode(digits).ok())
        .unwrap_or_else(|| text.as_bytes().to_vec())
}

fn root(content: &BTreeMap<Vec<u8>, Vec<u8>>) -> B256 {
    let mut builder = HashBuilder::default();
    for (key, value) in content {
        builder.add_leaf(Nibbles::unpack(key), value);
    }
    builder.root()
}

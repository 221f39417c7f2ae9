//! The RLPTests format: values with their encoding, and bytes that are RLP or not.

use crate::{
    body::{Item, item, items},
    suite::{self, Case, Verdict},
};
use alloy_primitives::{U256, hex};
use alloy_rlp::{Encodable as _, Error, Header};
use serde::Deserialize;
use serde_json::Value;

/// Lists in lists in lists: no vector has so many, and each costs a stack frame.
const DEPTH_MAX: usize = 1024;

#[derive(Debug, Deserialize)]
struct Vector {
    #[serde(rename = "in")]
    value: Value,
    out: String,
}

/// A decoded value.
enum Tree {
    String(Vec<u8>),
    List(Vec<Self>),
}

/// Runs all vectors of a file.
pub(crate) fn run(
    file: &[u8],
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<Case>, serde_json::Error> {
    suite::one_each(file, wanted, |vector: &Vector| {
        let verdict = match check(vector) {
            Ok(()) => Verdict::Passed,
            Err(reason) => Verdict::Failed(reason),
        };
        (String::new(), verdict)
    })
}

fn check(vector: &Vector) -> Result<(), String> {
    let bytes = hex::decode(&vector.out).map_err(|error| format!("out: {error}"))?;
    let decoded = Tree::decode(&bytes);
    match (vector.value.as_str(), decoded) {
        (Some("INVALID"), Ok(_)) => Err("it was taken, but is not valid".to_owned()),
        (Some("INVALID"), Err(_)) => Ok(()),
        (_, Err(error)) => Err(format!("it was refused: {error}")),
        (Some("VALID"), Ok(tree)) => same(&tree, &bytes, "decoded"),
        (_, Ok(tree)) => {
            same(&tree, &bytes, "decoded")?;
            same(&Tree::new(&vector.value)?, &bytes, "given")
        }
    }
}

fn same(tree: &Tree, bytes: &[u8], which: &str) -> Result<(), String> {
    let mut encoded = Vec::new();
    tree.encode(&mut encoded);
    if encoded == bytes {
        Ok(())
    } else {
        let have = hex::encode(encoded);
        Err(format!("what was {which} encodes to {have}"))
    }
}

impl Tree {
    /// A value as vectors write it: text, a number, `#` and a number too big for JSON, a list.
    fn new(value: &Value) -> Result<Self, String> {
        let number = |number: U256| Self::String(number.to_be_bytes_trimmed_vec());
        match value {
            Value::Number(small) => small
                .as_u64()
                .map(|small| number(U256::from(small)))
                .ok_or_else(|| format!("{small} is no number for RLP")),
            Value::String(text) => match text.strip_prefix('#') {
                None => Ok(Self::String(text.clone().into_bytes())),
                Some(big) => match U256::from_str_radix(big, 10) {
                    Ok(big) => Ok(number(big)),
                    // One vector has 2^256.
                    Err(_) if big == TWO_TO_256 => {
                        let mut bytes = vec![1];
                        bytes.resize(33, 0);
                        Ok(Self::String(bytes))
                    }
                    Err(error) => Err(format!("{text}: {error}")),
                },
            },
            Value::Array(values) => values
                .iter()
                .map(Self::new)
                .collect::<Result<_, _>>()
                .map(Self::List),
            other => Err(format!("{other} has no place in RLP")),
        }
    }

    fn decode(mut rlp: &[u8]) -> Result<Self, Error> {
        let first = item(&mut rlp)?;
        if !rlp.is_empty() {
            return Err(Error::UnexpectedLength);
        }
        Self::from_item(first, DEPTH_MAX)
    }

    fn from_item(item: Item<'_>, depth: usize) -> Result<Self, Error> {
        if !item.list {
            return Ok(Self::String(item.payload.to_vec()));
        }
        let Some(depth) = depth.checked_sub(1) else {
            return Err(Error::Custom("nested too deeply"));
        };
        let inner = items(item.payload)?.into_iter();
        inner
            .map(|inner| Self::from_item(inner, depth))
            .collect::<Result<_, _>>()
            .map(Self::List)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::String(bytes) => bytes.as_slice().encode(out),
            Self::List(inner) => {
                let mut payload = Vec::new();
                for tree in inner {
                    tree.encode(&mut payload);
                }
                Header {
                    list: true,
                    payload_length: payload.len(),
                }
                .encode(out);
                out.extend(payload);
            }
        }
    }
}

const TWO_TO_256: &str =
    "115792089237316195423570985008687907853269984665640564039457584007913129639936";

//! The walk down a Merkle-Patricia proof.

use alloc::vec::Vec;
use alloy_primitives::{B256, Bytes, hex, keccak256};
use alloy_rlp::{Error as RlpError, Header};

/// Walks `proof` from `root` down to the value at the key RLP(`index`), and returns that value.
///
/// Every node must be the one its parent names, and the proof must end exactly at the leaf.
pub fn prove_index<'a>(root: &B256, index: u64, proof: &'a [Bytes]) -> Result<&'a [u8], TrieError> {
    let key: Vec<u8> = alloy_rlp::encode(index)
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0xf])
        .collect();
    let mut path = key.as_slice();
    let mut expected = *root;
    for (position, node) in proof.iter().enumerate() {
        let hash = keccak256(node);
        if hash != expected {
            return Err(TrieError::Hash {
                position,
                expected,
                hash,
            });
        }
        let malformed = |reason| TrieError::Malformed { position, reason };
        expected = match Node::decode(node).map_err(malformed)? {
            Node::Branch(children) => {
                let (nibble, rest) = path
                    .split_first()
                    .ok_or(TrieError::Absent { position, index })?;
                path = rest;
                let child = children
                    .get(usize::from(*nibble))
                    .ok_or(TrieError::Absent { position, index })?;
                hash_of(child).ok_or(TrieError::Absent { position, index })?
            }
            Node::Extension(prefix, child) => {
                path = path
                    .strip_prefix(prefix.as_slice())
                    .ok_or(TrieError::Absent { position, index })?;
                hash_of(child).ok_or(TrieError::Absent { position, index })?
            }
            Node::Leaf(suffix, value) if suffix == path => {
                return match proof.len() - position - 1 {
                    0 => Ok(value),
                    extra => Err(TrieError::Extra { extra }),
                };
            }
            Node::Leaf(..) => return Err(TrieError::Absent { position, index }),
        };
    }
    Err(TrieError::Short {
        nodes: proof.len(),
        missing: expected,
    })
}

/// A trie node; paths are nibbles, one per byte.
enum Node<'a> {
    /// Sixteen children.
    Branch(Vec<&'a [u8]>),
    Extension(Vec<u8>, &'a [u8]),
    Leaf(Vec<u8>, &'a [u8]),
}

impl<'a> Node<'a> {
    fn decode(mut node: &'a [u8]) -> Result<Self, RlpError> {
        let payload = &mut Header::decode_bytes(&mut node, true)?;
        if !node.is_empty() {
            return Err(RlpError::UnexpectedLength);
        }
        let mut items = Vec::with_capacity(17);
        while !payload.is_empty() {
            if items.len() == 17 {
                return Err(RlpError::ListLengthMismatch {
                    expected: 17,
                    got: 18,
                });
            }
            // A list here would be a node embedded in its parent, too short to lead to a transaction receipt.
            items.push(Header::decode_bytes(payload, false)?);
        }
        match *items.as_slice() {
            [path, item] => match nibbles(path)? {
                (path, true) => Ok(Self::Leaf(path, item)),
                (path, false) => Ok(Self::Extension(path, item)),
            },
            [.., value] if items.len() == 17 => {
                if !value.is_empty() {
                    return Err(RlpError::Custom("a branch with a value"));
                }
                items.truncate(16);
                Ok(Self::Branch(items))
            }
            _ => Err(RlpError::ListLengthMismatch {
                expected: 17,
                got: items.len(),
            }),
        }
    }
}

/// A reference to a child: its hash, or nothing.
fn hash_of(child: &[u8]) -> Option<B256> {
    B256::try_from(child).ok()
}

/// Decodes a hex-prefix path (Yellow Paper, appendix C): the first nibble holds a leaf flag (2) and an odd-length flag
/// (1); with an even length the second nibble is a zero of padding. Returns whether it is a leaf's.
fn nibbles(encoded: &[u8]) -> Result<(Vec<u8>, bool), RlpError> {
    let (first, rest) = encoded.split_first().ok_or(RlpError::InputTooShort)?;
    let mut path = match first >> 4 {
        1 | 3 => alloc::vec![first & 0xf],
        0 | 2 if first & 0xf == 0 => Vec::new(),
        _ => return Err(RlpError::Custom("not a hex-prefix path")),
    };
    path.extend(rest.iter().flat_map(|byte| [byte >> 4, byte & 0xf]));
    Ok((path, first >> 4 >= 2))
}

/// Why a proof does not lead from the root to a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrieError {
    /// A node that nothing above it names.
    #[error("trie node {position} hashes to {hash}, but {} names {expected}", above(*position))]
    Hash {
        /// Position in the proof.
        position: usize,
        /// What the header's receipts root, or the node above, says.
        expected: B256,
        /// The hash of the node in the file.
        hash: B256,
    },
    /// Not a node of a trie of transaction receipts.
    #[error("trie node {position} is malformed: {reason}")]
    Malformed {
        /// Position in the proof.
        position: usize,
        /// What the decoder met.
        reason: RlpError,
    },
    /// The trie holds no value under that index, or the proof is another's.
    #[error(
        "trie node {position} does not lead to transaction {index} (key 0x{})",
        hex::encode(alloy_rlp::encode(index))
    )]
    Absent {
        /// Position in the proof.
        position: usize,
        /// The transaction asked for.
        index: u64,
    },
    /// The proof stops before the leaf.
    #[error("the proof ends after {nodes} nodes, before the node {missing}")]
    Short {
        /// Length of the proof.
        nodes: usize,
        /// What should come next.
        missing: B256,
    },
    /// Nodes after the leaf.
    #[error("{extra} trie nodes too many")]
    Extra {
        /// How many.
        extra: usize,
    },
}

const fn above(position: usize) -> &'static str {
    if position == 0 {
        "the header's receipts root"
    } else {
        "the node above"
    }
}

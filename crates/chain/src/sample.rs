//! Blocks for tests.

use alloy_primitives::Bytes;
use commonware_consensus::types::{Epoch, Round, View};
use commonware_cryptography::{Signer as _, ed25519};
use commonware_storage::merkle::Location;
use commonware_utils::non_empty_range;
use types::{Block, Context, Digest, Extension, transactions_root};

/// A block with this number and these raw transactions, `1_000 + number` seconds after 1970. Its parent and roots of state are
/// made up.
pub(crate) fn block(number: u64, transactions: Vec<Bytes>) -> Block {
    let digest = Digest::from([7; 32]);
    let extension = Extension {
        context: Context {
            round: Round::new(Epoch::zero(), View::new(number)),
            leader: ed25519::PrivateKey::from_seed(0).public_key(),
            parent: (View::zero(), digest),
        },
        ops_root: digest,
        ops_range: non_empty_range!(Location::new(0), Location::new(1)),
        millis: 0,
        dkg: Bytes::new(),
    };
    let mut header = Block::header_template();
    header.number = number;
    header.timestamp = 1_000 + number;
    header.extra_data = extension.hash().into();
    header.transactions_root = transactions_root(&transactions);
    Block::new(header, extension, transactions).unwrap()
}

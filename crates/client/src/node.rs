//! The node's own JSON-RPC methods, `ashlar_*`. Quantities are hexadecimal as everywhere in Ethereum's JSON-RPC.

use alloy_primitives::{B256, Bytes, FixedBytes, U64};
use serde::{Deserialize, Serialize};

/// `ashlar_getIdentity`: which network a node belongs to.
pub const GET_IDENTITY: &str = "ashlar_getIdentity";
/// `ashlar_getFinalization(block)`: the proof that a block is final.
pub const GET_FINALIZATION: &str = "ashlar_getFinalization";
/// `ashlar_getCertifiedBlocks(from, count)`: final blocks in a row with the certificates that prove them, for followers.
pub const GET_CERTIFIED_BLOCKS: &str = "ashlar_getCertifiedBlocks";
/// `ashlar_getReceipt(transaction hash)`: the receipt of a transaction, as its JSON twin.
pub const GET_RECEIPT: &str = "ashlar_getReceipt";
/// `ashlar_getProof(address, storage slots, block?)`: what an account and its slots hold after the last final block, or that
/// they are absent, as an `ashlar-state-proof/1` ([`proof::StateProof`]).
pub const GET_PROOF: &str = "ashlar_getProof";
/// `ashlar_validators()`: who signs the next block, and who will.
pub const VALIDATORS: &str = "ashlar_validators";
/// `ashlar_upgrades()`: which rules hold from which height on, and what the node's program knows.
pub const UPGRADES: &str = "ashlar_upgrades";
/// `ashlar_health()`: whether blocks become final, and if not, why.
pub const HEALTH: &str = "ashlar_health";
/// `ashlar_subscribe("finalized", {"from"}?)`: every finalized block from a height on.
pub const SUBSCRIBE: &str = "ashlar_subscribe";
/// `ashlar_unsubscribe(id)`.
pub const UNSUBSCRIBE: &str = "ashlar_unsubscribe";
/// Method of a subscription's notifications.
pub const SUBSCRIPTION: &str = "ashlar_subscription";
/// The one subscription there is.
pub const FINALIZED: &str = "finalized";

/// Which network a node belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// The EVM chain id.
    pub chain_id: U64,
    /// The hash of block 0.
    pub genesis_hash: B256,
    /// The network's public key.
    pub identity: FixedBytes<96>,
    /// The node's software, e.g. `ashlar/0.1.0`.
    pub client_version: String,
}

/// Who signs the next block, and who will.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Committee {
    /// The epoch of the next block.
    pub epoch: U64,
    /// The height of the epoch's first block.
    pub first_block: U64,
    /// The height of the epoch's last block.
    pub last_block: U64,
    /// Votes that make a certificate.
    pub quorum: U64,
    /// Who signs.
    pub validators: Vec<Validator>,
    /// The keys of those that sign in the next epoch, if their shares are dealt in this one.
    pub next: Vec<B256>,
    /// The keys of those that get their shares in the next epoch, to sign in the one after it.
    pub after_next: Vec<B256>,
    /// The keys of those that are to validate as things stand: whom `Members` has, or in a bonded network `Stake`. They are
    /// announced in the middle of an epoch. Empty as long as the node takes the state from others.
    pub elected: Vec<B256>,
    /// The epoch from which on a validator signs that is elected after the next block.
    pub changes_sign_from: U64,
}

impl Committee {
    /// The height of an epoch's first block, of this one or a later.
    pub fn first_block_of(&self, epoch: u64) -> u64 {
        let first: u64 = self.first_block.to();
        let blocks = self.last_block.to::<u64>().saturating_sub(first) + 1;
        let ahead = epoch.saturating_sub(self.epoch.to());
        first.saturating_add(blocks.saturating_mul(ahead))
    }
}

/// One that signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Validator {
    /// Its place in the committee.
    pub index: U64,
    /// The ed25519 key by which the other nodes know it.
    pub public_key: B256,
}

/// Which rules hold from which height on, and what the node's program knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Upgrades {
    /// The last final block, after which all this is decided.
    pub block: U64,
    /// The newest fork whose rules hold in the next block, as far as the program knows.
    pub fork: String,
    /// The program's protocol version.
    pub protocol_version: U64,
    /// The forks that the program can activate, the oldest first.
    pub known_forks: Vec<KnownFork>,
    /// The forks that were ever decided and not called off, in the order of their heights.
    pub scheduled_forks: Vec<ScheduledFork>,
    /// The protocol version that nodes need now; 0 when none was ever asked for.
    pub minimum_version: U64,
    /// The protocol version that they will need.
    pub next_version: Option<NextVersion>,
    /// The first block that the program cannot execute: it stops before.
    pub stops_before: Option<U64>,
}

/// A fork that a program can activate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownFork {
    /// Its name.
    pub name: String,
    /// Its id, the hash of its name.
    pub id: B256,
}

/// A fork with a height.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScheduledFork {
    /// Its id.
    pub id: B256,
    /// Its name, if the program knows it.
    pub name: Option<String>,
    /// The first block under its rules.
    pub height: U64,
    /// Blocks until then; 0 when it is active.
    pub blocks_left: U64,
}

/// A protocol version that nodes will need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NextVersion {
    /// The version.
    pub version: U64,
    /// The first block that needs it.
    pub height: U64,
    /// Blocks until then.
    pub blocks_left: U64,
}

/// What a node knows of how its network goes on. As of half a second ago at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// In one word.
    pub state: HealthState,
    /// The last block that is final here.
    pub height: U64,
    /// Milliseconds since it became final here, or since the node started if it had it already.
    pub without_block_ms: U64,
    /// The epoch of the next block.
    pub epoch: U64,
    /// Votes that make a block final.
    pub quorum: U64,
    /// How many of the validators are reachable.
    pub reachable: U64,
    /// Who validates in this epoch; nobody if the node does not know, or hears none of them, as a follower.
    pub validators: Vec<ValidatorHealth>,
    /// The ed25519 key of the node; none of a follower, which has none.
    pub node: Option<B256>,
    /// Whether the node is one of the validators.
    pub validates: bool,
    /// Whether it has a share of the network's key in this epoch, without which it cannot vote.
    pub has_share: bool,
    /// Whether enough of the others grant it its key now. It holds its votes back while they do not.
    pub may_sign: bool,
    /// What is wrong, and what comes next or is to be done.
    pub explanation: Option<String>,
    /// Whom a follower takes blocks from; absent on any other node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstreams: Option<Vec<UpstreamHealth>>,
}

/// An upstream, as its follower sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpstreamHealth {
    /// Its address, without what may be secret in it.
    pub name: String,
    /// The last final block it has shown to have; none before it answered.
    pub height: Option<U64>,
    /// Why it is of no use now; none if it answers.
    pub complaint: Option<String>,
}

/// Final blocks in a row, and how far the chain is, as a node says. Encodings are the engine's: whoever links `types` reads them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertifiedBlocks {
    /// The last final block with a certificate of its own; none as long as there is only block 0.
    pub head: Option<CertifiedHeader>,
    /// The blocks from the one asked for on. The last has a certificate.
    pub blocks: Vec<CertifiedBlock>,
}

/// A certified header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertifiedHeader {
    /// The certificate over its hash.
    pub certificate: Bytes,
    /// RLP.
    pub header: Bytes,
}

/// A final block, encoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertifiedBlock {
    /// The certificate over just this block; null if only a later one covers it.
    pub certificate: Option<Bytes>,
    /// The block.
    pub block: Bytes,
}

/// How a chain goes on, as a node sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthState {
    /// Blocks become final.
    Finalizing,
    /// No block has become final for longer than a few views take that time out.
    Stalled,
    /// The node takes the state from others, and follows no chain yet; or it is a follower, and executes blocks that there were
    /// before.
    Syncing,
    /// The node's program does not know the rules of the next block.
    Outdated,
}

/// One that validates, as another node sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ValidatorHealth {
    /// The ed25519 key by which the other nodes know it.
    pub public_key: B256,
    /// The name of its organization, if `Members` knows it.
    pub organization: Option<String>,
    /// Whether a message of it arrived lately; always true of the node that is asked.
    pub reachable: bool,
}

/// The validators' certificate over the last of some headers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finalization {
    /// The epoch of the committee that signed.
    pub epoch: U64,
    /// The consensus view of the proposal.
    pub view: U64,
    /// The view of the proposal's parent.
    pub parent_view: U64,
    /// The threshold signature.
    pub signature: FixedBytes<48>,
}

/// The proof that a block is final: its header, its descendants' up to a certified one, and that certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalityProof {
    /// RLP headers, the block's own first.
    pub headers: Vec<Bytes>,
    /// The certificate over the last of them.
    pub finalization: Finalization,
}

/// Where a subscription starts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubscribeFrom {
    /// The first height wanted; without it the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<U64>,
}

/// One finalized block, as `ashlar_subscribe` sends it. One for every height, ascending, without gaps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalizedBlock {
    /// The RLP header.
    pub header: Bytes,
    /// The certificate over it; null when a later block's proves this one.
    pub finalization: Option<Finalization>,
    /// The transactions, in their EIP-2718 encoding.
    pub transactions: Vec<Bytes>,
    /// Their receipts, in their EIP-2718 encoding, with bloom.
    pub receipts: Vec<Bytes>,
}

impl From<Finalization> for proof::Finalization {
    fn from(wire: Finalization) -> Self {
        Self {
            epoch: wire.epoch.to(),
            view: wire.view.to(),
            parent_view: wire.parent_view.to(),
            signature: wire.signature,
        }
    }
}

impl From<proof::Finalization> for Finalization {
    fn from(certificate: proof::Finalization) -> Self {
        Self {
            epoch: U64::from(certificate.epoch),
            view: U64::from(certificate.view),
            parent_view: U64::from(certificate.parent_view),
            signature: certificate.signature,
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_wire_form_is_fixed() {
        let block = FinalizedBlock {
            header: Bytes::from_static(&[0xc0]),
            finalization: Some(Finalization {
                epoch: U64::ZERO,
                view: U64::from(12),
                parent_view: U64::from(11),
                signature: FixedBytes::repeat_byte(0xab),
            }),
            transactions: vec![Bytes::from_static(&[2, 1])],
            receipts: vec![],
        };
        let json = serde_json::to_string(&block).unwrap();
        expect![[r#"{"header":"0xc0","finalization":{"epoch":"0x0","view":"0xc","parentView":"0xb","signature":"0xabababababababababababababababababababababababababababababababababababababababababababababababab"},"transactions":["0x0201"],"receipts":[]}"#]].assert_eq(&json);
        assert_eq!(
            serde_json::from_str::<FinalizedBlock>(&json).unwrap(),
            block
        );

        let identity = Identity {
            chain_id: U64::from(4242),
            genesis_hash: B256::ZERO,
            identity: FixedBytes::ZERO,
            client_version: "ashlar/0.1.0".to_owned(),
        };
        let json = serde_json::to_string(&identity).unwrap();
        assert!(
            json.starts_with(r#"{"chainId":"0x1092","genesisHash":"0x00"#),
            "{json}"
        );
        assert!(
            json.ends_with(r#""clientVersion":"ashlar/0.1.0"}"#),
            "{json}"
        );

        assert_eq!(
            serde_json::to_string(&SubscribeFrom::default()).unwrap(),
            "{}"
        );
        let from = SubscribeFrom {
            from: Some(U64::from(5)),
        };
        assert_eq!(serde_json::to_string(&from).unwrap(), r#"{"from":"0x5"}"#);
        assert!(serde_json::from_str::<SubscribeFrom>(r#"{"form":"0x5"}"#).is_err());
    }
}

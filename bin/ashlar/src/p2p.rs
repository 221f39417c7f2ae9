//! The network between nodes: authenticated, encrypted, and told by the chain whom to let in.

use crate::node::parse_key;
use anyhow::{Context as _, Result};
use chain::{Dialer, Peers};
use commonware_cryptography::{ChaCha20Poly1305, Signer as _, ed25519};
use commonware_p2p::{
    self as p2p, Ingress, TrackedPeers,
    authenticated::discovery::{self, Network},
};
use commonware_runtime::tokio as runtime;
use commonware_stream::{
    cups::{self, Cups},
    sake::{self, Sake},
};
use commonware_utils::{NZUsize, ordered::Set};
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, num::NonZeroUsize, time::Duration};
use types::PublicKey;

/// Where the other nodes are.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct P2pConfig {
    /// Where we listen for the other nodes. Connections are authenticated and encrypted.
    pub listen: SocketAddr,
    /// Where the other nodes reach us, if that is not where we listen. They pass it on among themselves, signed by us, so it may
    /// change whenever this node starts again.
    #[serde(default)]
    pub advertise: Option<SocketAddr>,
    /// Other nodes that this one speaks with at once, at most: all validators, and observers as far as there is room. Each takes
    /// 1.6 MB of memory.
    #[serde(default = "default_peers")]
    pub max_peers: usize,
    /// Nodes to begin with: their keys, and where they were when this was written. The others are found through them.
    #[serde(default)]
    pub peers: Vec<PeerConfig>,
}

/// A node's network key and address.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerConfig {
    /// ed25519 public key, hex.
    pub public_key: String,
    /// Where it listens.
    pub address: SocketAddr,
}

const fn default_peers() -> usize {
    24
}

/// What nodes say to each other, and how. It rises only when nodes of both kinds could not understand each other; then they
/// do not connect. What is said under a new fork is no reason: such nodes must speak with each other until it activates.
pub const WIRE_VERSION: u32 = 1;

/// How nodes prove who they are.
type Handshake = Cups<Sake<ed25519::PrivateKey>, ChaCha20Poly1305>;

/// Joins the network of those that know `namespace`. Nobody is let in until the peers are told so.
pub fn join(
    context: runtime::Context,
    key: &ed25519::PrivateKey,
    config: &P2pConfig,
    namespace: &[u8],
    message_bytes_max: u32,
) -> Result<(
    Network<runtime::Context, Handshake>,
    discovery::Oracle<PublicKey>,
    Peers,
)> {
    let bootstrappers: Vec<(PublicKey, Ingress)> = config
        .peers
        .iter()
        .map(|peer| Ok((parse_key(&peer.public_key)?, Ingress::from(peer.address))))
        .collect::<Result<_>>()?;
    let others = NonZeroUsize::new(config.max_peers).context("p2p.max_peers is 0")?;
    let known = Set::from_iter_dedup(bootstrappers.iter().map(|(key, _)| key.clone()));
    let mut p2p = discovery::Config::local(
        Cups::<_, ChaCha20Poly1305>::new(
            Sake {
                signer: key.clone(),
                synchrony_bound: Duration::from_secs(5),
                max_handshake_age: Duration::from_secs(10),
                version: sake::Version::V1,
            },
            cups::Version::V1,
        ),
        namespace,
        config.listen,
        config.advertise.unwrap_or(config.listen),
        bootstrappers,
        // With ourselves.
        others.saturating_add(1),
        message_bytes_max,
        NZUsize!(1024),
    );
    // A validator that comes back after a crash should be heard within a view, not after it.
    p2p.peer_connection_cooldown = Duration::from_millis(250);
    p2p.dial_frequency = Duration::from_millis(200);
    // Who of the last epochs is still spoken with is in each set.
    p2p.tracked_peer_sets = NZUsize!(1);
    let (network, oracle) = Network::new(context, p2p);
    let peers = Peers::new(Dialing(oracle.clone()), key.public_key(), known, others);
    Ok((network, oracle, peers))
}

/// The network between nodes, told whom to let in.
struct Dialing(discovery::Oracle<PublicKey>);

impl Dialer for Dialing {
    fn track(&mut self, number: u64, peers: TrackedPeers<PublicKey>) {
        let _ = p2p::Manager::track(&mut self.0, number, peers);
    }
}

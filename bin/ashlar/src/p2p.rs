//! The network between nodes: authenticated, encrypted, and told by the chain whom to let in.

use crate::node::parse_key;
use anyhow::{Context as _, Result, ensure};
use chain::{Dialer, Peers};
use commonware_cryptography::{ChaCha20Poly1305, Signer as _, ed25519};
use commonware_p2p::{
    self as p2p, Ingress, TrackedPeers,
    authenticated::discovery::{self, Network},
};
use commonware_runtime::{Network as _, Supervisor as _, tokio as runtime};
use commonware_stream::{
    Upgrader as _,
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
    /// Network keys of nodes that this one does not speak with, whoever they are: for the time until the members have decided
    /// that they are out (docs/networks.md).
    #[serde(default)]
    pub blocked: Vec<String>,
}

impl P2pConfig {
    fn blocked(&self, me: &PublicKey) -> Result<Set<PublicKey>> {
        let mut blocked = Vec::with_capacity(self.blocked.len());
        for key in &self.blocked {
            let key = parse_key(key).context("p2p.blocked")?;
            ensure!(
                key != *me,
                "p2p.blocked has this node's own key: remove it, or stop the node"
            );
            blocked.push(key);
        }
        Ok(Set::from_iter_dedup(blocked))
    }

    /// The nodes to begin with, but those that are blocked.
    fn peers(&self, blocked: &Set<PublicKey>) -> Result<Vec<(PublicKey, SocketAddr)>> {
        let peers = self.peers.iter();
        let peers = peers.map(|peer| Ok((parse_key(&peer.public_key)?, peer.address)));
        let mut peers: Vec<_> = peers.collect::<Result<_>>()?;
        peers.retain(|(peer, _)| blocked.position(peer).is_none());
        Ok(peers)
    }
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
pub const WIRE_VERSION: u32 = 2;

/// How nodes prove who they are.
type Handshake = Cups<Sake<ed25519::PrivateKey>, ChaCha20Poly1305>;

fn handshake(key: &ed25519::PrivateKey) -> Handshake {
    Cups::<_, ChaCha20Poly1305>::new(
        Sake {
            signer: key.clone(),
            synchrony_bound: Duration::from_secs(5),
            max_handshake_age: Duration::from_secs(10),
            version: sake::Version::V1,
        },
        cups::Version::V1,
    )
}

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
    let blocked = config.blocked(&key.public_key())?;
    for peer in &blocked {
        tracing::warn!(%peer, "this node does not speak with a node that p2p.blocked names");
    }
    let bootstrappers = config.peers(&blocked)?.into_iter();
    let bootstrappers: Vec<_> = bootstrappers
        .map(|(peer, address)| (peer, Ingress::from(address)))
        .collect();
    let others = NonZeroUsize::new(config.max_peers).context("p2p.max_peers is 0")?;
    let known = Set::from_iter_dedup(bootstrappers.iter().map(|(key, _)| key.clone()));
    let mut p2p = discovery::Config::local(
        handshake(key),
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
    let dialing = Dialing {
        oracle: oracle.clone(),
        blocked,
    };
    let peers = Peers::new(dialing, key.public_key(), known, others);
    Ok((network, oracle, peers))
}

/// The network between nodes, told whom to let in.
struct Dialing {
    oracle: discovery::Oracle<PublicKey>,
    blocked: Set<PublicKey>,
}

impl Dialer for Dialing {
    fn track(&mut self, number: u64, peers: TrackedPeers<PublicKey>) {
        let allowed = |peers: Set<PublicKey>| {
            let blocked = |peer: &PublicKey| self.blocked.position(peer).is_some();
            Set::from_iter_dedup(peers.into_iter().filter(|peer| !blocked(peer)))
        };
        let peers = TrackedPeers::new(allowed(peers.primary), allowed(peers.secondary));
        let _ = p2p::Manager::track(&mut self.oracle, number, peers);
    }
}

/// How often the others are asked.
const KNOCK_EVERY: Duration = Duration::from_secs(3);
/// How long one may take to answer.
const KNOCK_PATIENCE: Duration = Duration::from_secs(2);
/// Times in a row that all who are up must refuse: 75 seconds. A connection that a former process of this node left behind when
/// its machine lost power is given up after 60, the runtime's timeout for reads.
const KNOCKS: u32 = 25;

/// Asks nodes that are up but do not speak with us why. A node speaks with one process for each key only, so a second one hears
/// nothing: its connections are refused when it has said which key it has.
pub struct Knocker {
    context: runtime::Context,
    handshake: Handshake,
    namespace: Vec<u8>,
    message_bytes_max: u32,
    peers: Vec<(PublicKey, SocketAddr)>,
}

/// What a node did with a connection.
enum Knock {
    /// It is not there.
    Nobody,
    /// It ended it when it heard our key.
    Refused,
    /// It took it.
    Opened,
}

impl Knocker {
    /// Asks the nodes of the configuration.
    pub fn new(
        context: runtime::Context,
        key: &ed25519::PrivateKey,
        config: &P2pConfig,
        namespace: &[u8],
        message_bytes_max: u32,
    ) -> Result<Self> {
        let mut peers = config.peers(&config.blocked(&key.public_key())?)?;
        // Configurations may name the node itself, which takes no connection with its own key.
        peers.retain(|(peer, _)| *peer != key.public_key());
        Ok(Self {
            context,
            handshake: handshake(key),
            namespace: namespace.to_vec(),
            message_bytes_max,
            peers,
        })
    }

    /// Returns when all nodes that are up have refused us for a while, as long as `unheard`. How many.
    pub async fn refused(&self, unheard: impl Fn() -> bool) -> usize {
        let mut knocks = 0;
        loop {
            tokio::time::sleep(KNOCK_EVERY).await;
            if !unheard() {
                return std::future::pending().await;
            }
            let (mut refused, mut opened) = (0, 0);
            for (peer, address) in &self.peers {
                match self.knock(peer, *address).await {
                    Knock::Nobody => {}
                    Knock::Refused => refused += 1,
                    Knock::Opened => opened += 1,
                }
            }
            knocks = if refused > 0 && opened == 0 {
                knocks + 1
            } else {
                0
            };
            if knocks >= KNOCKS && unheard() {
                return refused;
            }
        }
    }

    async fn knock(&self, peer: &PublicKey, address: SocketAddr) -> Knock {
        let dialing = tokio::time::timeout(KNOCK_PATIENCE, self.context.dial(address));
        let Ok(Ok((sink, stream))) = dialing.await else {
            return Knock::Nobody;
        };
        let greeting = self.handshake.clone().dial(
            self.context.child("knock"),
            &self.namespace,
            self.message_bytes_max,
            peer.clone(),
            stream,
            sink,
        );
        match tokio::time::timeout(KNOCK_PATIENCE, greeting).await {
            Ok(Ok(_)) => Knock::Opened,
            Ok(Err(_)) => Knock::Refused,
            Err(_) => Knock::Nobody,
        }
    }
}

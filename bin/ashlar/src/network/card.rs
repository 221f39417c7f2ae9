//! Cards: what founders know of one another before there is a network.

use super::signed::{self, Statement};
use crate::{
    cli::{CardArgs, PlaceArgs},
    files::{write_public, write_secret},
    node::NodeConfig,
    p2p::{P2pConfig, PeerConfig},
};
use alloy_primitives::{Address, B256, hex};
use anyhow::{Context as _, Result, bail, ensure};
use commonware_codec::Encode as _;
use commonware_cryptography::{Signer as _, ed25519};
use commonware_math::algebra::Random as _;
use contracts::member::NAME_MAX;
use serde::{Deserialize, Serialize};
use std::{
    fs,
    net::SocketAddr,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

/// An organization that founds a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Card {
    /// What people call it.
    pub organization: String,
    /// Its first account.
    pub administrator: Address,
    /// The key of its node.
    pub node: B256,
    /// Where its node is reached.
    pub address: SocketAddr,
    /// When the card was made, milliseconds since the Unix epoch.
    pub made_ms: u64,
}

impl Statement for Card {
    const FORMAT: &'static str = "ashlar-card/1";

    fn node(&self) -> B256 {
        self.node
    }
}

/// `ashlar network card`.
pub(super) fn make(args: &CardArgs) -> Result<()> {
    let length = args.organization.len();
    ensure!(
        (1..=NAME_MAX).contains(&length),
        "--organization: a name has 1 to {NAME_MAX} bytes, not {length}"
    );
    ensure!(
        !args.administrator.is_zero(),
        "--administrator: the zero address is nobody's"
    );
    let key = settle(&args.place, &[], super::MAX_PEERS, false)?;
    let card = Card {
        organization: args.organization.clone(),
        administrator: args.administrator,
        node: signed::key(&key.public_key()),
        address: reachable(&args.place)?,
        made_ms: u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?,
    };
    let file = args.place.dir.join("card.json");
    write_public(&file, signed::sign(card, &key)?.as_bytes())?;
    println!("{}", file.display());
    eprintln!(
        "Made the card of {} and its node's key. Send the card to the other founders; when you have theirs:\n  ashlar network new --dir {} --name NAME --chain-id ID CARD…",
        args.organization,
        args.place.dir.display()
    );
    Ok(())
}

/// Where others reach a node.
fn reachable(place: &PlaceArgs) -> Result<SocketAddr> {
    let address = place.advertise.unwrap_or(place.listen);
    ensure!(
        !address.ip().is_unspecified() && address.port() != 0,
        "nobody can connect to {address}: say with --advertise IP:PORT where other nodes reach this one"
    );
    Ok(address)
}

/// Makes a new node's key and configuration.
pub(super) fn settle(
    place: &PlaceArgs,
    peers: &[PeerConfig],
    max_peers: usize,
    state_sync: bool,
) -> Result<ed25519::PrivateKey> {
    reachable(place)?;
    let key_file = place.dir.join("network.key");
    if key_file.exists() {
        bail!(
            "{} is there already: choose another --dir, or remove that node's directory if nobody relies on it",
            key_file.display()
        );
    }
    fs::create_dir_all(&place.dir)
        .with_context(|| format!("cannot create {}", place.dir.display()))?;
    let key = ed25519::PrivateKey::random(rand::rng());
    let p2p = P2pConfig {
        listen: place.listen,
        advertise: place.advertise,
        max_peers,
        peers: peers.to_vec(),
        blocked: Vec::new(),
    };
    let config = NodeConfig {
        state_sync,
        ..NodeConfig::new("genesis.json", place.rpc, p2p)
    };
    configure(&place.dir, &config)?;
    write_secret(&key_file, hex::encode(key.encode()).as_bytes())?;
    Ok(key)
}

/// Writes a node's configuration.
pub(super) fn configure(dir: &Path, config: &NodeConfig) -> Result<()> {
    write_public(
        &dir.join("node.toml"),
        toml::to_string_pretty(config)?.as_bytes(),
    )
}

//! Passports: what a newcomer needs to know of a network that is there.

use super::{
    card, genesis_hash, is_bonded, peers_max,
    signed::{self, Statement},
};
use crate::{
    cli::{InviteArgs, JoinArgs},
    files::write_public,
    node::{NodeConfig, read_key, read_spec},
    p2p::PeerConfig,
};
use alloy_primitives::{B256, hex};
use anyhow::{Result, ensure};
use commonware_codec::Encode as _;
use commonware_cryptography::{Signer as _, ed25519};
use serde::{Deserialize, Serialize};
use types::ChainSpec;

/// A network, and whom to ask for it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Passport {
    /// The hash of block 0, which follows from the spec.
    genesis: B256,
    /// The network's public key in hex, which is in the spec.
    identity: String,
    /// Nodes to begin with. The first is the one that says so.
    peers: Vec<PeerConfig>,
    /// The node that says so.
    issuer: B256,
    /// The network's constitution.
    spec: ChainSpec,
}

impl Statement for Passport {
    const FORMAT: &'static str = "ashlar-passport/1";

    fn node(&self) -> B256 {
        self.issuer
    }
}

/// `ashlar network invite`.
pub(super) fn invite(args: &InviteArgs) -> Result<()> {
    let config = NodeConfig::read(&args.config)?;
    let spec = read_spec(&config.chain_spec)?;
    let key: ed25519::PrivateKey = read_key(&config.network_key)?;
    let me = key.public_key();
    let ours = PeerConfig {
        public_key: hex::encode(me.encode()),
        address: config.p2p.advertise.unwrap_or(config.p2p.listen),
    };
    let others = config.p2p.peers.into_iter();
    let others = others.filter(|peer| peer.public_key != ours.public_key);
    let passport = Passport {
        genesis: genesis_hash(&spec)?,
        identity: spec.identity_hex()?,
        peers: std::iter::once(ours.clone()).chain(others).collect(),
        issuer: signed::key(&me),
        spec,
    };
    println!("{}", signed::sign(passport, &key)?);
    Ok(())
}

/// `ashlar network join`.
pub(super) fn join(args: &JoinArgs) -> Result<()> {
    let passport: Passport = signed::read(&args.passport)?;
    let spec = ChainSpec::from_json(&passport.spec.to_json()?)?;
    let (genesis, identity) = (genesis_hash(&spec)?, spec.identity_hex()?);
    ensure!(
        genesis == passport.genesis && identity == passport.identity,
        "the passport says genesis {} and identity {}, but its chain spec makes {genesis} and {identity}: it was made by another version, or is a fraud",
        passport.genesis,
        passport.identity,
    );
    if let Some(expected) = &args.identity {
        let bare = |hex: &str| hex.trim().trim_start_matches("0x").to_lowercase();
        ensure!(
            bare(expected) == bare(&identity),
            "the passport is of the network with identity {identity}, not {expected}"
        );
    }
    let max_peers = peers_max(&spec);
    let key = card::settle(&args.place, &passport.peers, max_peers, !args.replay)?;
    let file = args.place.dir.join("genesis.json");
    write_public(&file, spec.to_json()?.as_bytes())?;
    let node = signed::key(&key.public_key());
    if let (true, Some(origin)) = (args.replay, &spec.origin) {
        eprintln!(
            "This network began with the state of an export: import it before the first start, with\n  ashlar import --config {} FILE     (the export {})",
            args.place.dir.join("node.toml").display(),
            origin.export
        );
    }
    println!("{node}");
    eprintln!(
        "This node will be {node} in {:?} (chain id {}).\n\
         Network identity: {identity}\n{}\n\
{}\
         Start it with:\n  ashlar node --config {}",
        spec.name,
        spec.chain_id,
        if args.identity.is_none() {
            "Compare it with what somebody you trust says: the passport alone proves nothing."
        } else {
            "It is the one you expected."
        },
        let_in(&spec, node),
        args.place.dir.join("node.toml").display(),
    );
    Ok(())
}

/// How a node gets into its network, in words.
fn let_in(spec: &ChainSpec, node: B256) -> String {
    let member = format!(
        "It is let in once its organization has it registered, which an administrator does:\n  \
         ashlar member set-node {node} observer --key-file FILE --rpc URL\n"
    );
    if is_bonded(spec) {
        format!(
            "{member}or once somebody has bonded on it, and with one of the highest bonds it will validate:\n  \
             ashlar stake bond {node} AMOUNT --key-file FILE --rpc URL\n"
        )
    } else {
        member
    }
}

//! Founding a network: the same agreement at every founder, and a key that they make together.

use super::{
    LIMITS, PACING,
    card::{Card, configure},
    deal, dev_accounts, funded, genesis_hash, peers_max, signed,
};
use crate::{
    cli::{BondingArgs, NewArgs},
    files::{DirectoryLock, write_public, write_secret},
    format,
    import::{Brought, bring},
    node::{NodeConfig, PREFIX, free, read_key, secrets_key},
    p2p::{self, P2pConfig, PeerConfig},
};
use alloy_primitives::{Address, B256, U256, hex, keccak256, utils::format_ether};
use anyhow::{Context as _, Result, anyhow, bail, ensure};
use chain::{
    ceremony::{self, Founded},
    genesis::{self, parameters},
    origin,
};
use commonware_codec::Encode as _;
use commonware_cryptography::{Signer as _, ed25519};
use commonware_parallel::Rayon;
use commonware_runtime::{
    Clock as _, Runner as _, Spawner as _, Supervisor as _, tokio as runtime,
};
use commonware_utils::{NZUsize, ordered::Set};
use contracts::{
    SystemContract,
    governance::Parameter,
    member::{Charter, Founder, Permissions, Policy, Role, VALIDATORS_MIN},
    stake::Bonding,
};
use serde::Serialize;
use std::{
    collections::BTreeMap, num::NonZeroU64, ops::RangeInclusive, path::Path, time::Duration,
};
use types::{ChainSpec, Committee, Fees, Fork, GenesisAccount, Origin, PublicKey, TURNS_PER_EPOCH};

/// How long a founder that is done serves those that are behind, at most.
const SERVED: Duration = Duration::from_secs(60);
/// Seconds of a timelock, as `Parameters` bounds it.
const TIMELOCK: RangeInclusive<u64> = 3_600..=30 * 86_400;
/// Wei that a founder's account has at block 0, at most: 2^120, so that sums of all there is stay far below a word.
const ALLOTMENT_MAX: U256 = U256::from_limbs([0, 1 << 56, 0, 0]);
/// How often people are told that this goes on.
const PATIENCE: Duration = Duration::from_secs(15);

/// How validators are chosen by bond.
#[derive(Clone, Debug, Serialize)]
struct Bonds {
    seats: u16,
    bond: U256,
    allotment: U256,
    unbonding: u64,
}

impl Bonds {
    fn new(args: &BondingArgs) -> Option<Self> {
        args.bonded.then_some(Self {
            seats: args.seats,
            bond: args.bond,
            allotment: args.allotment,
            unbonding: args.unbonding,
        })
    }

    fn bonding(&self) -> Bonding {
        // What does not fit is more than can be demanded, and refused as such.
        let bond = self.bond.saturating_to();
        Bonding {
            bond,
            minimum: bond,
            seats: self.seats,
            unbonding: self.unbonding,
        }
    }
}

/// What all founders agree on. Its hash is what they compare.
#[derive(Clone, Debug, Serialize)]
struct Agreement {
    name: String,
    chain_id: u64,
    epoch_blocks: NonZeroU64,
    validator_limit: u16,
    open: bool,
    dev: bool,
    timelock: u64,
    /// In a network of members it is not there, as in agreements of programs that know nothing of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    bonding: Option<Bonds>,
    /// By the keys of their nodes.
    founders: Vec<Card>,
    /// The state it begins with, and the time that block 0 must be after.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<(Origin, u64)>,
}

impl Agreement {
    fn new(args: &NewArgs) -> Result<Self> {
        let mut founders = Vec::with_capacity(args.cards.len());
        for path in &args.cards {
            founders.push(signed::read::<Card>(path)?);
        }
        founders.sort_by_key(|card| card.node);
        founders.dedup();
        let mut distinct: BTreeMap<String, &str> = BTreeMap::new();
        for card in &founders {
            for (what, value) in [
                ("name", card.organization.clone()),
                ("administrator", card.administrator.to_string()),
                ("node", card.node.to_string()),
                ("address", card.address.to_string()),
            ] {
                if let Some(other) = distinct.insert(format!("{what} {value}"), &card.organization)
                {
                    bail!(
                        "two cards have the {what} {value}: of {other} and {}",
                        card.organization
                    );
                }
            }
        }
        Ok(Self {
            name: args.name.clone(),
            chain_id: args.chain_id,
            epoch_blocks: args.epoch_blocks,
            validator_limit: args.validator_limit,
            open: args.open,
            dev: args.dev,
            timelock: args.timelock,
            bonding: Bonds::new(&args.bonding),
            founders,
            origin: None,
        })
    }

    /// Begins with the state of an export, which is imported here.
    fn bring(&mut self, storage: &Path, file: &Path) -> Result<()> {
        let founder = |card: &Card| origin::Founder {
            administrator: card.administrator,
            node: card.node,
        };
        let founders: Vec<_> = self.founders.iter().map(founder).collect();
        let Brought {
            origin,
            settled,
            after_ms,
        } = bring(storage, file, &founders)?;
        eprintln!(
            "Beginning with the state after block {} of the network with identity {} (chain id {})",
            origin.height,
            hex::encode_prefixed(&origin.identity),
            origin.chain_id
        );
        if !settled.closed {
            eprintln!(
                "WARNING: that network was not closed then. Whatever it executed after block {} is not in this one: ashlar gov propose close-network (docs/succession.md)",
                origin.height
            );
        }
        for (card, organization) in self.founders.iter().zip(&settled.organizations) {
            if card.organization != *organization {
                eprintln!(
                    "The card of {} is for the organization that is {organization:?} in this state",
                    card.organization
                );
            }
        }
        for node in &settled.retired {
            eprintln!("Node {node} does not validate any more: it may follow as an observer");
        }
        if self.chain_id == origin.chain_id {
            eprintln!(
                "WARNING: the chain id stays {}. Transactions that were signed for the old network and not executed there are valid here: never run both networks",
                self.chain_id
            );
        }
        self.dev = settled.dev;
        self.origin = Some((origin, after_ms));
        Ok(())
    }

    fn hash(&self) -> Result<B256> {
        Ok(keccak256(serde_json::to_vec(self)?))
    }

    /// The keys of the founders' nodes.
    fn nodes(&self) -> Result<Set<PublicKey>> {
        let nodes = self.founders.iter().map(|card| signed::node(&card.node));
        Ok(Set::from_iter_dedup(nodes.collect::<Result<Vec<_>>>()?))
    }

    fn peers(&self) -> Vec<PeerConfig> {
        let peer = |card: &Card| PeerConfig {
            public_key: hex::encode(card.node),
            address: card.address,
        };
        self.founders.iter().map(peer).collect()
    }

    /// The constitution that this makes with a committee of the founders' nodes.
    ///
    /// # Errors
    /// What is wrong with it.
    fn spec(&self, committee: &Committee) -> Result<ChainSpec> {
        let accounts = match self.origin {
            None => self.accounts()?,
            // They are in the state.
            Some(_) => BTreeMap::new(),
        };
        let made = self.founders.iter().map(|card| card.made_ms);
        let after = self.origin.iter().map(|(_, after_ms)| *after_ms);
        let spec = ChainSpec {
            name: self.name.clone(),
            chain_id: self.chain_id,
            fork: Fork::Osaka,
            dev: self.dev,
            time_ms: made.chain(after).max().unwrap_or_default(),
            fees: Fees::Free,
            limits: LIMITS,
            pacing: PACING,
            epoch_blocks: self.epoch_blocks,
            committee: committee.encode(),
            accounts,
            origin: self.origin.as_ref().map(|(origin, _)| origin.clone()),
        };
        Ok(ChainSpec::from_json(&spec.to_json()?)?)
    }

    /// What there is at block 0 of a network that begins empty.
    fn accounts(&self) -> Result<BTreeMap<Address, GenesisAccount>> {
        let founder = |card: &Card| Founder {
            // So the records that the account makes are the organization's.
            organization: card.administrator.into_word(),
            name: card.organization.clone(),
            accounts: BTreeMap::from([(card.administrator, Permissions::ALL)]),
            nodes: BTreeMap::from([(card.node, Role::Validator)]),
            validator_limit: self.validator_limit,
        };
        let charter = Charter {
            dev: self.dev,
            open: self.open,
            policy: match &self.bonding {
                Some(bonds) => Policy::Bonded(bonds.bonding()),
                None => Policy::Permissioned,
            },
            founders: self.founders.iter().map(founder).collect(),
        };
        let mut accounts = genesis::contracts(&charter, &parameters(&LIMITS, &PACING))?;
        let parameters = SystemContract::Parameters.address();
        if let Some(parameters) = accounts.get_mut(&parameters) {
            let slot = U256::from(Parameter::Timelock as u8);
            let timelock = U256::from(self.timelock);
            parameters.storage.insert(slot, timelock);
        }
        if self.dev {
            accounts.extend(funded(&dev_accounts()?)?);
        }
        if let Some(Bonds { allotment, .. }) = &self.bonding {
            for card in &self.founders {
                let account = accounts.entry(card.administrator).or_default();
                account.balance = account.balance.saturating_add(*allotment);
            }
        }
        Ok(accounts)
    }
}

/// `ashlar network new`.
pub(super) fn found(args: &NewArgs) -> Result<()> {
    let mut agreement = Agreement::new(args)?;
    let file = args.dir.join("node.toml");
    let config = NodeConfig::read(&file).with_context(|| {
        format!(
            "was this organization's card made in {}? Make it with: ashlar network card",
            args.dir.display()
        )
    })?;
    if config.chain_spec.exists() {
        bail!(
            "this node has a network already: {}. Start it with: ashlar node --config {}",
            config.chain_spec.display(),
            file.display()
        );
    }
    let key: ed25519::PrivateKey = read_key(&config.network_key)?;
    let me = signed::key(&key.public_key());
    ensure!(
        agreement.founders.iter().any(|card| card.node == me),
        "this organization's own card is not among those given: add {}",
        args.dir.join("card.json").display()
    );
    check(&agreement)?;
    free(config.p2p.listen, "p2p.listen")?;
    let _lock = DirectoryLock::take(&config.data_dir)?;
    format::mark(&config.data_dir)?;
    let storage = config.data_dir.join("chain");
    if let Some(export) = &args.from_export {
        agreement.bring(&storage, export)?;
        try_out(&agreement)?;
    }
    let hash = agreement.hash()?;
    eprintln!("Founding {:?} with", agreement.name);
    for card in &agreement.founders {
        let ours = if card.node == me { " (this one)" } else { "" };
        eprintln!(
            "  {}, {}, node {} at {}{ours}",
            card.organization, card.administrator, card.node, card.address
        );
    }
    eprintln!("Agreement {hash}: the same at every founder, or they wait for one another for ever");

    let founded = hold(&storage, &config.p2p, &agreement, &key)?;
    let spec = agreement.spec(&founded.committee)?;
    let exposed = founded.exposed();
    if !exposed.is_empty() {
        eprintln!(
            "WARNING: {} of the founders were out of reach while shares were dealt, and the others can compute theirs. The network works; to be safe agree anew (another name will do) and found it again.",
            exposed.len()
        );
    }
    let own = PeerConfig {
        public_key: hex::encode(me),
        address: config.p2p.listen,
    };
    let peers = agreement.peers().into_iter();
    // As it stands there, with paths relative to it.
    let mut written: NodeConfig = toml::from_str(&std::fs::read_to_string(&file)?)?;
    written.p2p.max_peers = written.p2p.max_peers.max(peers_max(&spec));
    written.p2p.peers = peers
        .filter(|peer| peer.public_key != own.public_key)
        .collect();
    configure(&args.dir, &written)?;
    write_secret(
        &args.dir.join("share.key"),
        hex::encode(founded.share.encode()).as_bytes(),
    )?;
    write_public(&config.chain_spec, spec.to_json()?.as_bytes())?;
    // The share is in its file now; what is left of the ceremony could only do harm.
    runner(&storage).start(|context| async move {
        ceremony::forget(context, PREFIX, &hash, &secrets_key(&key)).await
    })?;
    let identity = spec.identity_hex()?;
    println!("{identity}");
    eprintln!(
        "Network identity: the line above. Tell it to everyone who is to verify receipts.\nStart the node with:\n  ashlar node --config {}",
        file.display()
    );
    if spec.origin.is_some() {
        eprintln!(
            "Those who trust the old network's identity can follow, once it has named this one (docs/succession.md):\n  ashlar gov propose --rpc URL-OF-AN-OLD-NODE --key-file FILE name-successor {identity} {} {}",
            spec.chain_id,
            genesis_hash(&spec)?
        );
    }
    Ok(())
}

/// Whether the agreement makes a network, whatever its key will be: what would be refused after the ceremony is refused before it.
///
/// Charter and chain spec judge a trial with a key that nobody keeps. What is said before is what they do not know, or could not
/// say in the words of the command line.
fn check(agreement: &Agreement) -> Result<()> {
    let founders = agreement.founders.len();
    ensure!(
        founders >= VALIDATORS_MIN,
        "{founders} founders are too few: with fewer than {VALIDATORS_MIN} the network tolerates no fault"
    );
    let least = if agreement.dev {
        1
    } else {
        TIMELOCK.start().to_owned()
    };
    ensure!(
        (least..=*TIMELOCK.end()).contains(&agreement.timelock),
        "--timelock {}: choose {least} to {} seconds",
        agreement.timelock,
        TIMELOCK.end()
    );
    let blocks = founders as u64 * TURNS_PER_EPOCH;
    ensure!(
        agreement.epoch_blocks.get() >= blocks,
        "--epoch-blocks {}: with {founders} founders at least {blocks} are needed, so that each can deal",
        agreement.epoch_blocks,
    );
    if let Some(Bonds {
        seats, allotment, ..
    }) = &agreement.bonding
    {
        // Whoever has the money takes a seat, and nobody is asked.
        let blocks = u64::from(*seats) * TURNS_PER_EPOCH;
        ensure!(
            agreement.epoch_blocks.get() >= blocks,
            "--epoch-blocks {}: with {seats} seats at least {blocks} are needed, so that each validator can deal",
            agreement.epoch_blocks,
        );
        ensure!(
            *allotment <= ALLOTMENT_MAX,
            "--allotment: choose at most {} ether",
            format_ether(ALLOTMENT_MAX)
        );
    }
    try_out(agreement)
}

/// Makes the chain spec with a key that nobody keeps.
fn try_out(agreement: &Agreement) -> Result<()> {
    let (committee, _) = deal(agreement.nodes()?)?;
    agreement
        .spec(&committee)
        .context("this agreement makes no network")?;
    Ok(())
}

fn runner(storage: &Path) -> runtime::Runner {
    runtime::Runner::new(
        runtime::Config::default()
            .with_storage_directory(storage)
            .with_worker_threads(2)
            .with_tcp_nodelay(Some(true)),
    )
}

/// Makes the key with the others, and serves those that are behind.
fn hold(
    storage: &Path,
    place: &P2pConfig,
    agreement: &Agreement,
    key: &ed25519::PrivateKey,
) -> Result<Founded> {
    let hash = agreement.hash()?;
    let founders = agreement.nodes()?;
    let p2p = P2pConfig {
        peers: agreement.peers(),
        ..place.clone()
    };
    runner(storage).start(|context| async move {
        let (mut network, oracle, peers) = p2p::join(
            context.child("network"),
            key,
            &p2p,
            // Those with another agreement connect, too, and hear that it is another.
            b"ashlar/founding/1",
            ceremony::message_bytes_max(),
        )?;
        let mut quotas = ceremony::quotas().into_iter().zip(0_u64..);
        let channels = std::array::from_fn(|_| {
            let (quota, channel) = quotas.next().unwrap_or((ceremony::quotas()[0], u64::MAX));
            network.register(channel, quota)
        });
        network.start();
        let config = ceremony::Config {
            signer: key.clone(),
            founders,
            agreement: hash,
            partition_prefix: PREFIX.to_owned(),
            secrets_key: secrets_key(key),
            strategy: Rayon::new(NZUsize!(2))?,
        };
        let waiting = context.child("waiting").spawn(move |context| async move {
            loop {
                context.sleep(PATIENCE).await;
                eprintln!("Still founding: all founders must run this at the same time, with the same agreement {hash}. Stop with Ctrl-C; it can be started again.");
            }
        });
        let held = ceremony::hold(context.child("ceremony"), config, oracle, peers, channels);
        let held = Box::pin(held).await;
        waiting.abort();
        let (founded, serving) = held.map_err(|error| anyhow!("{error}"))?;
        eprintln!("The key is made. Waiting until the others have it, too.");
        let _ = tokio::time::timeout(SERVED, serving).await;
        Ok(founded)
    })
}

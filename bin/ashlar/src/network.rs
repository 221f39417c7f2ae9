//! A network's files: keys, chain spec and one configuration per process. Those of a development network are made here, those of
//! a network between organizations in the modules below.

mod card;
mod founding;
mod leave;
mod passport;
mod signed;
mod succession;

use crate::{
    cli::{NetworkArgs, NetworkCommand},
    files::{write_public, write_secret},
    gateway,
    node::NodeConfig,
    p2p::{P2pConfig, PeerConfig},
    supervisor::Service,
};
use alloy_primitives::{Address, B256, hex, utils::parse_ether};
use alloy_signer_local::{MnemonicBuilder, PrivateKeySigner, coins_bip39::English};
use anyhow::{Context as _, Result, bail};
use chain::{
    Share,
    genesis::{self, parameters},
};
use commonware_codec::Encode as _;
use commonware_cryptography::{
    Signer as _,
    bls12381::{
        dkg::feldman_desmedt,
        primitives::{sharing::Mode, variant::MinSig},
    },
    ed25519,
};
use commonware_math::algebra::Random as _;
use commonware_runtime::{Runner as _, buffer::paged::CacheRef, deterministic};
use commonware_utils::{
    N3f1, NZU16, NZU64, NZUsize, TryCollect as _,
    ordered::{Map, Set},
};
use contracts::{
    SystemContract,
    member::{self, Charter, Founder, Permissions, Policy, Role, SETTINGS},
    stake::Bonding,
};
use rand::RngExt as _;
use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    num::NonZeroU64,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};
use types::{ChainSpec, Committee, Fees, Fork, GenesisAccount, Limits, Pacing, PublicKey};

/// Chain id of development networks. Not 1337 or 31337: deployment tools treat those specially.
pub const DEV_CHAIN_ID: u64 = 4242;
/// The mnemonic every Ethereum developer's tools know. For development networks only.
const DEV_MNEMONIC: &str = "test test test test test test test test test test test junk";
/// Accounts funded from it.
const DEV_ACCOUNTS: u32 = 10;

/// Bounds on the blocks of a new network, until governance sets others.
const LIMITS: Limits = Limits {
    block_gas: 100_000_000,
};
/// When a new network makes blocks, until governance says otherwise.
const PACING: Pacing = Pacing {
    idle_interval_ms: 1_000,
    min_gap_ms: 5,
    settle_interval_ms: 50,
};
/// Blocks in an epoch: ten minutes of an idle chain, half a minute of a busy one.
const EPOCH_BLOCKS: NonZeroU64 = NZU64!(600);
/// Other nodes that a node of a new network speaks with at once, at most.
const MAX_PEERS: usize = 24;
/// As many in a network whose validators are chosen by bond: there may be 32 of them, without anybody being asked.
const MAX_PEERS_BONDED: usize = 48;
/// Seconds from unbonding to withdrawal on a bonded network of `ashlar up`.
const DEV_UNBONDING: u64 = 10;
/// Validators that each organization of a development network may have.
const DEV_VALIDATOR_LIMIT: u16 = 16;

/// Which ports a network on one machine uses.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    gateway: u16,
    rpc: u16,
    p2p: u16,
}

impl Ports {
    /// The documented ones (gateway 8080, JSON-RPC 8545 and up), or a row from `base`.
    pub fn new(base: Option<u16>, validators: u16) -> Result<Self> {
        let Some(base) = base else {
            return Ok(Self {
                gateway: 8080,
                rpc: 8545,
                p2p: 9545,
            });
        };
        if base < 1024 || u32::from(base) + 2 * u32::from(validators) >= 65_535 {
            bail!("--port-base {base}: choose one between 1024 and 65000");
        }
        Ok(Self {
            gateway: base,
            rpc: base + 1,
            p2p: base + 1 + validators,
        })
    }

    /// The first of a free row of ports for a gateway and its validators. Below the range from
    /// which systems draw ports for outgoing connections.
    pub fn find_free(validators: u16) -> Result<u16> {
        let mut rng = rand::rng();
        for _ in 0..100 {
            let base = rng.random_range(20_000..32_000_u16);
            let row = base..=base + 2 * validators;
            if row
                .map(loopback)
                .all(|address| TcpListener::bind(address).is_ok())
            {
                return Ok(base);
            }
        }
        bail!("found no free ports between 20000 and 32000")
    }

    /// The gateway's address.
    pub const fn gateway(&self) -> SocketAddr {
        loopback(self.gateway)
    }

    /// A validator's JSON-RPC address.
    pub const fn rpc(&self, index: u16) -> SocketAddr {
        loopback(self.rpc + index)
    }

    /// A validator's address for the others.
    pub const fn p2p(&self, index: u16) -> SocketAddr {
        loopback(self.p2p + index)
    }
}

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// A network's directory.
#[derive(Clone, Debug)]
pub struct Layout(PathBuf);

impl Layout {
    /// The network in `dir`.
    pub fn new(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let dir = dir
            .canonicalize()
            .with_context(|| format!("cannot open the directory {}", dir.display()))?;
        Ok(Self(dir))
    }

    /// The directory itself.
    pub fn dir(&self) -> &Path {
        &self.0
    }

    /// The chain spec.
    pub fn spec(&self) -> PathBuf {
        self.0.join("genesis.json")
    }

    /// What runs, for people and scripts.
    pub fn status(&self) -> PathBuf {
        self.0.join("up.json")
    }

    /// A validator's folder.
    pub fn validator(&self, index: u16) -> PathBuf {
        self.0.join("validators").join(index.to_string())
    }

    /// A validator's configuration.
    pub fn validator_config(&self, index: u16) -> PathBuf {
        self.validator(index).join("node.toml")
    }

    /// The gateway's folder.
    pub fn gateway(&self) -> PathBuf {
        self.0.join("gateway")
    }

    /// The gateway's configuration.
    pub fn gateway_config(&self) -> PathBuf {
        self.gateway().join("gateway.toml")
    }

    /// What a service says when it runs in a process of its own.
    pub fn log(&self, service: Service) -> PathBuf {
        let folder = match service {
            Service::Validator(index) => self.validator(index),
            Service::Gateway => self.gateway(),
        };
        folder.join("log")
    }

    /// The key applications show to the gateway.
    pub fn api_key(&self) -> PathBuf {
        self.gateway().join("api.key")
    }

    /// Whether a network was made here. The spec is written last.
    pub fn exists(&self) -> bool {
        self.spec().exists()
    }
}

/// The accounts of the usual test mnemonic.
pub fn dev_accounts() -> Result<Vec<PrivateKeySigner>> {
    (0..DEV_ACCOUNTS)
        .map(|index| {
            let builder = MnemonicBuilder::<English>::default().phrase(DEV_MNEMONIC);
            Ok(builder.index(index)?.build()?)
        })
        .collect()
}

/// Whether a network's validators are chosen by bond.
pub fn is_bonded(spec: &ChainSpec) -> bool {
    let members = spec.accounts.get(&SystemContract::Members.address());
    let settings = members.and_then(|members| members.storage.get(&SETTINGS));
    settings.is_some_and(|settings| member::is_bonded(*settings))
}

/// How many other nodes a new node of a network speaks with at once, at most.
fn peers_max(spec: &ChainSpec) -> usize {
    if is_bonded(spec) {
        MAX_PEERS_BONDED
    } else {
        MAX_PEERS
    }
}

/// Makes the keys, the spec and the validators' configurations of a development network.
///
/// One process deals all key shares, so it knows the network key for a moment: fine on one
/// machine, not between organizations.
pub fn create(layout: &Layout, validators: u16, bonded: bool, ports: &Ports) -> Result<()> {
    let mut rng = rand::rng();
    let mut keys: Vec<ed25519::PrivateKey> = (0..validators)
        .map(|_| ed25519::PrivateKey::random(&mut rng))
        .collect();
    // The engine numbers validators by key; number the folders alike.
    keys.sort_by_key(ed25519::PrivateKey::public_key);
    let players: Set<PublicKey> = keys
        .iter()
        .map(ed25519::PrivateKey::public_key)
        .try_collect()
        .map_err(|_| anyhow::anyhow!("two validators drew the same key"))?;
    let (committee, shares) = deal(players)?;
    let policy = if bonded {
        Policy::Bonded(Bonding {
            unbonding: DEV_UNBONDING,
            ..Bonding::default()
        })
    } else {
        Policy::Permissioned
    };
    let spec = dev_spec(&committee, &keys, policy)?;
    let peers: Vec<PeerConfig> = (0_u16..)
        .zip(&keys)
        .map(|(index, key)| PeerConfig {
            public_key: hex::encode(key.public_key().encode()),
            address: ports.p2p(index),
        })
        .collect();
    for (index, key) in (0_u16..).zip(&keys) {
        let folder = layout.validator(index);
        fs::create_dir_all(&folder)?;
        let share = shares
            .get_value(&key.public_key())
            .context("a validator got no share")?;
        write_secret(
            &folder.join("network.key"),
            hex::encode(key.encode()).as_bytes(),
        )?;
        write_secret(
            &folder.join("share.key"),
            hex::encode(share.encode()).as_bytes(),
        )?;
        let p2p = P2pConfig {
            listen: ports.p2p(index),
            advertise: None,
            max_peers: peers_max(&spec),
            peers: peers.clone(),
            blocked: Vec::new(),
        };
        let config = NodeConfig {
            archive: true,
            ..NodeConfig::new("../../genesis.json", ports.rpc(index), p2p)
        };
        let text = toml::to_string_pretty(&config)?;
        write_public(&layout.validator_config(index), text.as_bytes())?;
    }
    gateway::create(layout, &spec, validators, ports)?;
    write_public(&layout.spec(), spec.to_json()?.as_bytes())
}

/// A committee of these validators with a new key, and the share of each. Whoever deals knows the key.
///
/// # Errors
/// There are no validators.
fn deal(validators: Set<PublicKey>) -> Result<(Committee, Map<PublicKey, Share>)> {
    let mode = Mode::NonZeroCounter;
    let (output, shares) = feldman_desmedt::deal::<MinSig, _, N3f1>(rand::rng(), mode, validators)
        .context("dealing the key shares")?;
    Ok((Committee::new(output), shares))
}

/// `ashlar network`.
pub fn command(args: &NetworkArgs) -> Result<()> {
    match &args.command {
        NetworkCommand::Card(args) => card::make(args),
        NetworkCommand::New(args) => founding::found(args),
        NetworkCommand::Invite(args) => passport::invite(args),
        NetworkCommand::Join(args) => passport::join(args),
        NetworkCommand::Leave(args) => leave::leave(args),
        NetworkCommand::Gateway(args) => gateway::settle(args),
        NetworkCommand::Succession(args) => succession::succession(args),
    }
}

/// Hash of block 0. Its state root is computed in memory, as every node computes it on disk.
pub fn genesis_hash(spec: &ChainSpec) -> Result<B256> {
    let spec = spec.clone();
    deterministic::Runner::default().start(|context| async move {
        let pages = CacheRef::new(NZU16!(4096), NZUsize!(64));
        Ok(state::open_genesis(context, "genesis", &spec, pages)
            .await?
            .hash())
    })
}

fn dev_spec(
    committee: &Committee,
    validators: &[ed25519::PrivateKey],
    policy: Policy,
) -> Result<ChainSpec> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(ChainSpec {
        name: "development".to_owned(),
        chain_id: DEV_CHAIN_ID,
        fork: Fork::Osaka,
        dev: true,
        // As if an idle interval had passed: then the first block is due at once, and `up` need not wait for it.
        time_ms: u64::try_from(now.as_millis())?.saturating_sub(PACING.idle_interval_ms),
        fees: Fees::Free,
        limits: LIMITS,
        pacing: PACING,
        epoch_blocks: EPOCH_BLOCKS,
        committee: committee.encode(),
        accounts: genesis_accounts(validators, policy)?,
        origin: None,
    })
}

/// The system contracts, and the development accounts with money.
fn genesis_accounts(
    validators: &[ed25519::PrivateKey],
    policy: Policy,
) -> Result<BTreeMap<Address, GenesisAccount>> {
    let dev_accounts = dev_accounts()?;
    let charter = Charter {
        dev: true,
        open: true,
        policy,
        founders: founders(&dev_accounts, validators),
    };
    let mut accounts = genesis::contracts(&charter, &parameters(&LIMITS, &PACING))?;
    accounts.extend(funded(&dev_accounts)?);
    Ok(accounts)
}

/// Development accounts as they are at genesis: with money.
fn funded(accounts: &[PrivateKeySigner]) -> Result<BTreeMap<Address, GenesisAccount>> {
    let account = GenesisAccount {
        balance: parse_ether("10000")?,
        ..GenesisAccount::default()
    };
    let funded = |signer: &PrivateKeySigner| (signer.address(), account.clone());
    Ok(accounts.iter().map(funded).collect())
}

/// An organization for each validator, as long as there are accounts to administer one.
fn founders(accounts: &[PrivateKeySigner], validators: &[ed25519::PrivateKey]) -> Vec<Founder> {
    let count = accounts.len().min(validators.len());
    let founder = |(index, account): (usize, &PrivateKeySigner)| {
        let keys = validators.iter().skip(index).step_by(count);
        let key = |key: &ed25519::PrivateKey| B256::from_slice(key.public_key().as_ref());
        Founder {
            // So the records that the account makes are the organization's.
            organization: account.address().into_word(),
            name: format!("org-{}", index + 1),
            accounts: BTreeMap::from([(account.address(), Permissions::ALL)]),
            nodes: keys.map(|node| (key(node), Role::Validator)).collect(),
            validator_limit: DEV_VALIDATOR_LIMIT,
        }
    };
    accounts
        .iter()
        .take(count)
        .enumerate()
        .map(founder)
        .collect()
}

//! `ashlar node`: one validator from a TOML file, on the production runtime.

use crate::{
    cli::ServiceArgs,
    files::{self, DirectoryLock, beside},
    format,
    network::dev_accounts,
    p2p::{self, P2pConfig},
    shutdown::{self, Shutdown},
};
use alloy_primitives::{hex, keccak256};
use anyhow::{Context as _, Result, anyhow};
use chain::{SecretsKey, StartError};
use commonware_codec::Encode as _;
use commonware_cryptography::ed25519;
use commonware_parallel::Rayon;
use commonware_runtime::{Runner as _, Spawner as _, Supervisor as _, tokio as runtime};
use serde::{Deserialize, Serialize};
use state::GenesisError;
use std::{
    any::Any,
    fmt,
    net::{SocketAddr, TcpListener},
    num::{NonZeroU64, NonZeroUsize},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use types::ChainSpec;
use zeroize::Zeroizing;

/// Prefix of all that the chain stores, and of what the ceremony that made its key stores beside it.
pub const PREFIX: &str = "ashlar";
/// How long a stopping node may take to finish what it is doing.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// A validator's configuration file. Paths are relative to the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// The network's constitution. Another file makes another network.
    pub chain_spec: PathBuf,
    /// Where the chain is kept. Used by one process at a time.
    pub data_dir: PathBuf,
    /// Our ed25519 network key, hex, mode 0600. It names us to the other validators.
    pub network_key: PathBuf,
    /// Our share of the network's BLS key at block 0, hex, mode 0600, if the network's maker dealt one. The first start takes it
    /// over, sealed, into the data directory and erases this file. Two nodes with one share can fork the chain's votes: never
    /// copy it.
    #[serde(default)]
    pub share: Option<PathBuf>,
    /// Threads for network, disk and consensus.
    #[serde(default = "default_threads")]
    pub worker_threads: usize,
    /// Threads for signatures.
    #[serde(default = "default_threads")]
    pub crypto_threads: usize,
    /// Megabytes of disk pages kept in memory; below the state's working set reads become slow.
    #[serde(default = "default_page_cache")]
    pub page_cache_mib: usize,
    /// Whether the states of past blocks are kept and can be read, from the block on from which this is set. Without, what
    /// asks for an old state is refused.
    #[serde(default)]
    pub archive: bool,
    /// Whether a node that has no state yet takes it from others instead of executing the chain from block 0. It then has
    /// nothing of what earlier blocks did.
    #[serde(default)]
    pub state_sync: bool,
    /// How many of the last blocks are kept at least, with their transaction receipts and logs. Without, all are. At least two
    /// epochs, and not with `archive`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_blocks: Option<NonZeroU64>,
    /// JSON-RPC.
    pub rpc: RpcConfig,
    /// The network between validators.
    pub p2p: P2pConfig,
}

/// Where applications reach the node.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RpcConfig {
    /// HTTP and WebSocket. Anyone who reaches it may send transactions: keep it on loopback or behind a gateway.
    pub listen: SocketAddr,
}

const fn default_threads() -> usize {
    2
}

const fn default_page_cache() -> usize {
    128
}

impl NodeConfig {
    /// That of a new node: its files are beside this one, and the rest is as it is without being said. `chain_spec` is relative
    /// to the file, too.
    pub fn new(chain_spec: &str, rpc: SocketAddr, p2p: P2pConfig) -> Self {
        Self {
            chain_spec: chain_spec.into(),
            data_dir: "data".into(),
            network_key: "network.key".into(),
            share: Some("share.key".into()),
            worker_threads: default_threads(),
            crypto_threads: default_threads(),
            page_cache_mib: default_page_cache(),
            archive: false,
            state_sync: false,
            keep_blocks: None,
            rpc: RpcConfig { listen: rpc },
            p2p,
        }
    }

    /// Reads a configuration file and makes its paths absolute.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the node configuration {}", path.display()))?;
        let mut config: Self =
            toml::from_str(&text).with_context(|| format!("in {}", path.display()))?;
        for path_field in [
            &mut config.chain_spec,
            &mut config.data_dir,
            &mut config.network_key,
        ] {
            *path_field = beside(path, path_field);
        }
        if let Some(share) = &mut config.share {
            *share = beside(path, share);
        }
        Ok(config)
    }
}

/// `ashlar node`.
pub fn node(args: &ServiceArgs) -> Result<()> {
    let (stopper, shutdown) = shutdown::channel();
    stopper.on_signals(args.stop_with_parent)?;
    run(NodeConfig::read(&args.config)?, shutdown)
}

/// Reads a chain spec.
pub fn read_spec(path: &Path) -> Result<ChainSpec> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the chain spec {}", path.display()))?;
    ChainSpec::from_json(&text).with_context(|| format!("in {}", path.display()))
}

/// Runs a validator on this thread until it is told to stop, or fails.
pub fn run(config: NodeConfig, shutdown: Shutdown) -> Result<()> {
    format::check(&config.data_dir)?;
    let _lock = DirectoryLock::take(&config.data_dir)?;
    format::mark(&config.data_dir)?;
    let spec = Arc::new(read_spec(&config.chain_spec)?);
    let key: ed25519::PrivateKey = read_key(&config.network_key)?;
    let share: Option<chain::Share> = match &config.share {
        Some(path) if path.exists() => Some(read_key(path)?),
        _ => None,
    };
    free(config.p2p.listen, "p2p.listen")?;
    free(config.rpc.listen, "rpc.listen")?;
    let held = Held {
        data_dir: config.data_dir.clone(),
        worker_threads: config.worker_threads,
    };
    held.run(async |context| Box::pin(serve(context, &config, spec, key, share, shutdown)).await)
}

/// A data directory that this process holds.
pub struct Held {
    /// The directory.
    pub data_dir: PathBuf,
    /// Threads for network, disk and consensus.
    pub worker_threads: usize,
}

impl Held {
    /// Runs a node on it until `serve` returns, and then stops what that began.
    pub fn run(self, serve: impl AsyncFnOnce(runtime::Context) -> Result<()>) -> Result<()> {
        let runner = runtime::Runner::new(
            runtime::Config::default()
                .with_storage_directory(self.data_dir.join("chain"))
                .with_worker_threads(self.worker_threads)
                .with_tcp_nodelay(Some(true)),
        );
        let stopping = AtomicBool::new(false);
        let running = || {
            runner.start(|context| async {
                let stop = context.child("stop");
                let served = serve(context).await;
                stopping.store(served.is_ok(), Ordering::Relaxed);
                let stopped = stop.stop(0, Some(STOP_TIMEOUT)).await;
                served?;
                stopped.context("the node did not stop in time")
            })
        };
        catch_unwind(AssertUnwindSafe(running)).unwrap_or_else(|panic| {
            let cause = panic_text(&*panic);
            if stopping.load(Ordering::Relaxed) {
                // Told to stop, the engine's parts end in any order, and one that waits for another panics. What is durable is
                // what it would be after a crash.
                tracing::debug!(
                    cause,
                    "a part of the engine missed another while the node stopped"
                );
                return Ok(());
            }
            // The engine panics when its storage fails: going on could break a promise. The process ends, and says what it was.
            Err(storage_failed(&self.data_dir, cause))
        })
    }
}

/// The end of a node that cannot trust its storage.
fn storage_failed(data_dir: &Path, cause: impl fmt::Display) -> anyhow::Error {
    anyhow!(
        "the node stopped, because it must not go on: {cause}. If its disk is full, free space and start it again. If \
         files in {} are damaged, restore this validator's own backup; never copy another's (docs/backup.md)",
        data_dir.display(),
    )
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("unknown reason")
        .to_owned()
}

async fn serve(
    context: runtime::Context,
    config: &NodeConfig,
    spec: Arc<ChainSpec>,
    key: ed25519::PrivateKey,
    share: Option<chain::Share>,
    shutdown: Shutdown,
) -> Result<()> {
    let namespace = p2p_namespace(&spec)?;
    let (mut network, oracle, peers) = p2p::join(
        context.child("network"),
        &key,
        &config.p2p,
        &namespace,
        chain::message_bytes_max(),
    )?;
    let knocker = p2p::Knocker::new(
        context.child("knocker"),
        &key,
        &config.p2p,
        &namespace,
        chain::message_bytes_max(),
    )?;
    let mut quotas = chain::quotas().into_iter().zip(0_u64..);
    let channels = std::array::from_fn(|_| {
        let (quota, channel) = quotas.next().unwrap_or((chain::quotas()[0], u64::MAX));
        network.register(channel, quota)
    });
    network.start();

    let threads = NonZeroUsize::new(config.crypto_threads).unwrap_or(NonZeroUsize::MIN);
    let starting = Box::pin(chain::start(
        context.child("chain"),
        chain::Config {
            spec,
            partition_prefix: PREFIX.to_owned(),
            secrets_key: secrets_key(&key),
            signer: key,
            share,
            strategy: Rayon::new(threads)?,
            page_cache_bytes: config.page_cache_mib << 20,
            mempool: chain::mempool::Limits::default(),
            archive: config.archive,
            state_sync: config.state_sync,
            program: chain::Program::default(),
            keep_blocks: config.keep_blocks,
            section_items: chain::SECTION_ITEMS,
            give_way,
        },
        oracle,
        peers,
        channels,
    ));
    let mut stopping = shutdown.clone();
    let started = tokio::select! {
        started = starting => started,
        // It may wait for others.
        () = stopping.requested() => return Ok(()),
    };
    let (consensus, node) = started.map_err(|error| start_failed(&config.data_dir, error))?;
    if let Some(share) = &config.share
        && share.exists()
    {
        // It is sealed in the data directory now, or of an epoch that is over: there it could only do harm.
        files::erase(share)?;
        tracing::info!(file = %share.display(), "the share is taken over, and its file erased");
    }

    let server = bind(&node, config.rpc.listen).await?;
    tracing::info!(rpc = %server.address(), p2p = %config.p2p.listen, height = node.latest().number(), "node is up");
    let upgrades = node.upgrades().clone();
    tracing::info!("this program has {}", upgrades.program());
    let mut stopping = shutdown.clone();
    let fence = node.clone();
    let serving = server.run(node, async move { stopping.requested().await });
    let mut shutdown = shutdown;
    tokio::select! {
        served = serving => served.context("JSON-RPC server"),
        outdated = upgrades.outdated() => Err(outdated.into()),
        fenced = fence.fenced() => Err(fenced.into()),
        refused = knocker.refused(|| fence.is_unheard()) => Err(anyhow!(
            "another process seems to run with this validator's key: {refused} nodes are up, and take no (second) connection with \
             it. Stop one of the two, and never run a copy: of the two, only the original may go on. If there is no other, this \
             node may be no member's any more",
        )),
        ended = consensus => Err(anyhow!("consensus ended: {ended:?}")),
        () = shutdown.requested() => Ok(()),
    }
}

/// What to say when a node cannot start on its data.
pub fn start_failed(data_dir: &Path, error: StartError) -> anyhow::Error {
    match error {
        StartError::Storage(_)
        | StartError::Metadata(_)
        | StartError::HistoryLost { .. }
        | StartError::Genesis(GenesisError::Storage(_)) => storage_failed(data_dir, error),
        other => anyhow!("cannot start on {}: {other}", data_dir.display()),
    }
}

/// Takes the port of a node's JSON-RPC.
pub async fn bind(node: &chain::Node, listen: SocketAddr) -> Result<rpc::Server> {
    let dev_keys = if node.spec().dev {
        dev_accounts()?
    } else {
        Vec::new()
    };
    let config = rpc::Config {
        dev_keys,
        give_way,
        ..rpc::Config::new(listen)
    };
    Ok(rpc::Server::bind(config).await?)
}

/// Lowers this thread's priority below that of consensus and of short answers. Half a nice scale, so that it still gets on:
/// between its steps it holds the lock of the state.
pub fn give_way() {
    // Elsewhere it would be the priority of the process.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(10) {
        tracing::debug!(%error, "what takes long runs at the usual priority");
    }
}

/// What secrets are sealed under in the data directory: it follows from the network key, which is not there. Whoever has a copy
/// of the data directory alone has no share.
pub fn secrets_key(key: &ed25519::PrivateKey) -> SecretsKey {
    let secret = Zeroizing::new(key.encode().to_vec());
    let input = Zeroizing::new([b"ashlar/secrets/1".as_slice(), &secret].concat());
    SecretsKey::new(keccak256(&*input).0)
}

/// Binds connections between nodes to this network and to what they say to each other: with another spec or another wire
/// version nobody can connect.
fn p2p_namespace(spec: &ChainSpec) -> Result<Vec<u8>> {
    Ok([
        format!("ashlar/p2p/{}", p2p::WIRE_VERSION).as_bytes(),
        keccak256(serde_json::to_vec(spec)?).as_slice(),
    ]
    .concat())
}

/// Fails with the name of the setting if its port is taken.
pub fn free(address: SocketAddr, setting: &str) -> Result<()> {
    TcpListener::bind(address).map(|_| ()).with_context(|| {
        format!(
            "cannot listen on {address} ({setting}): is another process using port {}? Stop it, or choose another port",
            address.port(),
        )
    })
}

pub fn parse_key<K: commonware_codec::DecodeExt<()>>(text: &str) -> Result<K> {
    let bytes = hex::decode(text.trim()).context("not hex")?;
    K::decode(bytes::Bytes::from(bytes)).map_err(|error| anyhow!("not a key: {error}"))
}

pub fn read_key<K: commonware_codec::DecodeExt<()>>(path: &Path) -> Result<K> {
    let text = files::read_secret(path)?;
    parse_key(&text).with_context(|| format!("in the key file {}", path.display()))
}

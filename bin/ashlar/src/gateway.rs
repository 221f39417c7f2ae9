//! `ashlar gateway`: one gateway from a TOML file, and what `up` needs to know of it.

use crate::{
    cli::{GatewayArgs, ServiceArgs},
    files::{beside, write_public, write_secret},
    network::{Layout, Ports, genesis_hash},
    node::{NodeConfig, read_spec},
    shutdown::{self, Shutdown},
};
use alloy_primitives::hex;
use alloy_signer_local::PrivateKeySigner;
use anyhow::{Context as _, Result, bail};
use client::rpc::Nodes;
use gateway::{
    ApiKey, Config,
    config::{Limits, NetworkConfig},
};
use std::{net::SocketAddr, path::Path, time::Duration};
use types::ChainSpec;
use zeroize::Zeroizing;

/// The tenant of a network made by `ashlar up`.
const TENANT: &str = "demo";
/// How long a service may take to say that it is up.
const PROBE_TIMEOUT: Duration = Duration::from_millis(500);

/// Makes the configuration of the gateway of a development network, and the key that opens it.
pub fn create(layout: &Layout, spec: &ChainSpec, validators: u16, ports: &Ports) -> Result<()> {
    let rpc = (0..validators).map(|index| ports.rpc(index));
    let config = Config {
        create_relayer_key: true,
        ..config(spec, ports.gateway(), rpc)?
    };
    write(&layout.gateway(), config, TENANT)
}

fn config(
    spec: &ChainSpec,
    listen: SocketAddr,
    rpc: impl Iterator<Item = SocketAddr>,
) -> Result<Config> {
    Ok(Config {
        listen,
        data_dir: "data".into(),
        nodes: rpc.map(url).collect(),
        relayer_key_file: None,
        create_relayer_key: false,
        network: NetworkConfig {
            chain_id: spec.chain_id,
            genesis: genesis_hash(spec)?,
            identity: spec.committee()?.identity().into(),
        },
        api_keys: Vec::new(),
        limits: Limits::default(),
    })
}

/// Writes a configuration with one API key, and that key.
fn write(dir: &Path, mut config: Config, tenant: &str) -> Result<()> {
    let (key, api_key) = ApiKey::generate(tenant);
    config.api_keys.push(api_key);
    std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    write_secret(&dir.join("api.key"), key.as_bytes())?;
    write_public(&dir.join("gateway.toml"), config.to_toml().as_bytes())
}

/// `ashlar network gateway`.
pub fn settle(args: &GatewayArgs) -> Result<()> {
    let node = NodeConfig::read(&args.config)?;
    let spec = read_spec(&node.chain_spec)?;
    let file = args.dir.join("gateway.toml");
    if file.exists() {
        bail!("{} is there already: choose another --dir", file.display());
    }
    let relayer = PrivateKeySigner::random();
    let config = Config {
        relayer_key_file: Some("relayer.key".into()),
        ..config(&spec, args.listen, std::iter::once(node.rpc.listen))?
    };
    write(&args.dir, config, &args.tenant)?;
    let secret = Zeroizing::new(hex::encode(relayer.to_bytes()));
    write_secret(&args.dir.join("relayer.key"), secret.as_bytes())?;
    println!("{}", relayer.address());
    eprintln!(
        "Made a gateway's configuration. It sends its transactions by the account above; where not every account may transact, an\n\
         administrator lets it:\n  ashlar member set-account {} transact --key-file FILE --rpc {}\n\
         Start it with:\n  ashlar gateway --config {}\n\
         Applications show it the API key in {}. More nodes can be named in the configuration.",
        relayer.address(),
        url(node.rpc.listen),
        file.display(),
        args.dir.join("api.key").display(),
    );
    Ok(())
}

/// `ashlar gateway`.
pub fn gateway(args: &ServiceArgs) -> Result<()> {
    let (stopper, shutdown) = shutdown::channel();
    stopper.on_signals(args.stop_with_parent)?;
    run(&args.config, shutdown)
}

/// Runs a gateway on this thread until it is told to stop, or fails.
pub fn run(path: &Path, mut shutdown: Shutdown) -> Result<()> {
    let config = read(path)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(gateway::run(config, |_| {}, async move {
        shutdown.requested().await;
    }))?;
    Ok(())
}

fn read(path: &Path) -> Result<Config> {
    let mut config = Config::load(path).with_context(|| format!("in {}", path.display()))?;
    config.data_dir = beside(path, &config.data_dir);
    config.relayer_key_file = config.relayer_key_file.map(|file| beside(path, &file));
    Ok(config)
}

/// Where the gateway with this configuration listens.
pub fn listen(path: &Path) -> Result<SocketAddr> {
    Ok(read(path)?.listen)
}

/// The address as applications use it.
pub fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

/// Whether a node answers and has final blocks to show.
pub async fn node_answers(rpc: &str) -> bool {
    let Ok(nodes) = Nodes::new(&[rpc.to_owned()], PROBE_TIMEOUT) else {
        return false;
    };
    nodes.identity().await.is_ok()
}

/// Whether a gateway can do its work.
pub async fn is_ready(url: &str) -> bool {
    let Ok(gateway) = client::gateway::Gateway::new(url, "") else {
        return false;
    };
    tokio::time::timeout(PROBE_TIMEOUT, gateway.ready())
        .await
        .is_ok_and(|ready| ready.is_ok())
}

//! `ashlar gateway`: one gateway from a TOML file, and what `up` needs to know of it.

use crate::{
    cli::ServiceArgs,
    files::{beside, write_public, write_secret},
    network::{Layout, Ports, genesis_hash},
    shutdown::{self, Shutdown},
};
use anyhow::{Context as _, Result};
use client::rpc::Nodes;
use gateway::{
    ApiKey, Config,
    config::{Limits, NetworkConfig},
};
use std::{net::SocketAddr, path::Path, time::Duration};
use types::ChainSpec;

/// The tenant of a network made by `ashlar up`.
const TENANT: &str = "demo";
/// How long a service may take to say that it is up.
const PROBE_TIMEOUT: Duration = Duration::from_millis(500);

/// Makes the configuration of the gateway of a development network, and the key that opens it.
pub fn create(layout: &Layout, spec: &ChainSpec, validators: u16, ports: &Ports) -> Result<()> {
    let (key, api_key) = ApiKey::generate(TENANT);
    let config = Config {
        listen: ports.gateway(),
        data_dir: "data".into(),
        nodes: (0..validators)
            .map(|index| format!("http://{}", ports.rpc(index)))
            .collect(),
        relayer_key_file: None,
        create_relayer_key: true,
        network: NetworkConfig {
            chain_id: spec.chain_id,
            genesis: genesis_hash(spec)?,
            identity: spec.committee()?.identity().into(),
        },
        api_keys: vec![api_key],
        limits: Limits::default(),
    };
    std::fs::create_dir_all(layout.gateway())?;
    write_secret(&layout.api_key(), key.as_bytes())?;
    write_public(&layout.gateway_config(), config.to_toml().as_bytes())
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

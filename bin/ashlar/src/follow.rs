//! `ashlar follow`: a full node outside the network, on blocks that it takes from nodes it does not believe.

use crate::{
    cli::FollowArgs,
    files::{DirectoryLock, write_public},
    format,
    network::genesis_hash,
    node::{self, Held},
    shutdown::{self, Shutdown},
};
use alloy_primitives::{B256, Bytes, FixedBytes, U64};
use anyhow::{Context as _, Result, bail};
use chain::{
    CertifiedBlock, CertifiedHeader, Page, Upstream, UpstreamError,
    follow::{self, UPSTREAMS_MAX},
};
use client::{
    node::{self as wire, CertifiedBlocks},
    rpc::{Nodes, RpcError, TIMEOUT_DEFAULT},
};
use commonware_parallel::Rayon;
use commonware_runtime::{Supervisor as _, tokio as runtime};
use std::{
    collections::BTreeSet,
    error::Error as _,
    num::NonZeroUsize,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use types::ChainSpec;

/// Prefix of all that a follower stores: what a node of the network stored before it, it leaves alone.
const PREFIX: &str = "follower";
/// The file in a data directory that says that it is a follower's.
const MARK: &str = "follower";
/// What a node answers that has no blocks so old (EIP-4444).
const PRUNED: i64 = 4444;
/// Characters of what an upstream says that are passed on to people.
const QUOTED_MAX: usize = 200;
/// What one answers that does not know the method.
const NO_METHOD: i64 = -32601;

/// `ashlar follow`.
pub fn follow(args: &FollowArgs) -> Result<()> {
    let (stopper, shutdown) = shutdown::channel();
    stopper.on_signals(args.stop_with_parent)?;
    let spec = Arc::new(node::read_spec(&args.chain_spec)?);
    let expected = Expected {
        chain_id: spec.chain_id,
        genesis: genesis_hash(&spec)?,
        identity: spec.committee()?.identity().into(),
    };
    if let Some(identity) = args.identity
        && identity != expected.identity
    {
        bail!(
            "{} is of the network with identity {}, not {identity}: get the chain spec (genesis.json) of that network from a member",
            args.chain_spec.display(),
            expected.identity
        );
    }
    let remotes = remotes(&args.upstreams, &expected)?;
    format::check(&args.data_dir)?;
    let _lock = DirectoryLock::take(&args.data_dir)?;
    mark(&args.data_dir)?;
    format::mark(&args.data_dir)?;
    node::free(args.rpc, "--rpc")?;
    if remotes.len() == 1 {
        tracing::warn!(
            "one upstream alone can hold back what is new, and this node cannot tell: give it two or more, of different organizations"
        );
    }
    let held = Held {
        data_dir: args.data_dir.clone(),
        worker_threads: args.worker_threads,
    };
    held.run(async |context| Box::pin(serve(context, args, spec, remotes, shutdown)).await)
}

async fn serve(
    context: runtime::Context,
    args: &FollowArgs,
    spec: Arc<ChainSpec>,
    remotes: Vec<Remote>,
    shutdown: Shutdown,
) -> Result<()> {
    let threads = NonZeroUsize::new(args.crypto_threads).unwrap_or(NonZeroUsize::MIN);
    let count = remotes.len();
    let started = Box::pin(follow::start(
        context.child("chain"),
        follow::Config {
            spec,
            partition_prefix: PREFIX.to_owned(),
            upstreams: remotes,
            strategy: Rayon::new(threads)?,
            page_cache_bytes: args.page_cache_mib << 20,
            mempool: chain::mempool::Limits::default(),
            archive: args.archive,
            program: chain::Program::default(),
            keep_blocks: args.keep_blocks,
            section_items: chain::SECTION_ITEMS,
            give_way: node::give_way,
        },
    ))
    .await;
    let (engine, follower) = started.map_err(|error| node::start_failed(&args.data_dir, error))?;
    let server = node::bind(&follower, args.rpc).await?;
    tracing::info!(rpc = %server.address(), upstreams = count, height = follower.latest().number(), "follower is up");
    let upgrades = follower.upgrades().clone();
    tracing::info!("this program has {}", upgrades.program());
    let mut stopping = shutdown.clone();
    let serving = server.run(follower, async move { stopping.requested().await });
    let mut shutdown = shutdown;
    tokio::select! {
        served = serving => served.context("JSON-RPC server"),
        outdated = upgrades.outdated() => Err(outdated.into()),
        ended = engine => bail!("this follower takes no blocks any more: {ended:?}"),
        () = shutdown.requested() => Ok(()),
    }
}

/// Makes a new data directory a follower's, or sees that it is one.
fn mark(dir: &Path) -> Result<()> {
    let file = dir.join(MARK);
    if file.exists() {
        return Ok(());
    }
    if dir.join("chain").exists() {
        bail!(
            "{} is the data directory of a node of the network: a follower needs one of its own",
            dir.display()
        );
    }
    write_public(
        &file,
        b"This is the data directory of a follower (docs/follower.md).\n",
    )
}

/// A node, by its JSON-RPC.
struct Remote {
    name: String,
    nodes: Nodes,
    expected: Expected,
    /// Whether it has said that it belongs to this network.
    is_ours: AtomicBool,
}

/// The network that an upstream must belong to.
#[derive(Clone, PartialEq, Eq)]
struct Expected {
    chain_id: u64,
    genesis: B256,
    identity: FixedBytes<96>,
}

/// The upstreams at these addresses.
fn remotes(urls: &[String], expected: &Expected) -> Result<Vec<Remote>> {
    if urls.len() > UPSTREAMS_MAX {
        bail!("{} upstreams: at most {UPSTREAMS_MAX}", urls.len());
    }
    let mut remotes: Vec<Remote> = Vec::with_capacity(urls.len());
    let mut known = BTreeSet::new();
    for url in urls {
        let nodes = Nodes::new(std::slice::from_ref(url), TIMEOUT_DEFAULT).context("--upstream")?;
        if !known.insert(nodes.name(0)) {
            bail!("--upstream {url} is given twice: the same node twice is one upstream");
        }
        remotes.push(Remote {
            name: bare(&nodes.name(0)),
            nodes,
            expected: expected.clone(),
            is_ours: AtomicBool::new(false),
        });
    }
    Ok(remotes)
}

/// An address without what may be secret in it: what stands before the host, and after the port.
fn bare(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}://{host}")
}

impl Remote {
    /// Sees once that it belongs to this network: else all it sends would look forged.
    async fn introduce(&self) -> Result<(), UpstreamError> {
        if self.is_ours.load(Ordering::Relaxed) {
            return Ok(());
        }
        let identity = self.nodes.identity().await.map_err(useless)?;
        let found = Expected {
            chain_id: identity.chain_id.to(),
            genesis: identity.genesis_hash,
            identity: identity.identity,
        };
        if found != self.expected {
            let Expected {
                chain_id, genesis, ..
            } = found;
            return Err(UpstreamError::OtherNetwork(format!(
                "chain id {chain_id}, block 0 is {genesis}"
            )));
        }
        self.is_ours.store(true, Ordering::Relaxed);
        Ok(())
    }
}

impl Upstream for Remote {
    fn name(&self) -> String {
        self.name.clone()
    }

    async fn page(&self, from: u64, count: u64) -> Result<Page, UpstreamError> {
        self.introduce().await?;
        let asked = (U64::from(from), U64::from(count));
        let answer = self.nodes.call_at(0, wire::GET_CERTIFIED_BLOCKS, asked);
        let CertifiedBlocks { head, blocks } = match answer.await {
            Ok(answer) => answer,
            Err(error) => {
                // Another node may answer there after this.
                self.is_ours.store(false, Ordering::Relaxed);
                return Err(useless(error));
            }
        };
        Ok(Page {
            head: head.map(|head| CertifiedHeader {
                certificate: head.certificate,
                header: head.header,
            }),
            blocks: blocks
                .into_iter()
                .map(|each| CertifiedBlock {
                    certificate: each.certificate,
                    block: each.block,
                })
                .collect(),
        })
    }

    async fn submit(&self, raw: Bytes) -> Result<(), UpstreamError> {
        self.introduce().await?;
        match self.nodes.send_raw_at(0, &raw).await {
            Ok(_) => Ok(()),
            Err(error) => match useless(error) {
                // It came there by another way, or is final there already and soon here.
                UpstreamError::Refused(reason)
                    if reason.contains("already known") || reason.contains("nonce too low") =>
                {
                    Ok(())
                }
                other => Err(other),
            },
        }
    }
}

/// What an upstream said, fit for a log: it may say anything.
fn quoted(said: &str) -> String {
    let short = said.chars().take(QUOTED_MAX);
    short.flat_map(char::escape_debug).collect()
}

/// Why a node did not do what it was asked, without its address: there may be secrets in it.
fn useless(error: RpcError) -> UpstreamError {
    match error {
        RpcError::Refused {
            code: PRUNED,
            message,
            ..
        } => UpstreamError::Pruned(quoted(&message)),
        RpcError::Refused {
            code: NO_METHOD,
            message,
            ..
        } => UpstreamError::Refused(format!(
            "{}: a newer Ashlar must run there to serve followers",
            quoted(&message)
        )),
        RpcError::Refused { message, .. } => UpstreamError::Refused(quoted(&message)),
        RpcError::Malformed { reason, .. } => UpstreamError::Unreachable(format!(
            "it answered what no node answers: {}",
            quoted(&reason)
        )),
        RpcError::Unreachable { source, .. } => {
            let source = source.without_url();
            let mut said = source.to_string();
            let mut cause = source.source();
            while let Some(error) = cause {
                said = format!("{said}: {error}");
                cause = error.source();
            }
            UpstreamError::Unreachable(said)
        }
        other => UpstreamError::Unreachable(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected() -> Expected {
        Expected {
            chain_id: 1,
            genesis: B256::ZERO,
            identity: FixedBytes::ZERO,
        }
    }

    #[test]
    fn names_have_no_secrets() {
        for (url, name) in [
            ("http://127.0.0.1:8545/", "http://127.0.0.1:8545"),
            (
                "http://me:secret@node.example:1/key?token=secret",
                "http://node.example:1",
            ),
            ("http://[::1]:8545", "http://[::1]:8545"),
        ] {
            assert_eq!(bare(url), name);
            let urls = [url.to_owned()];
            assert_eq!(remotes(&urls, &expected()).unwrap()[0].name(), name);
        }
    }

    #[test]
    fn what_an_upstream_says_fits_in_a_line() {
        let said = format!("no\n{}", "x".repeat(1_000));
        let quoted = quoted(&said);
        assert!(
            quoted.starts_with("no\\nxxx") && quoted.len() < 210,
            "{quoted}"
        );
    }

    #[test]
    fn the_same_node_twice_is_refused() {
        let refused = |urls: &[&str]| {
            let urls: Vec<_> = urls.iter().map(|url| (*url).to_owned()).collect();
            format!("{:#}", remotes(&urls, &expected()).err().unwrap())
        };
        let said = refused(&["http://a:1", "http://b:1", "http://a:1/"]);
        assert!(said.contains("http://a:1/ is given twice"), "{said}");
        let said = refused(&["ftp://a:1"]);
        assert!(said.contains("it must begin with http://"), "{said}");
    }

    #[test]
    fn a_data_directory_is_a_followers_or_a_nodes() {
        let dir = tempfile::tempdir().unwrap();
        mark(dir.path()).unwrap();
        std::fs::create_dir(dir.path().join("chain")).unwrap();
        mark(dir.path()).unwrap();
        std::fs::remove_file(dir.path().join(MARK)).unwrap();
        let said = mark(dir.path()).unwrap_err().to_string();
        assert!(said.contains("a follower needs one of its own"), "{said}");
    }
}

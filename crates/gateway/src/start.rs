//! From a configuration to a running gateway, and back.

use std::{net::SocketAddr, path::Path, sync::Arc, thread::JoinHandle};

use alloy_primitives::B256;
use alloy_signer_local::PrivateKeySigner;
use client::rpc::Nodes;
use contracts::organization_of;
use db::{Binding, Db, Options, Writer};
use operations::{
    receipt::Receipts,
    shell::{self, Inbox, Journal},
};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    task::{JoinError, JoinSet},
};
use vault::MasterKey;

use crate::{
    Config, Error,
    admit::Admission,
    app::App,
    auth::Keys,
    governance,
    metrics::Metrics,
    page,
    router::{openapi, router},
    serve,
};

/// Name of the file with the key that content is sealed under.
pub(crate) const MASTER_KEY_FILE: &str = "master.key";

/// Reads of the database at once.
const READS_MAX: usize = 16;

/// Writes that may wait for the database.
const WRITES_MAX: usize = 4_096;

/// A gateway that is bound and has its journal, and does not run yet.
#[derive(Debug)]
pub struct Gateway {
    listener: TcpListener,
    address: SocketAddr,
    app: Arc<App>,
    connections_max: usize,
    shell: shell::Config,
    inbox: Inbox,
    writer_thread: JoinHandle<()>,
}

/// Runs a gateway until `shutdown`. `ready` hears the address as soon as requests are taken.
pub async fn run(
    config: Config,
    ready: impl FnOnce(SocketAddr),
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let gateway = Gateway::start(config).await?;
    ready(gateway.address());
    gateway.run(shutdown).await
}

impl Gateway {
    /// Takes the port, the directory and the keys. Fails where going on would be wrong; a node that cannot be reached
    /// is no such thing.
    pub async fn start(config: Config) -> Result<Self, Error> {
        config.check()?;
        let network = config.network()?;
        let listener = serve::bind(config.listen).await?;
        let address = listener.local_addr().map_err(|source| Error::Listen {
            address: config.listen,
            source,
        })?;
        let opening = config.clone();
        let opened = tokio::task::spawn_blocking(move || open(&opening)).await;
        let (master, signer, db) = opened.map_err(|_| Error::Died)??;
        let readers = db.readers();
        let (writer, writer_thread) = Writer::start(db, WRITES_MAX)?;
        let journal = Journal { writer, readers };
        let (handle, inbox) = shell::channel();
        let account = signer.address();
        let mut shell = shell::Config::new(network, config.nodes.clone(), signer);
        shell.stall = config.limits.stall();
        let nodes = Nodes::new(&config.nodes, governance::NODE_TIMEOUT)?;
        let document = openapi();
        let app = Arc::new(App {
            admission: Admission::new(&config.limits),
            keys: Keys::new(&config.api_keys),
            journal,
            reads: Semaphore::new(READS_MAX),
            shell: handle,
            master,
            receipts: Receipts::new(config.network.identity),
            address,
            network: config.network,
            nodes,
            account,
            organization: organization_of(account),
            stopping: watch::Sender::new(false),
            metrics: Metrics::new(),
            openapi: document.to_pretty_json().unwrap_or_default().into(),
            docs: page::render_docs(&document).into_string().into(),
            limits: config.limits,
        });
        let connections_max = app.limits.connections;
        Ok(Self {
            listener,
            address,
            app,
            connections_max,
            shell,
            inbox,
            writer_thread,
        })
    }

    /// Where it listens: the port that was found, if 0 was asked for.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown`, lets requests end, and closes the journal. An error means that going on would be
    /// wrong.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        let Self {
            listener,
            app,
            connections_max,
            shell,
            inbox,
            writer_thread,
            address,
        } = self;
        tracing::info!(%address, account = %app.account, "the gateway is running");
        let (stop_worker, worker_stopped) = watch::channel(false);
        // Dropping a set ends what is in it: who drops this future wants no gateway.
        let (mut worker, mut server) = (JoinSet::new(), JoinSet::new());
        let work = shell::run(shell, app.journal.clone(), inbox, on(worker_stopped));
        worker.spawn(async move { work.await.map_err(Error::from) });
        let serve = serve::serve(
            listener,
            router(&app),
            connections_max,
            on(app.stopping.subscribe()),
        );
        server.spawn(async move {
            serve.await;
            Ok(())
        });
        let failed = tokio::select! {
            () = shutdown => Ok(()),
            ended = worker.join_next() => joined(ended),
        };
        // Requests first: what waits for finality is told to come back, what is being written is written.
        app.stopping.send_replace(true);
        let served = joined(server.join_next().await);
        stop_worker.send_replace(true);
        let worked = if worker.is_empty() {
            Ok(())
        } else {
            joined(worker.join_next().await)
        };
        drop(app);
        let closed = match tokio::task::spawn_blocking(move || writer_thread.join()).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Error::Died),
        };
        failed.and(served).and(worked).and(closed)
    }
}

async fn on(mut flag: watch::Receiver<bool>) {
    let _ = flag.wait_for(|set| *set).await;
}

fn joined(part: Option<Result<Result<(), Error>, JoinError>>) -> Result<(), Error> {
    match part {
        Some(Ok(ended)) => ended,
        Some(Err(_)) | None => Err(Error::Died),
    }
}

/// Keys and journal. Each key file is made at most once: where a database is, a missing key is a lost one.
fn open(config: &Config) -> Result<(MasterKey, PrivateKeySigner, Db), Error> {
    let dir = &config.data_dir;
    make_private_dir(dir)?;
    let is_new = !dir.join(db::FILE).exists();
    let master = master_key(&dir.join(MASTER_KEY_FILE), is_new)?;
    let signer = relayer_key(config, is_new)?;
    let binding = Binding {
        chain_id: config.network.chain_id,
        genesis: config.network.genesis,
        organization: organization_of(signer.address()),
        master_key: B256::new(master.fingerprint()),
    };
    let mib = config.limits.database_mib;
    let options = Options {
        bytes_max: (mib > 0).then(|| mib.saturating_mul(1 << 20)),
    };
    Ok((master, signer, Db::open(dir, &binding, &options)?))
}

fn make_private_dir(dir: &Path) -> Result<(), Error> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|source| Error::DataDir {
        path: dir.to_owned(),
        source,
    })
}

fn master_key(path: &Path, is_new: bool) -> Result<MasterKey, Error> {
    match MasterKey::read(path) {
        Err(error) if error.is_missing_file() && is_new => {
            // Another gateway that starts on the same new directory may be faster; then it is that one's key.
            MasterKey::create(path, &mut rand::rng())
                .or_else(|_| MasterKey::read(path))
                .map_err(Error::from)
        }
        Err(error) if error.is_missing_file() => {
            let next = "restore it from a backup: without it the stored content cannot be read";
            Err(Error::SecretMissing {
                path: path.to_owned(),
                next,
            })
        }
        read => Ok(read?),
    }
}

fn relayer_key(config: &Config, is_new: bool) -> Result<PrivateKeySigner, Error> {
    let path = config.relayer_key_file();
    let secret = match vault::read_secret(&path) {
        Err(error) if error.is_missing_file() && config.create_relayer_key && is_new => {
            vault::create_secret(&path, &mut rand::rng()).or_else(|_| vault::read_secret(&path))?
        }
        Err(error) if error.is_missing_file() => {
            let next = if is_new {
                "make it (64 hexadecimal digits, mode 0600), or set `create_relayer_key = true` on a development network"
            } else {
                "restore it from a backup: the records in this directory belong to its account"
            };
            return Err(Error::SecretMissing { path, next });
        }
        read => read?,
    };
    PrivateKeySigner::from_slice(secret.as_slice()).map_err(|_| Error::RelayerKey { path })
}

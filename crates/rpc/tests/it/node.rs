//! One validator in this process, on a port and in a folder of its own, and someone who calls it.

use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
use alloy_eips::{eip2718::Encodable2718 as _, eip7702::Authorization};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use chain::{Connected, Peers, SecretsKey, genesis, import::ImportedBlock};
use commonware_cryptography::{
    ChaCha20Poly1305, Signer as _,
    bls12381::{
        dkg::feldman_desmedt,
        primitives::{sharing::Mode, variant::MinSig},
    },
    ed25519,
};
use commonware_math::algebra::Random as _;
use commonware_p2p::{
    AddressableManager as _,
    authenticated::lookup::{self, Network},
};
use commonware_parallel::Sequential;
use commonware_runtime::{Runner as _, Spawner as _, Supervisor as _, tokio as runtime};
use commonware_stream::{
    cups::{self, Cups},
    sake::{self, Sake},
};
use commonware_utils::{
    N3f1, NZU64, NZUsize, TryCollect as _,
    ordered::{Map, Set},
};
use contracts::{
    member::{Charter, Founder, Permissions, Policy, Role},
    upgrade,
};
use rpc::{Config, Limits, Server};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroU64,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::Duration,
};
use tempfile::TempDir;
use tokio::sync::oneshot;
use types::{ChainSpec, Committee, Fees, Fork, GenesisAccount, Pacing};
use vectors::Import;

pub const CHAIN_ID: u64 = 4242;
/// Blocks of an epoch.
const EPOCH: NonZeroU64 = NZU64!(24);
/// The fewest blocks that a node may keep: two epochs.
pub const KEPT: NonZeroU64 = NZU64!(48);

/// Reverts when called with nothing; else logs what it was called with under topic 42 and returns it.
const ECHO: &[u8] = &[
    0x60, 0x15, 0x80, 0x60, 0x09, 0x5f, 0x39, 0x5f, 0xf3, // return what follows as code
    0x36, 0x15, 0x60, 0x11, 0x57, 0x36, 0x5f, 0x5f, 0x37, 0x60, 0x2a, 0x36, 0x5f, 0xa1, 0x36, 0x5f,
    0xf3, 0x5b, 0x5f, 0x5f, 0xfd,
];

/// A running validator. It stops when dropped.
pub struct Node {
    pub address: SocketAddr,
    pub spec: Arc<ChainSpec>,
    http: reqwest::Client,
    calls: AtomicU64,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    _folder: TempDir,
}

impl Node {
    pub async fn start() -> Self {
        Self::start_with(Limits::default(), Fees::Free).await
    }

    /// A node that keeps the states of all blocks.
    pub async fn start_archive() -> Self {
        Self::start_as(true, Limits::default(), Fees::Free).await
    }

    pub async fn start_with(limits: Limits, fees: Fees) -> Self {
        Self::start_as(false, limits, fees).await
    }

    /// A node that is given the keys of the first two users, on a network for development or not.
    pub async fn start_dev(dev: bool) -> Self {
        let keys = [1, 2].map(|index| User::new(index).0).to_vec();
        let choices = Choices {
            dev,
            ..Choices::default()
        };
        Self::start_on(false, Limits::default(), choices, keys).await
    }

    /// A node that keeps so few blocks as there can be, and removes them eight at a time.
    pub async fn start_pruned() -> Self {
        let choices = Choices {
            keep_blocks: Some(KEPT),
            ..Choices::default()
        };
        Self::start_on(false, Limits::default(), choices, Vec::new()).await
    }

    /// A node of a network on which only the first user may transact.
    pub async fn start_closed() -> Self {
        let choices = Choices {
            open: false,
            ..Choices::default()
        };
        Self::start_on(true, Limits::default(), choices, Vec::new()).await
    }

    /// A node with an archive, of a network that begins with Prague and activates Osaka at a height.
    pub async fn start_upgrading(height: u64) -> Self {
        let choices = Choices {
            osaka: Some(height),
            ..Choices::default()
        };
        Self::start_on(true, Limits::default(), choices, Vec::new()).await
    }

    async fn start_as(archive: bool, limits: Limits, fees: Fees) -> Self {
        let choices = Choices {
            fees,
            ..Choices::default()
        };
        Self::start_on(archive, limits, choices, Vec::new()).await
    }

    async fn start_on(
        archive: bool,
        limits: Limits,
        choices: Choices,
        dev_keys: Vec<PrivateKeySigner>,
    ) -> Self {
        let (key, share, spec) = constitution(choices);
        let spec = Arc::new(spec);
        let chain_spec = Arc::clone(&spec);
        let keep = choices.keep_blocks;
        let start =
            async move |context| validator(context, chain_spec, key, share, (archive, keep)).await;
        Self::serve(spec, limits, dev_keys, start).await
    }

    /// A node that serves a chain of Ethereum's as it was executed elsewhere. The rules of calls are ours.
    pub async fn start_import(import: Import) -> Self {
        let fees = Fees::Market {
            initial_base_fee: 0,
        };
        let (key, _, spec) = constitution(Choices {
            fees,
            dev: false,
            ..Choices::default()
        });
        let head = import.blocks.last().map(|block| &block.header);
        let spec = Arc::new(ChainSpec {
            chain_id: import.chain_id,
            limits: types::Limits {
                block_gas: head.unwrap_or(&import.genesis).gas_limit,
            },
            accounts: import.accounts,
            origin: None,
            ..spec
        });
        let blocks = import.blocks.into_iter().map(|block| ImportedBlock {
            header: block.header,
            transactions: block.transactions,
            receipts: block.receipts,
            changes: block.changes,
        });
        let config = chain::import::Config {
            spec: Arc::clone(&spec),
            genesis: import.genesis,
            blocks: blocks.collect(),
        };
        let start = async move |context: runtime::Context| {
            let (mut network, mut oracle) = Network::new(context.child("network"), peer(&key));
            track(&mut oracle, &key);
            let [quota, ..] = chain::quotas();
            let gossip = network.register(0, quota);
            let network = network.start();
            let node = chain::import::start(context.child("chain"), config, gossip);
            (network, Box::pin(node).await)
        };
        Self::serve(spec, Limits::default(), Vec::new(), start).await
    }

    /// Serves what `start` makes.
    async fn serve<T>(
        spec: Arc<ChainSpec>,
        limits: Limits,
        dev_keys: Vec<PrivateKeySigner>,
        start: impl AsyncFnOnce(runtime::Context) -> (T, chain::Node) + Send + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let storage = folder.path().to_owned();
        let (stop, stopped) = oneshot::channel();
        let (ready, started) = mpsc::channel();
        // Unoptimized, the future that starts a validator needs more than the usual stack.
        let thread = std::thread::Builder::new()
            .stack_size(16 << 20)
            .spawn(move || {
                let config = runtime::Config::default()
                    .with_storage_directory(storage)
                    .with_worker_threads(2);
                runtime::Runner::new(config).start(|context| async move {
                    let listen = (Ipv4Addr::LOCALHOST, 0).into();
                    let config = Config {
                        listen,
                        limits,
                        dev_keys,
                        give_way: || {},
                    };
                    let server = Server::bind(config).await.unwrap();
                    let stopper = context.child("stop");
                    let (_running, node) = Box::pin(start(context)).await;
                    ready.send(server.address()).unwrap();
                    let shutdown = async {
                        let _ = stopped.await;
                    };
                    server.run(node, shutdown).await.unwrap();
                    stopper
                        .stop(0, Some(Duration::from_secs(10)))
                        .await
                        .unwrap();
                });
            });
        let thread = thread.unwrap();
        let address = tokio::task::spawn_blocking(move || started.recv().unwrap())
            .await
            .unwrap();
        let node = Self {
            address,
            spec,
            http: reqwest::Client::new(),
            calls: AtomicU64::new(1),
            stop: Some(stop),
            thread: Some(thread),
            _folder: folder,
        };
        // Answered once the state is open. That may take longer than the limits of a test allow for an answer.
        let opened = async || {
            let answer = node.respond("eth_getBalance", json!([Address::ZERO])).await;
            answer["error"]["code"] != -32002
        };
        while !opened().await {}
        node
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Posts a text, and gives status and text.
    pub async fn post(&self, body: impl Into<reqwest::Body>) -> (u16, String) {
        let request = self
            .http
            .post(self.url())
            .header("content-type", "application/json");
        let response = request.body(body).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// A call's response.
    pub async fn respond(&self, method: &str, params: Value) -> Value {
        let id = self.calls.fetch_add(1, Ordering::Relaxed);
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let (status, text) = self.post(request.to_string()).await;
        assert_eq!(status, 200, "{text}");
        let response: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(response["id"], id);
        response
    }

    /// A call's result.
    #[track_caller]
    pub fn call(&self, method: &str, params: Value) -> impl Future<Output = Value> {
        let method = method.to_owned();
        async move {
            let mut response = self.respond(&method, params).await;
            assert!(response.get("error").is_none(), "{method}: {response}");
            response["result"].take()
        }
    }

    /// A call's error as `code: message`.
    pub async fn error(&self, method: &str, params: Value) -> String {
        let response = self.respond(method, params).await;
        let error = response
            .get("error")
            .unwrap_or_else(|| panic!("{method}: {response}"));
        format!("{}: {}", error["code"], error["message"].as_str().unwrap())
    }

    pub async fn quantity(&self, method: &str, params: Value) -> u64 {
        quantity(&self.call(method, params).await)
    }

    pub async fn height(&self) -> u64 {
        self.quantity("eth_blockNumber", json!([])).await
    }

    /// Sends a transaction and gives its transaction receipt once it is final.
    pub async fn send(&self, from: &User, to: TxKind, input: impl Into<Bytes>) -> Value {
        let nonce = self
            .quantity(
                "eth_getTransactionCount",
                json!([from.address(), "pending"]),
            )
            .await;
        let raw = from.sign(TxEip1559 {
            nonce,
            to,
            gas_limit: 3_000_000,
            max_fee_per_gas: 2_000_000_000,
            input: input.into(),
            ..TxEip1559::default()
        });
        self.include(&raw).await
    }

    /// Sends a transaction, and waits until it is final: other tests run beside, so longer than people do. Gives its receipt.
    #[track_caller]
    pub fn include(&self, raw: &Bytes) -> impl Future<Output = Value> {
        self.call("eth_sendRawTransactionSync", json!([raw, 10_000]))
    }

    /// Deploys the contract that logs and returns what it is called with.
    pub async fn deploy_echo(&self, from: &User) -> Address {
        let receipt = self
            .send(from, TxKind::Create, Bytes::from_static(ECHO))
            .await;
        assert_eq!(receipt["status"], "0x1", "{receipt}");
        receipt["contractAddress"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    }

    /// Deploys a contract with this code.
    pub async fn deploy(&self, from: &User, runtime: &[u8]) -> Address {
        // Returns what follows it.
        let size = u8::try_from(runtime.len()).unwrap();
        let init = [0x60, size, 0x80, 0x60, 0x09, 0x5f, 0x39, 0x5f, 0xf3];
        let code = [&init, runtime].concat();
        let receipt = self.send(from, TxKind::Create, code).await;
        assert_eq!(receipt["status"], "0x1", "{receipt}");
        let address = receipt["contractAddress"].as_str().unwrap();
        address.parse().unwrap()
    }

    /// Deploys a contract that calls another with what it is called with, and returns what that returns.
    pub async fn deploy_caller(&self, from: &User, called: Address) -> Address {
        let before = [0x36, 0x5f, 0x5f, 0x37, 0x5f, 0x5f, 0x36, 0x5f, 0x5f, 0x73];
        let after = [0x5a, 0xf1, 0x50, 0x3d, 0x5f, 0x5f, 0x3e, 0x3d, 0x5f, 0xf3];
        let code = [&before, called.as_slice(), &after].concat();
        self.deploy(from, &code).await
    }

    /// Calls a method until it answers such a value, which it gives.
    pub async fn until(&self, method: &str, such: impl Fn(&Value) -> bool) -> Value {
        let mut again = tokio::time::interval(Duration::from_millis(5));
        let answered = async {
            loop {
                again.tick().await;
                let value = self.call(method, json!([])).await;
                if such(&value) {
                    return value;
                }
            }
        };
        let answered = tokio::time::timeout(Duration::from_secs(60), answered).await;
        answered.expect("it never answers so")
    }

    /// Waits until this height is final.
    pub async fn wait_for(&self, height: u64) {
        while self.height().await < height {
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            assert!(matches!(ended, Some(Ok(()))), "the node failed");
        }
    }
}

/// A hexadecimal quantity as Ethereum writes it.
#[track_caller]
pub fn quantity(value: &Value) -> u64 {
    let text = value
        .as_str()
        .unwrap_or_else(|| panic!("no quantity: {value}"));
    let digits = text.strip_prefix("0x").unwrap();
    assert!(
        digits == "0" || !digits.starts_with('0'),
        "leading zeros in {text}"
    );
    u64::from_str_radix(digits, 16).unwrap()
}

/// Someone with money at genesis.
pub struct User(pub PrivateKeySigner);

impl User {
    pub fn new(index: u8) -> Self {
        Self(PrivateKeySigner::from_bytes(&B256::repeat_byte(index)).unwrap())
    }

    pub fn address(&self) -> Address {
        self.0.address()
    }

    /// The transaction on this chain, signed.
    pub fn sign(&self, transaction: TxEip1559) -> Bytes {
        self.sign_exactly(TxEip1559 {
            chain_id: CHAIN_ID,
            ..transaction
        })
    }

    /// Lets this account run the code of another, in JSON.
    pub fn authorize(&self, address: Address, nonce: u64) -> Value {
        let authorization = Authorization {
            chain_id: U256::from(CHAIN_ID),
            address,
            nonce,
        };
        let signature = self
            .0
            .sign_hash_sync(&authorization.signature_hash())
            .unwrap();
        serde_json::to_value(authorization.into_signed(signature)).unwrap()
    }

    /// The transaction as it is, signed.
    pub fn sign_exactly(&self, transaction: TxEip1559) -> Bytes {
        let signature = self
            .0
            .sign_hash_sync(&transaction.signature_hash())
            .unwrap();
        TxEnvelope::from(transaction.into_signed(signature))
            .encoded_2718()
            .into()
    }
}

/// A transfer of one wei with room in every limit.
pub fn transfer(nonce: u64) -> TxEip1559 {
    TxEip1559 {
        nonce,
        to: TxKind::Call(Address::repeat_byte(0x77)),
        value: U256::ONE,
        gas_limit: 21_000,
        max_fee_per_gas: 2_000_000_000,
        ..TxEip1559::default()
    }
}

/// In what networks differ.
#[derive(Clone, Copy)]
struct Choices {
    fees: Fees,
    dev: bool,
    open: bool,
    /// From which block on Osaka's rules hold, if not from block 0 on.
    osaka: Option<u64>,
    keep_blocks: Option<NonZeroU64>,
}

impl Default for Choices {
    fn default() -> Self {
        Self {
            fees: Fees::Free,
            dev: true,
            open: true,
            osaka: None,
            keep_blocks: None,
        }
    }
}

fn constitution(choices: Choices) -> (ed25519::PrivateKey, chain::Share, ChainSpec) {
    let Choices {
        fees,
        dev,
        open,
        osaka,
        ..
    } = choices;
    let mut rng = rand::rng();
    let key = ed25519::PrivateKey::random(&mut rng);
    let players = [key.public_key()].into_iter().try_collect().unwrap();
    let (output, shares) =
        feldman_desmedt::deal::<MinSig, _, N3f1>(&mut rng, Mode::NonZeroCounter, players).unwrap();
    let share = shares.get_value(&key.public_key()).unwrap().clone();
    let limits = types::Limits {
        block_gas: 100_000_000,
    };
    let pacing = Pacing {
        idle_interval_ms: 200,
        min_gap_ms: 5,
        settle_interval_ms: 50,
    };
    let charter = Charter {
        dev: true,
        open,
        policy: Policy::Permissioned,
        founders: vec![Founder {
            organization: User::new(1).address().into_word(),
            name: "first".to_owned(),
            accounts: BTreeMap::from([(User::new(1).address(), Permissions::ALL)]),
            nodes: BTreeMap::from([(B256::from_slice(key.public_key().as_ref()), Role::Validator)]),
            validator_limit: 1,
        }],
    };
    let mut accounts =
        genesis::contracts(&charter, &genesis::parameters(&limits, &pacing)).unwrap();
    if let Some(height) = osaka {
        let forks = BTreeMap::from([(upgrade::fork_id(Fork::Osaka.name()), height)]);
        let schedule = upgrade::Schedule {
            forks,
            ..upgrade::Schedule::default()
        };
        accounts.get_mut(&upgrade::ADDRESS).unwrap().storage = schedule.storage();
    }
    for index in 1..=4 {
        let balance = U256::from(10).pow(U256::from(20));
        accounts.insert(
            User::new(index).address(),
            GenesisAccount {
                balance,
                ..Default::default()
            },
        );
    }
    let spec = ChainSpec {
        name: "test".to_owned(),
        chain_id: CHAIN_ID,
        fork: osaka.map_or(Fork::Osaka, |_| Fork::Prague),
        dev,
        time_ms: 1_700_000_000_123,
        fees,
        limits,
        pacing,
        epoch_blocks: EPOCH,
        committee: Committee::new(output).encode(),
        accounts,
        origin: None,
    };
    (key, share, spec)
}

const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// How it speaks with others, of whom there are none.
fn peer(
    key: &ed25519::PrivateKey,
) -> lookup::Config<Cups<Sake<ed25519::PrivateKey>, ChaCha20Poly1305>> {
    lookup::Config::local(
        Cups::<_, ChaCha20Poly1305>::new(
            Sake {
                signer: key.clone(),
                synchrony_bound: Duration::from_secs(5),
                max_handshake_age: Duration::from_secs(10),
                version: sake::Version::V1,
            },
            cups::Version::V1,
        ),
        b"rpc/test",
        LISTEN,
        NZUsize!(16),
        chain::message_bytes_max(),
        NZUsize!(1024),
    )
}

fn track(oracle: &mut lookup::Oracle<ed25519::PublicKey>, key: &ed25519::PrivateKey) {
    let peers: Map<_, _> = [(key.public_key(), LISTEN.into())]
        .into_iter()
        .try_collect()
        .unwrap();
    oracle.track(0, peers);
}

async fn validator(
    context: runtime::Context,
    spec: Arc<ChainSpec>,
    key: ed25519::PrivateKey,
    share: chain::Share,
    (archive, keep_blocks): (bool, Option<NonZeroU64>),
) -> (commonware_runtime::Handle<()>, chain::Node) {
    let (mut network, mut oracle) = Network::new(context.child("network"), peer(&key));
    track(&mut oracle, &key);
    let mut channel = 0;
    let channels = chain::quotas().map(|quota| {
        channel += 1;
        network.register(channel, quota)
    });
    network.start();
    let me = key.public_key();
    let config = chain::Config {
        program: chain::Program::default(),
        spec,
        partition_prefix: "test".to_owned(),
        signer: key,
        share: Some(share),
        secrets_key: SecretsKey::new([7; 32]),
        strategy: Sequential,
        page_cache_bytes: 4 << 20,
        mempool: chain::mempool::Limits::default(),
        archive,
        state_sync: false,
        keep_blocks,
        section_items: keep_blocks.map_or(chain::SECTION_ITEMS, |_| NZU64!(8)),
        give_way: || {},
    };
    let started = chain::start(
        context.child("chain"),
        config,
        oracle,
        Peers::new(Connected, me, Set::default(), NZUsize!(64)),
        channels,
    );
    Box::pin(started).await.unwrap()
}

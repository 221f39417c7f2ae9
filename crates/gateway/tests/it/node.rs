//! A scripted node: JSON-RPC and WebSocket on one port, over a model chain that several nodes share.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use alloy_consensus::TxEnvelope;
use alloy_eips::eip2718::Decodable2718 as _;
use alloy_primitives::{B256, Bytes, FixedBytes, U64, keccak256};
use axum::{
    Json, Router,
    extract::{
        State, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    response::Response,
    routing::post,
};
use client::{
    VerifiedBlock,
    node::{FinalityProof, FinalizedBlock, Identity},
};
use contracts::{IRecords, RECORDS_ADDRESS};
use operations::record::SendAnswer;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::chain::Chain;

/// What a node does with the stream it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    Honest,
    /// Certificates at every third height only; the others are proved by later blocks.
    Sparse,
    /// The signature of another block.
    ForgedCertificate,
    /// The receipts of another block.
    WrongReceipts,
    /// A transaction is left out.
    WrongTransactions,
    /// Accepts the subscription and then says nothing.
    Stalled,
    /// Leaves out a height.
    Gap,
    /// Says that it belongs to another network.
    OtherNetwork,
    /// Streams honestly, but takes no transaction.
    Deaf,
}

/// The chain that the nodes share. Transactions that arrive come into the next block at once.
pub struct World {
    chain: Mutex<Chain>,
    height: watch::Sender<u64>,
    /// Whether blocks are made.
    running: watch::Sender<bool>,
    /// How often somebody asked for final blocks.
    subscriptions: AtomicU64,
}

impl World {
    pub fn new(account: alloy_primitives::Address) -> Arc<Self> {
        let world = Arc::new(Self {
            chain: Mutex::new(Chain::new(account)),
            height: watch::Sender::new(0),
            running: watch::Sender::new(true),
            subscriptions: AtomicU64::new(0),
        });
        let idle = Arc::downgrade(&world);
        tokio::spawn(async move {
            let mut interval = tokio::time::interval(Duration::from_millis(100));
            loop {
                interval.tick().await;
                let Some(world) = idle.upgrade() else { return };
                world.produce();
            }
        });
        world
    }

    pub fn chain(&self) -> MutexGuard<'_, Chain> {
        self.chain.lock().unwrap()
    }

    /// Stops or resumes the making of blocks.
    pub fn run(&self, running: bool) {
        self.running.send_replace(running);
    }

    /// How often somebody asked for final blocks.
    pub fn subscriptions(&self) -> u64 {
        self.subscriptions.load(Ordering::Relaxed)
    }

    pub fn produce(&self) {
        if *self.running.borrow() {
            let height = {
                let mut chain = self.chain();
                chain.produce(0, 10);
                chain.height()
            };
            self.height.send_replace(height);
        }
    }
}

pub struct Node {
    pub address: SocketAddr,
    pub behaviour: Arc<Mutex<Behaviour>>,
    task: JoinHandle<()>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Shared {
    world: Arc<World>,
    behaviour: Arc<Mutex<Behaviour>>,
}

impl Node {
    pub async fn start(world: &Arc<World>, behaviour: Behaviour) -> Self {
        Self::start_at(world, behaviour, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    pub async fn start_at(world: &Arc<World>, behaviour: Behaviour, address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let behaviour = Arc::new(Mutex::new(behaviour));
        let shared = Shared {
            world: Arc::clone(world),
            behaviour: Arc::clone(&behaviour),
        };
        let router = Router::new()
            .route("/", post(call).get(upgrade))
            .with_state(shared);
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            behaviour,
            task,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn call(State(shared): State<Shared>, Json(request): Json<Value>) -> Json<Value> {
    Json(shared.answer(&request))
}

async fn upgrade(State(shared): State<Shared>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |socket| stream(shared, socket))
}

/// Answers requests until a subscription comes, then streams until the other side goes.
async fn stream(shared: Shared, mut socket: WebSocket) {
    let mut next = None;
    let mut heights = shared.world.height.subscribe();
    loop {
        if let Some(height) = next
            && height <= *heights.borrow_and_update()
        {
            let behaviour = *shared.behaviour.lock().unwrap();
            if let Some(block) = shared.notification(height, behaviour) {
                let result = json!({"subscription": "0x1", "result": block});
                let message =
                    json!({"jsonrpc": "2.0", "method": "ashlar_subscription", "params": result});
                if socket
                    .send(Message::Text(message.to_string().into()))
                    .await
                    .is_err()
                {
                    return;
                }
            }
            next = Some(height + 1);
            continue;
        }
        tokio::select! {
            changed = heights.changed() => if changed.is_err() { return },
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => {
                    let request: Value = serde_json::from_str(&text).unwrap();
                    if request["method"] == "ashlar_subscribe" {
                        assert_eq!(request["params"][0], "finalized");
                        let from: U64 = serde_json::from_value(request["params"][1]["from"].clone()).unwrap();
                        next = Some(from.to());
                    }
                    let answer = shared.answer(&request).to_string();
                    if socket.send(Message::Text(answer.into())).await.is_err() {
                        return;
                    }
                }
                Some(Ok(_)) => {}
                _ => return,
            },
        }
    }
}

impl Shared {
    fn answer(&self, request: &Value) -> Value {
        let result = self.result(request["method"].as_str().unwrap(), &request["params"]);
        match result {
            Ok(result) => json!({"jsonrpc": "2.0", "id": request["id"], "result": result}),
            Err(message) => {
                json!({"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32000, "message": message}})
            }
        }
    }

    fn result(&self, method: &str, params: &Value) -> Result<Value, String> {
        let behaviour = *self.behaviour.lock().unwrap();
        match method {
            "ashlar_getIdentity" => Ok(json!(self.identity(behaviour))),
            "ashlar_subscribe" => {
                self.world.subscriptions.fetch_add(1, Ordering::Relaxed);
                Ok(json!("0x1"))
            }
            "ashlar_getFinalization" => {
                assert_eq!(params[0], "finalized");
                let chain = self.world.chain();
                let proof = chain.blocks.last().map(|block| {
                    let mut proof = FinalityProof {
                        headers: block.headers.clone(),
                        finalization: block.finalization.clone().into(),
                    };
                    if behaviour == Behaviour::ForgedCertificate {
                        proof.finalization.view += U64::from(1);
                    }
                    proof
                });
                Ok(json!(proof))
            }
            "eth_sendRawTransaction" => self.send(params, behaviour),
            "eth_getTransactionCount" => {
                let read = self.world.chain().read_nonce(0);
                Ok(json!(U64::from(if params[1] == "latest" {
                    read.latest
                } else {
                    read.pending
                })))
            }
            "eth_getBlockByNumber" => Ok(
                json!({"number": U64::from(self.world.chain().height()), "baseFeePerGas": "0x0"}),
            ),
            "eth_getLogs" => Ok(self.logs(&params[0])),
            "eth_getTransactionByHash" => {
                let hash: B256 = serde_json::from_value(params[0].clone()).unwrap();
                let chain = self.world.chain();
                let found = chain.receipts().find(|(found, ..)| *found == hash);
                Ok(found.map_or(
                    Value::Null,
                    |(_, input, _)| json!({"hash": hash, "input": input}),
                ))
            }
            "ashlar_getReceipt" => {
                let hash: B256 = serde_json::from_value(params[0].clone()).unwrap();
                let chain = self.world.chain();
                let found = chain.receipts().find(|(found, ..)| *found == hash);
                Ok(found.map_or(Value::Null, |(.., receipt)| {
                    serde_json::from_str(&receipt.to_json()).unwrap()
                }))
            }
            "ashlar_health" => {
                let running = *self.world.running.borrow();
                let explanation =
                    (!running).then_some("2 of 4 validators are reachable, 3 are needed");
                Ok(json!({
                    "state": if running { "finalizing" } else { "stalled" },
                    "height": U64::from(self.world.chain().height()), "withoutBlockMs": "0x1f40", "epoch": "0x0",
                    "quorum": "0x3", "reachable": if running { "0x4" } else { "0x2" }, "validators": [],
                    "node": B256::ZERO, "validates": false, "hasShare": false, "maySign": false, "explanation": explanation,
                }))
            }
            other => Err(format!(
                "the method {other} does not exist/is not available"
            )),
        }
    }

    fn identity(&self, behaviour: Behaviour) -> Identity {
        let network = self.world.chain().network.clone();
        let genesis_hash = if behaviour == Behaviour::OtherNetwork {
            B256::repeat_byte(1)
        } else {
            network.genesis
        };
        Identity {
            chain_id: U64::from(network.chain_id),
            genesis_hash,
            identity: network.identity,
            client_version: "scripted/1".to_owned(),
        }
    }

    fn send(&self, params: &Value, behaviour: Behaviour) -> Result<Value, String> {
        let raw: Bytes = serde_json::from_value(params[0].clone()).unwrap();
        if behaviour == Behaviour::Deaf {
            return Err("transaction underpriced".to_owned());
        }
        TxEnvelope::decode_2718(&mut raw.as_ref()).map_err(|error| error.to_string())?;
        let answer = self.world.chain().send(0, &raw);
        match answer {
            SendAnswer::Taken => {
                self.world.produce();
                Ok(json!(keccak256(&raw)))
            }
            SendAnswer::NonceTooLow => Err("nonce too low".to_owned()),
            SendAnswer::NonceTooHigh => Err("nonce too high".to_owned()),
            SendAnswer::Refused(reason) => Err(reason),
            SendAnswer::Unknown => Err("internal error".to_owned()),
        }
    }

    fn logs(&self, filter: &Value) -> Value {
        use alloy_sol_types::SolEvent as _;
        assert_eq!(filter["address"], json!(RECORDS_ADDRESS));
        assert_eq!(
            filter["topics"][0],
            json!(IRecords::Recorded::SIGNATURE_HASH)
        );
        let bound = |name: &str| {
            serde_json::from_value::<U64>(filter[name].clone())
                .unwrap()
                .to::<u64>()
        };
        let (from, to) = (bound("fromBlock"), bound("toBlock"));
        let chain = self.world.chain();
        let blocks = chain
            .blocks
            .iter()
            .filter(|block| (from..=to).contains(&block.header.number));
        let transactions = blocks.flat_map(|block| &block.transactions);
        transactions
            .map(|raw| json!({"transactionHash": keccak256(raw)}))
            .collect()
    }

    fn notification(&self, height: u64, behaviour: Behaviour) -> Option<FinalizedBlock> {
        let chain = self.world.chain();
        let block: &VerifiedBlock = &chain.blocks[usize::try_from(height - 1).unwrap()];
        let mut sent = FinalizedBlock {
            header: block.headers[0].clone(),
            finalization: Some(block.finalization.clone().into()),
            transactions: block.transactions.clone(),
            receipts: block.receipts.clone(),
        };
        match behaviour {
            Behaviour::Honest | Behaviour::OtherNetwork | Behaviour::Deaf => {}
            Behaviour::Sparse if height.is_multiple_of(3) => {}
            Behaviour::Sparse => sent.finalization = None,
            Behaviour::ForgedCertificate => {
                let certificate = sent.finalization.as_mut().unwrap();
                certificate.signature = FixedBytes(SIGNATURE_OF_NOTHING);
            }
            Behaviour::WrongReceipts if !sent.receipts.is_empty() => {
                sent.receipts[0] = [&sent.receipts[0][..], &[0]].concat().into();
            }
            Behaviour::WrongTransactions => drop(sent.transactions.pop()),
            Behaviour::WrongReceipts => {}
            Behaviour::Stalled => return None,
            Behaviour::Gap if height.is_multiple_of(2) => return None,
            Behaviour::Gap => {}
        }
        Some(sent)
    }
}

/// A point of the right group (the generator of G1), which nobody signed with.
const SIGNATURE_OF_NOTHING: [u8; 48] = [
    0x97, 0xf1, 0xd3, 0xa7, 0x31, 0x97, 0xd7, 0x94, 0x26, 0x95, 0x63, 0x8c, 0x4f, 0xa9, 0xac, 0x0f,
    0xc3, 0x68, 0x8c, 0x4f, 0x97, 0x74, 0xb9, 0x05, 0xa1, 0x4e, 0x3a, 0x3f, 0x17, 0x1b, 0xac, 0x58,
    0x6c, 0x55, 0xe8, 0x3f, 0xf9, 0x7a, 0x1a, 0xef, 0xfb, 0x3a, 0xf0, 0x0a, 0xdb, 0x22, 0xc6, 0xbb,
];

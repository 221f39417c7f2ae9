//! Signed operations on a real chain: what `operations` signs and reads is what the contract in genesis does, in transactions
//! that nodes take.

use crate::node::{Node, User, quantity};
use alloy_consensus::TxEip1559;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use alloy_sol_types::{SolCall as _, SolValue as _};
use client::{
    Head, VerifiedBlock,
    follow::Network,
    stream::{Config, Event as Streamed, follow},
};
use contracts::{
    abi::IOperations,
    operation::{ADDRESS, Event, Operation, Refusal, Signed, Status},
};
use db::{Binding, Call, Db, InsertedOperation, NewOperation, Options, State, Writer};
use operations::{
    operation::{self, Place, Watch, facts},
    shell::{self, Handle, Journal, Operating, Order},
    transaction::{Relay, SignedBatch, authorize, sign_operation, sign_relay},
};
use serde_json::json;
use std::{collections::BTreeSet, path::Path, time::Duration};
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};

const CHAIN: u64 = crate::node::CHAIN_ID;

fn operation(key: u8, target: Address, data: &'static [u8]) -> Operation {
    Operation {
        key: B256::repeat_byte(key),
        target,
        data: Bytes::from_static(data),
        gas: 100_000,
        deadline: u64::MAX,
        ..Operation::default()
    }
}

fn signed(account: &User, operation: Operation) -> Signed {
    let signature = sign_operation(&account.0, CHAIN, &operation).unwrap();
    Signed {
        account: account.address(),
        operation,
        signature,
    }
}

fn relay(
    relayer: &User,
    nonce: u64,
    operations: Vec<Signed>,
    account: Option<&User>,
) -> SignedBatch {
    let authorization = |account: &User| authorize(&account.0, CHAIN, ADDRESS, 0).unwrap();
    let relay = Relay {
        chain_id: CHAIN,
        nonce,
        max_fee_per_gas: 2_000_000_000,
        gas_limit: 3_000_000,
        code: ADDRESS,
        operations,
        authorizations: account.map(authorization).into_iter().collect(),
    };
    sign_relay(&relayer.0, relay).unwrap()
}

async fn network(node: &Node) -> Network {
    let identity = node.call("ashlar_getIdentity", json!([])).await;
    let text = |field: &str| identity[field].as_str().unwrap().to_owned();
    let genesis: B256 = text("genesisHash").parse().unwrap();
    Network::new(CHAIN, genesis, text("identity").parse().unwrap()).unwrap()
}

/// The blocks up to a height, verified.
async fn blocks(node: &Node, height: u64) -> (Network, Vec<VerifiedBlock>) {
    let network = network(node).await;
    let from = Head {
        height: 0,
        hash: network.named().genesis,
    };
    let config = Config::new(vec![node.url()], network.clone(), from);
    let mut events = follow(config).unwrap();
    let mut blocks = Vec::new();
    while (blocks.len() as u64) < height {
        if let Streamed::Block(block) = events.recv().await.unwrap() {
            blocks.push(*block);
        }
    }
    (network, blocks)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_runs_what_it_signed_once_whoever_brings_it() {
    let node = Node::start().await;
    let (relayer, account, other) = (User::new(1), User::new(2), User::new(3));
    let echo = node.deploy_echo(&other).await;
    // A call, one that reverts, and one of an account that never let itself have the code.
    let brought = vec![
        signed(&account, operation(1, echo, b"hello")),
        signed(&account, operation(2, echo, b"")),
        signed(&other, operation(3, echo, b"no code")),
    ];
    let first = relay(&relayer, 0, brought.clone(), Some(&account));
    let receipt = node.include(&first.raw).await;
    assert_eq!(receipt["status"], "0x1", "{receipt}");
    assert_eq!(receipt["type"], "0x4");
    let logs = receipt["logs"].as_array().unwrap();
    assert_eq!(logs.len(), 4, "the echo's, and one for each operation");
    // Anybody brings them again, and nothing happens.
    let again = relay(&other, 1, brought[..2].to_vec(), None);
    let receipt = node.include(&again.raw).await;
    assert_eq!(receipt["logs"].as_array().unwrap().len(), 2);
    let status = IOperations::statusOfCall {
        key: B256::repeat_byte(1),
    };
    let asked =
        json!([{ "to": account.address(), "data": Bytes::from(status.abi_encode()) }, "latest"]);
    let found: Bytes = node
        .call("eth_call", asked)
        .await
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let found = IOperations::statusOfCall::abi_decode_returns(&found).unwrap();
    assert_eq!(Status::decode(found.status), Some(Status::Succeeded));

    let height = quantity(&receipt["blockNumber"]);
    let (network, blocks) = blocks(&node, height).await;
    let place = Place {
        code: ADDRESS,
        network: network.named(),
    };
    let watch = Watch {
        relayers: vec![(relayer.address(), operations::observe::Watch::default())],
        keys: (1..=3).map(B256::repeat_byte).collect(),
    };
    let seen: Vec<_> = blocks
        .iter()
        .flat_map(|block| facts(block, &place, &watch).unwrap().transactions)
        .collect();
    // The other one's repetition changed nothing, so it says nothing.
    let [ours] = seen.as_slice() else {
        panic!("{seen:?}");
    };
    assert_eq!((ours.sender, ours.reverted), (Some((0, 0)), false));
    assert_eq!(ours.execution.tx_hash, first.hash);
    let proved = proof::Receipt::from_cbor(ours.execution.receipt.as_ref().unwrap()).unwrap();
    assert!(proof::verify(&proved, Some(&network.named().identity)).is_ok());
    let ran = |key: u8, succeeded, result: &[u8], data: &'static [u8]| Event::Executed {
        account: account.address(),
        key: B256::repeat_byte(key),
        call: operation(key, echo, data).call(),
        succeeded,
        result: Bytes::copy_from_slice(result),
    };
    let refused = Event::Refused {
        account: other.address(),
        key: B256::repeat_byte(3),
        reason: Refusal::NotDelegated,
    };
    // The first log is the contract's own, which sees the account.
    let expected = [
        (1, ran(1, true, b"hello", b"hello")),
        (2, ran(2, false, b"", b"")),
        (3, refused),
    ];
    assert_eq!(ours.told, expected);

    // Whoever waits for neither, and sends nothing, sees nothing.
    let nothing = Watch {
        relayers: vec![(
            User::new(9).address(),
            operations::observe::Watch::default(),
        )],
        keys: BTreeSet::new(),
    };
    let mut all = blocks.iter().map(|block| facts(block, &place, &nothing));
    assert!(all.all(|facts| facts.unwrap().transactions.is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn contracts_see_the_account_and_it_stays_one() {
    let node = Node::start().await;
    let (relayer, account) = (User::new(1), User::new(2));
    // Answers with its caller: CALLER PUSH0 MSTORE PUSH1 32 PUSH0 RETURN.
    let who = node
        .deploy(&relayer, &[0x33, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3])
        .await;
    let brought = signed(&account, operation(1, who, b"\x00"));
    let sent = relay(&relayer, 1, vec![brought], Some(&account));
    let receipt = node.include(&sent.raw).await;
    let log = &receipt["logs"][0];
    assert_eq!(log["address"], json!(account.address()));
    let data: Bytes = log["data"].as_str().unwrap().parse().unwrap();
    let (succeeded, result) = <(bool, Bytes)>::abi_decode_params(&data).unwrap();
    assert!(succeeded);
    assert_eq!(result[12..], account.address()[..]);

    // The account sends and receives as before. The authorization took one nonce.
    let transfer = TxEip1559 {
        nonce: 1,
        to: TxKind::Call(relayer.address()),
        value: U256::ONE,
        gas_limit: 21_000,
        max_fee_per_gas: 2_000_000_000,
        ..TxEip1559::default()
    };
    let receipt = node.include(&account.sign(transfer)).await;
    assert_eq!(receipt["status"], "0x1", "{receipt}");
    let gift = TxEip1559 {
        nonce: 2,
        to: TxKind::Call(account.address()),
        value: U256::ONE,
        gas_limit: 30_000,
        max_fee_per_gas: 2_000_000_000,
        ..TxEip1559::default()
    };
    let receipt = node.include(&relayer.sign(gift)).await;
    assert_eq!(receipt["status"], "0x1", "{receipt}");
}

/// A shell with its journal, as a gateway has it.
struct Shell {
    journal: Journal,
    handle: Handle,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), shell::Error>>,
}

impl Shell {
    async fn start(node: &Node, dir: &Path) -> Self {
        let network = network(node).await;
        let binding = Binding {
            chain_id: CHAIN,
            genesis: network.named().genesis,
            organization: B256::ZERO,
            master_key: B256::ZERO,
        };
        let db = Db::open(dir, &binding, &Options::default()).unwrap();
        let readers = db.readers();
        let (writer, _) = Writer::start(db, 64).unwrap();
        let journal = Journal { writer, readers };
        let accounts = (5..8).map(|index| User::new(index).0);
        let mut config = shell::Config::new(network, vec![node.url()], User::new(4).0);
        config.operations = Some(Operating {
            machine: operation::Config::default(),
            code: ADDRESS,
            relayers: vec![User::new(1).0, User::new(2).0],
            accounts: accounts.map(|key| (key.address(), key)).collect(),
        });
        let (handle, inbox) = shell::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let work = shell::run(config, journal.clone(), inbox, async {
            let _ = stopped.await;
        });
        Self {
            journal,
            handle,
            stop,
            task: tokio::spawn(work),
        }
    }

    async fn accept(&self, operation: &NewOperation) {
        let new = operation.clone();
        let writer = &self.journal.writer;
        let inserted = writer.write(move |tx| tx.insert_operation(&new)).await;
        let InsertedOperation::New(entry) = inserted.unwrap() else {
            panic!("the key is new");
        };
        self.handle.order(Order::Accepted(entry));
    }

    /// How an operation ended.
    async fn end(&self, operation: &NewOperation) -> (State, Option<String>) {
        let settled = self.handle.settled(operation.key);
        let read = || {
            let found = self
                .journal
                .readers
                .read(|view| view.operation(&operation.key));
            found.unwrap().unwrap()
        };
        let mut row = read();
        if !row.state.is_settled() {
            timeout(Duration::from_secs(60), settled.wait())
                .await
                .unwrap();
            row = read();
        }
        assert_eq!(
            row.ran.is_some(),
            row.failure.as_ref().is_none_or(|it| it.code == "reverted")
        );
        (row.state, row.failure.map(|failure| failure.code))
    }

    async fn stop(self) {
        let _ = self.stop.send(());
        self.task.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_brings_each_operation_to_one_effect() {
    let node = Node::start().await;
    let echo = node.deploy_echo(&User::new(3)).await;
    // What is called with nothing reverts.
    let data = |number: u64| match number % 5 {
        0 => Vec::new(),
        _ => number.to_be_bytes().to_vec(),
    };
    let wanted = |number: u64| {
        let data = data(number);
        let call = Operation {
            target: echo,
            data: data.clone().into(),
            ..Operation::default()
        };
        NewOperation {
            key: B256::from(U256::from(number)),
            tenant: "acme".to_owned(),
            idempotency_key: number.to_string(),
            digest: call.call(),
            call_hash: call.call(),
            call: Call {
                account: User::new(5 + (number % 3) as u8).address(),
                target: echo,
                value: U256::ZERO,
                data,
                gas: 60_000,
                deadline: 4_000_000_000,
            },
            line: number.is_multiple_of(2).then(|| "orders".to_owned()),
            priority: 5,
            created_ms: 0,
        }
    };
    let all: Vec<NewOperation> = (1..=60).map(wanted).collect();
    let dir = tempfile::tempdir().unwrap();
    let shell = Shell::start(&node, dir.path()).await;
    for operation in &all {
        shell.accept(operation).await;
    }
    for operation in &all {
        let expected = match operation.call.data.is_empty() {
            true => (State::Failed, Some("reverted".to_owned())),
            false => (State::Final, None),
        };
        assert_eq!(shell.end(operation).await, expected);
    }
    shell.stop().await;
    let effects = async || {
        let filter = json!([{ "address": echo, "fromBlock": "0x0" }]);
        let logs = node.call("eth_getLogs", filter).await;
        let logs = logs.as_array().unwrap().iter();
        logs.map(|log| log["data"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let before = effects().await;
    assert_eq!(before.len(), 48);
    assert_eq!(
        before.iter().collect::<BTreeSet<_>>().len(),
        48,
        "each once"
    );

    // The store is lost. The same requests find what they did.
    let dir = tempfile::tempdir().unwrap();
    let shell = Shell::start(&node, dir.path()).await;
    for operation in all.iter().rev().take(12) {
        shell.accept(operation).await;
    }
    for operation in all.iter().rev().take(12) {
        let (state, _) = shell.end(operation).await;
        assert_eq!(state == State::Final, !operation.call.data.is_empty());
    }
    shell.stop().await;
    assert_eq!(effects().await, before);
}

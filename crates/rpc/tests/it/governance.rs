//! What nodes do because of the contracts that stand in genesis.

use crate::node::{Node, User, quantity, transfer};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use alloy_sol_types::{SolCall as _, SolValue as _, sol};
use contracts::{SystemContract, member::Permissions};
use serde_json::{Value, json};

sol! {
    interface Members {
        function setAccount(address account, uint8 permissions) external;
    }
    interface Pause {
        function movePause(uint8 scope, bytes32 subject, uint256 duration) external returns (uint256 motion);
        function moveLift(uint8 scope, bytes32 subject) external returns (uint256 motion);
    }
    interface Governance {
        struct Action { uint8 kind; bytes arguments; }
        function propose(Action[] calldata actions, string calldata description) external returns (uint256 proposal);
        function vote(uint256 proposal, uint8 choice) external;
        function execute(uint256 proposal) external;
        function stateOf(uint256 proposal) external view returns (uint8 state);
    }
}

/// Values of `IPause.Scope`.
const DEPLOYMENTS: u8 = 0;
const CONTRACT: u8 = 1;

/// What is said of a transaction that may not be executed.
async fn refusal(node: &Node, from: &User, to: TxKind) -> String {
    let nonce = json!([from.address(), "latest"]);
    let transaction = alloy_consensus::TxEip1559 {
        to,
        gas_limit: 100_000,
        ..transfer(node.quantity("eth_getTransactionCount", nonce).await)
    };
    let raw = from.sign(transaction);
    node.error("eth_sendRawTransaction", json!([raw])).await
}

async fn govern(node: &Node, from: &User, contract: SystemContract, input: Vec<u8>) {
    let to = TxKind::Call(contract.address());
    let receipt = node.send(from, to, Bytes::from(input)).await;
    assert_eq!(receipt["status"], "0x1", "{receipt}");
}

#[tokio::test(flavor = "multi_thread")]
async fn members_decide_who_may_transact() {
    let node = Node::start_closed().await;
    let (administrator, user) = (User::new(1), User::new(2));
    let echo = node.deploy_echo(&administrator).await;
    let stranger = format!(
        "-32000: Members: {} belongs to no organization; an administrator of one can add it",
        user.address()
    );
    let call = TxKind::Call(echo);
    assert_eq!(refusal(&node, &user, call).await, stranger);
    // Nor by the contracts that govern.
    let members = TxKind::Call(SystemContract::Members.address());
    assert_eq!(refusal(&node, &user, members).await, stranger);
    // To ask is free.
    let asked = json!([{ "from": user.address(), "to": echo, "data": "0x01" }, "latest"]);
    assert_eq!(node.call("eth_call", asked).await, "0x01");

    let add = Members::setAccountCall {
        account: user.address(),
        permissions: Permissions::TRANSACT.bits(),
    };
    govern(
        &node,
        &administrator,
        SystemContract::Members,
        add.abi_encode(),
    )
    .await;
    assert_eq!(node.send(&user, call, [1]).await["status"], "0x1");
    assert_eq!(
        refusal(&node, &user, TxKind::Create).await,
        format!(
            "-32000: Members: {} may not create contracts; an administrator of its organization can allow it",
            user.address()
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_paused_cannot_be_reached() {
    let node = Node::start_closed().await;
    let administrator = User::new(1);
    let echo = node.deploy_echo(&administrator).await;
    let caller = node.deploy_caller(&administrator, echo).await;
    let pause = async |scope, subject: Address| {
        let motion = Pause::movePauseCall {
            scope,
            subject: subject.into_word(),
            // This chain began years ago: each block is an hour later than the one before.
            duration: U256::from(7 * 24 * 3_600),
        };
        govern(
            &node,
            &administrator,
            SystemContract::Pause,
            motion.abi_encode(),
        )
        .await;
    };
    pause(CONTRACT, echo).await;
    let refused = refusal(&node, &administrator, TxKind::Call(echo)).await;
    let text = format!("-32000: Pause: {echo} cannot be called until ");
    assert!(refused.starts_with(&text), "{refused}");
    // By way of another contract it reverts, and says why, when it happens and ever after.
    let sent = node.send(&administrator, TxKind::Call(caller), [1]).await;
    assert_eq!(sent["status"], "0x1");
    let traced = json!([sent["transactionHash"], { "tracer": "callTracer" }]);
    let traced = node.call("debug_traceTransaction", traced).await;
    let inner = &traced["calls"][0];
    assert_eq!(inner["error"], "execution reverted", "{traced}");
    let reason = inner["revertReason"].as_str().unwrap();
    assert_eq!(format!("-32000: {reason}"), refused);
    // Anybody may still look.
    let asked = json!([{ "to": echo, "data": "0x01" }, "latest"]);
    assert_eq!(node.call("eth_call", asked).await, "0x01");

    let lift = Pause::moveLiftCall {
        scope: CONTRACT,
        subject: echo.into_word(),
    };
    govern(
        &node,
        &administrator,
        SystemContract::Pause,
        lift.abi_encode(),
    )
    .await;
    let sent: Value = node.send(&administrator, TxKind::Call(echo), [1]).await;
    assert_eq!(sent["status"], "0x1");

    pause(DEPLOYMENTS, Address::ZERO).await;
    let refused = refusal(&node, &administrator, TxKind::Create).await;
    let text = "-32000: Pause: no contract can be created until ";
    assert!(refused.starts_with(text), "{refused}");
}

/// Values of `IGovernance.Kind`, `IBallots.Choice`, `IGovernance.State` and `IParameters.Parameter`.
const SET_LIMIT: u8 = 6;
const APPROVE: u8 = 1;
const EXECUTABLE: U256 = U256::from_limbs([5, 0, 0, 0]);
const BLOCK_GAS: u64 = 0;

#[tokio::test(flavor = "multi_thread")]
async fn nodes_obey_the_parameters_that_were_voted_for() {
    let node = Node::start_closed().await;
    let administrator = User::new(1);
    let governance = SystemContract::Governance;
    let decide = async |input| govern(&node, &administrator, governance, input).await;
    let set = Governance::Action {
        kind: SET_LIMIT,
        arguments: (U256::from(BLOCK_GAS), U256::from(50_000_000))
            .abi_encode()
            .into(),
    };
    let propose = Governance::proposeCall {
        actions: vec![set],
        description: "smaller blocks".to_owned(),
    };
    decide(propose.abi_encode()).await;
    let proposal = U256::ONE;
    let vote = Governance::voteCall {
        proposal,
        choice: APPROVE,
    };
    decide(vote.abi_encode()).await;
    // A day of timelock: each block of this chain is an hour.
    let state = Bytes::from(Governance::stateOfCall { proposal }.abi_encode());
    let asked = json!([{ "to": governance.address(), "data": state }, "latest"]);
    let executable = json!(B256::from(EXECUTABLE));
    while node.call("eth_call", asked.clone()).await != executable {
        tokio::task::yield_now().await;
    }
    let execute = Governance::executeCall { proposal };
    let receipt = node.send(
        &administrator,
        TxKind::Call(governance.address()),
        execute.abi_encode(),
    );
    let decided = quantity(&receipt.await["blockNumber"]);
    node.wait_for(decided + 1).await;
    // From the next block on.
    for (number, gas) in [(decided, 100_000_000), (decided + 1, 50_000_000)] {
        let block = json!([format!("{number:#x}"), false]);
        let block = node.call("eth_getBlockByNumber", block).await;
        assert_eq!(quantity(&block["gasLimit"]), gas, "block {number}");
    }
}

//! How a network ends: whether it is closed, and which one it named to go on.

use crate::{
    governance::{Governance, GovernanceError},
    node,
    rpc::{Nodes, RpcError},
};
use alloy_primitives::{B256, Bytes, U64, U256};
use contracts::{SystemContract, abi::ISuccession};
use proof::{FormatError, Receipt, SUCCESSION, succession::SUCCESSOR_NAMED_TOPIC};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

/// Blocks that are searched at a time: fewer than any node's limit.
const BLOCKS_AT_ONCE: u64 = 10_000;

/// What a node says of its network's end. It is believed; a receipt need not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The block, as contracts count them, after which nothing but governing was executed; none if the network is not closed.
    pub closed_at: Option<u64>,
    /// The network that goes on, if one is named.
    pub successor: Option<Successor>,
}

/// The network that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Successor {
    /// Its public key.
    pub identity: Bytes,
    /// Its chain id.
    pub chain_id: U256,
    /// The hash of its block 0.
    pub genesis: B256,
}

/// Why there is no proof of a succession.
#[derive(Debug, thiserror::Error)]
pub enum EndingError {
    /// No node answered as it should.
    #[error(transparent)]
    Node(#[from] GovernanceError),
    /// The network goes on itself.
    #[error("this network has named no successor{}", if *.closed { " yet; it is closed" } else { ", and is not closed" })]
    NotNamed {
        /// Whether it is closed.
        closed: bool,
    },
    /// The contract names one, and its log is in no block that the node has.
    #[error(
        "the node has not the block in which the successor was named: ask one that keeps all blocks"
    )]
    NotFound,
    /// The node gave no receipt of the transaction.
    #[error("the node's receipt cannot be read: {0}")]
    Receipt(#[from] FormatError),
}

impl From<RpcError> for EndingError {
    fn from(error: RpcError) -> Self {
        Self::Node(error.into())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Logged {
    transaction_hash: B256,
}

impl Ending {
    /// Asks whether and how the network has ended.
    ///
    /// # Errors
    /// [`GovernanceError`].
    pub async fn read(nodes: &Nodes) -> Result<Self, GovernanceError> {
        let (governance, succession) = (Governance(nodes), SystemContract::Succession);
        let closed_at = ISuccession::closedAtCall {};
        let closed_at = governance.ask(succession, &closed_at).await?;
        let named = ISuccession::successorCall {};
        let named = governance.ask(succession, &named).await?;
        let successor = Successor {
            identity: named.identity,
            chain_id: named.chainId,
            genesis: named.genesis,
        };
        Ok(Self {
            closed_at: (!closed_at.is_zero()).then(|| closed_at.saturating_to()),
            successor: (!successor.genesis.is_zero()).then_some(successor),
        })
    }
}

/// The receipt of the transaction in which the network named its successor: for [`proof::Lineage::follow`], which checks it.
///
/// # Errors
/// [`EndingError`].
pub async fn receipt(nodes: &Nodes) -> Result<Receipt, EndingError> {
    let Ending {
        closed_at,
        successor,
    } = Ending::read(nodes).await?;
    if successor.is_none() {
        let closed = closed_at.is_some();
        return Err(EndingError::NotNamed { closed });
    }
    let head: U64 = nodes.call("eth_blockNumber", [(); 0]).await?;
    let mut to: u64 = head.to();
    // Nothing much happens after it: it is near the end.
    loop {
        let from = to.saturating_sub(BLOCKS_AT_ONCE - 1);
        let filter = json!({
            "address": SUCCESSION,
            "topics": [SUCCESSOR_NAMED_TOPIC],
            "fromBlock": U64::from(from),
            "toBlock": U64::from(to),
        });
        let logs: Vec<Logged> = nodes.call("eth_getLogs", [filter]).await?;
        if let Some(Logged { transaction_hash }) = logs.first() {
            let document: Option<Box<RawValue>> =
                nodes.call(node::GET_RECEIPT, [transaction_hash]).await?;
            let document = document.ok_or(EndingError::NotFound)?;
            return Ok(Receipt::decode(document.get().as_bytes())?);
        }
        to = from.checked_sub(1).ok_or(EndingError::NotFound)?;
    }
}

//! The methods there are.

use crate::{
    account, block, call,
    dispatch::Reply,
    error::Error,
    fee,
    filter::{self, Filters},
    finality, log,
    network::{self, Network},
    parameter::Params,
    receipt,
    server::Limits,
    state_proof,
    subscription::{self, Session},
    transaction,
};
use chain::Node;
use futures::FutureExt as _;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::{Semaphore, oneshot};

/// What every call is answered from.
pub(crate) struct Api {
    pub node: Node,
    pub network: Network,
    pub limits: Limits,
    pub filters: Filters,
    /// Messages being answered.
    pub requests: Semaphore,
    /// Calls being simulated.
    pub calls: Semaphore,
    /// When this node began to listen, in Unix seconds: its mempool knows nothing from before.
    pub started_s: u64,
}

impl Api {
    pub(crate) fn new(node: Node, network: Network, limits: Limits) -> Self {
        Self {
            node,
            network,
            filters: Filters::new(limits.filters_max),
            requests: Semaphore::new(limits.requests_max),
            calls: Semaphore::new(limits.calls_max),
            started_s: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
            limits,
        }
    }
}

/// Who calls.
#[derive(Default)]
pub(crate) struct Caller<'a> {
    /// The WebSocket it came by, if any.
    pub session: Option<&'a Session>,
    /// Subscriptions made by this message. They start when its answer is on its way: a client knows
    /// none by its id before.
    pub starts: Vec<oneshot::Sender<()>>,
}

/// Answers one call. Those that wait are boxed: else each call would be as large as the largest.
pub(crate) async fn call(
    api: &Api,
    caller: &mut Caller<'_>,
    method: &str,
    params: Params<'_>,
) -> Reply {
    match method {
        "eth_accounts" => account::list(&params),
        "eth_blobBaseFee" => fee::blob_base_fee(&params),
        "eth_blockNumber" => block::number(api, &params),
        "eth_call" => call::call(api, params).boxed().await,
        "eth_chainId" => network::chain_id(api, &params),
        "eth_estimateGas" => call::estimate(api, params).boxed().await,
        "eth_feeHistory" => fee::history(api, params).boxed().await,
        "eth_gasPrice" => fee::gas_price(api, params).boxed().await,
        "eth_getBalance" => account::balance(api, params).boxed().await,
        "eth_getBlockByHash" => block::by_hash(api, params).boxed().await,
        "eth_getBlockByNumber" => block::by_number(api, params).boxed().await,
        "eth_getBlockReceipts" => receipt::of_block(api, params).boxed().await,
        "eth_getBlockTransactionCountByHash" => {
            block::transaction_count_by_hash(api, params).boxed().await
        }
        "eth_getBlockTransactionCountByNumber" => {
            block::transaction_count_by_number(api, params)
                .boxed()
                .await
        }
        "eth_getCode" => account::code(api, params).boxed().await,
        "eth_getFilterChanges" => filter::changes(api, params).boxed().await,
        "eth_getFilterLogs" => filter::logs(api, params).boxed().await,
        "eth_getLogs" => log::get(api, params).boxed().await,
        "eth_getRawTransactionByHash" => transaction::raw_by_hash(api, params).boxed().await,
        "eth_getStorageAt" => account::storage(api, params).boxed().await,
        "eth_getTransactionByBlockHashAndIndex" => {
            transaction::by_block_hash_and_index(api, params)
                .boxed()
                .await
        }
        "eth_getTransactionByBlockNumberAndIndex" => {
            transaction::by_number_and_index(api, params).boxed().await
        }
        "eth_getTransactionByHash" => transaction::by_hash(api, params).boxed().await,
        "eth_getTransactionCount" => account::nonce(api, params).boxed().await,
        "eth_getTransactionReceipt" => receipt::by_hash(api, params).boxed().await,
        "eth_getUncleByBlockHashAndIndex" | "eth_getUncleByBlockNumberAndIndex" => {
            block::uncle(params)
        }
        "eth_getUncleCountByBlockHash" | "eth_getUncleCountByBlockNumber" => {
            block::uncle_count(api, params).boxed().await
        }
        "eth_maxPriorityFeePerGas" => fee::tip(api, params).boxed().await,
        "eth_newBlockFilter" => filter::new_block(api, &params),
        "eth_newFilter" => filter::new_log(api, params),
        "eth_sendRawTransaction" => transaction::send(api, params).boxed().await,
        "eth_sendRawTransactionSync" => transaction::send_and_wait(api, params).boxed().await,
        "eth_subscribe" => subscription::subscribe_eth(api, caller, params),
        "eth_syncing" => network::syncing(&params),
        "eth_uninstallFilter" => filter::uninstall(api, params),
        "eth_unsubscribe" => subscription::unsubscribe(caller, params),

        client::node::GET_IDENTITY => network::identity(api, &params),
        client::node::GET_FINALIZATION => finality::finalization(api, params).boxed().await,
        client::node::GET_PROOF => state_proof::get(api, params).boxed().await,
        client::node::GET_RECEIPT => finality::receipt(api, params).boxed().await,
        client::node::SUBSCRIBE => {
            subscription::subscribe_own(api, caller, params)
                .boxed()
                .await
        }
        client::node::UNSUBSCRIBE => subscription::unsubscribe(caller, params),
        "ashlar_getTransactionStatus" => transaction::status(api, params).boxed().await,
        "ashlar_validators" => network::validators(api, &params),

        "net_listening" => network::listening(&params),
        "net_peerCount" => network::peer_count(api, &params),
        "net_version" => network::version(api, &params),
        "rpc_modules" => network::modules(&params),
        "txpool_status" => network::mempool_status(api, params).boxed().await,
        "web3_clientVersion" => network::client_version(&params),
        "web3_sha3" => network::sha3(params),
        other => Err(absent(other)),
    }
}

/// Why there is no such method, where clients may well ask for it.
fn absent(name: &str) -> Error {
    let reason = match name {
        "eth_getProof" => Some(
            "the state tree is not Ethereum's; ashlar_getProof gives proofs of this chain's own",
        ),
        "eth_newPendingTransactionFilter" => {
            Some("the mempool is not published; wait for final blocks, they take milliseconds")
        }
        "eth_createAccessList" => Some("access lists are understood but not made here"),
        "eth_sendTransaction"
        | "eth_sign"
        | "eth_signTransaction"
        | "eth_signTypedData_v4"
        | "personal_sign" => {
            Some("nodes hold no account keys; sign yourself and use eth_sendRawTransaction")
        }
        _ => None,
    };
    // A name is echoed, but not at any length.
    let name = name.chars().take(64).collect();
    Error::NoMethod { name, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_methods_say_so_in_geths_words() {
        for (name, text) in [
            (
                "eth_mine",
                "the method eth_mine does not exist/is not available",
            ),
            (
                "eth_getProof",
                "the method eth_getProof does not exist/is not available: the state tree is not Ethereum's; \
                 ashlar_getProof gives proofs of this chain's own",
            ),
        ] {
            assert_eq!(absent(name).to_string(), text);
        }
        assert!(absent(&"x".repeat(1 << 20)).to_string().len() < 200);
    }
}

//! The methods there are.

use crate::{
    account, block, call, capability, debug,
    dispatch::Reply,
    error::Error,
    fee, fill,
    filter::{self, Filters},
    finality, health,
    large::Places,
    log, mempool,
    network::{self, Network},
    otterscan,
    parameter::Params,
    receipt,
    server::Limits,
    simulate, state_proof,
    subscription::{self, Session},
    trace, transaction, upgrade,
    wallet::{self, Wallet},
};
use chain::{Ground, Node, NodeError, Turn};
use evm::Question;
use futures::FutureExt as _;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::{Semaphore, oneshot};

/// Pages of blocks read at a time: more followers wait for one another, not consensus for them.
const PAGES_MAX: usize = 4;

/// What every call is answered from.
pub(crate) struct Api {
    pub node: Node,
    pub network: Network,
    pub limits: Limits,
    pub wallet: Wallet,
    pub filters: Filters,
    /// Messages being answered.
    pub requests: Semaphore,
    /// Large messages.
    pub large: Places,
    /// Calls being simulated, each for a short turn.
    pub calls: Semaphore,
    /// Those that take longer, and all other work of that kind.
    pub long_calls: Semaphore,
    /// Pages of blocks being read for followers: each is some hundred questions to the engine.
    pub pages: Semaphore,
    /// When this node began to listen, in Unix seconds: its mempool knows nothing from before.
    pub started_s: u64,
}

impl Api {
    pub(crate) fn new(
        node: Node,
        network: Network,
        wallet: Wallet,
        limits: Limits,
        give_way: fn(),
    ) -> Self {
        Self {
            wallet,
            node,
            network,
            filters: Filters::new(limits.filters_max),
            requests: Semaphore::new(limits.requests_max),
            large: Places::new(limits.large_messages_max, give_way),
            calls: Semaphore::new(limits.calls_max),
            long_calls: Semaphore::new(limits.long_calls_max),
            pages: Semaphore::new(PAGES_MAX),
            started_s: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
            limits,
        }
    }

    /// Puts a question to the state: first for a short turn, so that it waits for nobody who asks for much; if that is not
    /// enough, once more, without bound, among those that take long.
    pub(crate) async fn ask<Q>(
        &self,
        at: Option<u64>,
        make: impl Fn(Ground) -> Q + Clone + Send + 'static,
    ) -> Result<Q::Answer, Error>
    where
        Q: Question<Answer: Send> + Send + 'static,
    {
        let permit = self.calls.acquire().await.map_err(|_| Error::Timeout)?;
        let short = self.node.pose(at, Turn::Short, make.clone()).await;
        drop(permit);
        match short {
            Err(NodeError::Exhausted) => self.ask_long(at, make).await,
            done => Ok(done?),
        }
    }

    /// Puts a question to the state that is likely to take long.
    pub(crate) async fn ask_long<Q>(
        &self,
        at: Option<u64>,
        make: impl FnOnce(Ground) -> Q + Send + 'static,
    ) -> Result<Q::Answer, Error>
    where
        Q: Question<Answer: Send> + Send + 'static,
    {
        let _permit = self
            .long_calls
            .acquire()
            .await
            .map_err(|_| Error::Timeout)?;
        Ok(self.node.pose(at, Turn::Long, make).await?)
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

/// Makes the table of methods and the function that looks them up, so that what is served and what is said to be served
/// are the same.
macro_rules! methods {
    (|$api:ident, $caller:ident, $params:ident| $($name:literal => $reply:expr,)*) => {
        /// The names of all methods, in order.
        pub const METHODS: &[&str] = &[$($name),*];

        /// Answers one call. Those that wait are boxed: else each call would be as large as the largest.
        pub(crate) async fn call(
            $api: &Api,
            $caller: &mut Caller<'_>,
            method: &str,
            $params: Params<'_>,
        ) -> Reply {
            match method {
                // As if they were not in the table.
                known if $api.wallet.is_empty() && wallet::METHODS.contains(&known) => {
                    Err(absent(known))
                }
                $($name => $reply,)*
                other => Err(absent(other)),
            }
        }
    };
}

methods! { |api, caller, params|
    "ashlar_getCertifiedBlocks" => finality::blocks(api, params).boxed().await,
    "ashlar_getFinalization" => finality::finalization(api, params).boxed().await,
    "ashlar_getIdentity" => network::identity(api, &params),
    "ashlar_getProof" => state_proof::get(api, params).boxed().await,
    "ashlar_getReceipt" => finality::receipt(api, params).boxed().await,
    "ashlar_getTransactionStatus" => transaction::status(api, params).boxed().await,
    "ashlar_health" => health::health(api, &params),
    "ashlar_subscribe" => subscription::subscribe_own(api, caller, params).boxed().await,
    "ashlar_unsubscribe" => subscription::unsubscribe(caller, params),
    "ashlar_upgrades" => upgrade::upgrades(api, &params),
    "ashlar_validators" => network::validators(api, &params).await,
    "debug_getRawBlock" => debug::raw_block(api, params).boxed().await,
    "debug_getRawHeader" => debug::raw_header(api, params).boxed().await,
    "debug_getRawReceipts" => debug::raw_receipts(api, params).boxed().await,
    "debug_getRawTransaction" => transaction::raw_by_hash(api, params).boxed().await,
    "debug_traceBlock" => debug::trace_block_rlp(api, params).boxed().await,
    "debug_traceBlockByHash" => debug::trace_block_by_hash(api, params).boxed().await,
    "debug_traceBlockByNumber" => debug::trace_block_by_number(api, params).boxed().await,
    "debug_traceCall" => debug::trace_call(api, params).boxed().await,
    "debug_traceTransaction" => debug::trace_transaction(api, params).boxed().await,
    "erigon_getHeaderByNumber" => otterscan::header(api, params).boxed().await,
    "eth_accounts" => account::list(api, &params),
    "eth_baseFee" => fee::base_fee(api, &params),
    "eth_blobBaseFee" => fee::blob_base_fee(&params),
    "eth_blockNumber" => block::number(api, &params),
    "eth_call" => call::call(api, params).boxed().await,
    "eth_capabilities" => capability::capabilities(api, params).boxed().await,
    "eth_chainId" => network::chain_id(api, &params),
    "eth_config" => capability::config(api, params).boxed().await,
    "eth_createAccessList" => call::create_access_list(api, params).boxed().await,
    "eth_estimateGas" => call::estimate(api, params).boxed().await,
    "eth_feeHistory" => fee::history(api, params).boxed().await,
    "eth_fillTransaction" => fill::fill(api, params).boxed().await,
    "eth_gasPrice" => fee::gas_price(api, params).boxed().await,
    "eth_getAccountInfo" => account::info(api, params).boxed().await,
    "eth_getBalance" => account::balance(api, params).boxed().await,
    "eth_getBlockByHash" => block::by_hash(api, params).boxed().await,
    "eth_getBlockByNumber" => block::by_number(api, params).boxed().await,
    "eth_getBlockReceipts" => receipt::of_block(api, params).boxed().await,
    "eth_getBlockTransactionCountByHash" => block::transaction_count_by_hash(api, params).boxed().await,
    "eth_getBlockTransactionCountByNumber" => block::transaction_count_by_number(api, params).boxed().await,
    "eth_getCode" => account::code(api, params).boxed().await,
    "eth_getFilterChanges" => filter::changes(api, params).boxed().await,
    "eth_getFilterLogs" => filter::logs(api, params).boxed().await,
    "eth_getLogs" => log::get(api, params).boxed().await,
    "eth_getRawTransactionByHash" => transaction::raw_by_hash(api, params).boxed().await,
    "eth_getStorageAt" => account::storage(api, params).boxed().await,
    "eth_getStorageValues" => account::storage_values(api, params).boxed().await,
    "eth_getTransactionByBlockHashAndIndex" => transaction::by_block_hash_and_index(api, params).boxed().await,
    "eth_getTransactionByBlockNumberAndIndex" => transaction::by_number_and_index(api, params).boxed().await,
    "eth_getTransactionByHash" => transaction::by_hash(api, params).boxed().await,
    "eth_getTransactionCount" => account::nonce(api, params).boxed().await,
    "eth_getTransactionReceipt" => receipt::by_hash(api, params).boxed().await,
    "eth_getUncleByBlockHashAndIndex" => block::uncle(api, params).boxed().await,
    "eth_getUncleByBlockNumberAndIndex" => block::uncle(api, params).boxed().await,
    "eth_getUncleCountByBlockHash" => block::uncle_count(api, params).boxed().await,
    "eth_getUncleCountByBlockNumber" => block::uncle_count(api, params).boxed().await,
    "eth_maxPriorityFeePerGas" => fee::tip(api, params).boxed().await,
    "eth_newBlockFilter" => filter::new_block(api, &params),
    "eth_newFilter" => filter::new_log(api, params),
    "eth_newPendingTransactionFilter" => filter::new_pending(api, &params),
    "eth_sendRawTransaction" => transaction::send(api, params).boxed().await,
    "eth_sendRawTransactionSync" => transaction::send_and_wait(api, params).boxed().await,
    "eth_sendTransaction" => wallet::send(api, params).boxed().await,
    "eth_sign" => wallet::sign_message(api, params),
    "eth_signTransaction" => wallet::sign_transaction(api, params).boxed().await,
    "eth_signTypedData_v4" => wallet::sign_typed(api, params),
    "eth_simulateV1" => simulate::simulate(api, params).boxed().await,
    "eth_subscribe" => subscription::subscribe_eth(api, caller, params),
    "eth_syncing" => network::syncing(api, &params),
    "eth_uninstallFilter" => filter::uninstall(api, params),
    "eth_unsubscribe" => subscription::unsubscribe(caller, params),
    "hardhat_metadata" => wallet::metadata(api, &params),
    "net_listening" => network::listening(&params),
    "net_peerCount" => network::peer_count(api, &params),
    "net_version" => network::version(api, &params),
    "ots_getApiLevel" => otterscan::api_level(&params),
    "ots_getBlockDetails" => otterscan::block_details(api, params).boxed().await,
    "ots_getBlockDetailsByHash" => otterscan::block_details_by_hash(api, params).boxed().await,
    "ots_getBlockTransactions" => otterscan::block_transactions(api, params).boxed().await,
    "ots_getContractCreator" => otterscan::contract_creator(api, params).boxed().await,
    "ots_getInternalOperations" => otterscan::operations(api, params).boxed().await,
    "ots_getTransactionBySenderAndNonce" => otterscan::by_sender_and_nonce(api, params).boxed().await,
    "ots_getTransactionError" => otterscan::error(api, params).boxed().await,
    "ots_hasCode" => otterscan::has_code(api, params).boxed().await,
    "ots_searchTransactionsAfter" => otterscan::search_after(api, params).boxed().await,
    "ots_searchTransactionsBefore" => otterscan::search_before(api, params).boxed().await,
    "ots_traceTransaction" => otterscan::trace(api, params).boxed().await,
    "personal_sign" => wallet::sign_personal(api, params),
    "rpc_modules" => network::modules(api, &params),
    "trace_block" => trace::of_block(api, params).boxed().await,
    "trace_call" => trace::call(api, params).boxed().await,
    "trace_callMany" => trace::call_many(api, params).boxed().await,
    "trace_filter" => trace::filter(api, params).boxed().await,
    "trace_get" => trace::get(api, params).boxed().await,
    "trace_rawTransaction" => trace::raw(api, params).boxed().await,
    "trace_replayBlockTransactions" => trace::replay_block(api, params).boxed().await,
    "trace_replayTransaction" => trace::replay_transaction(api, params).boxed().await,
    "trace_transaction" => trace::of_transaction(api, params).boxed().await,
    "txpool_content" => mempool::content(api, params).boxed().await,
    "txpool_contentFrom" => mempool::content_from(api, params).boxed().await,
    "txpool_inspect" => mempool::inspect(api, params).boxed().await,
    "txpool_status" => mempool::status(api, params).boxed().await,
    "web3_clientVersion" => network::client_version(&params),
    "web3_sha3" => network::sha3(params),
}

/// Why there is no such method, where clients may well ask for it.
fn absent(name: &str) -> Error {
    let reason = match name {
        "eth_getProof" => Some(
            "the state tree is not Ethereum's; ashlar_getProof gives proofs of this chain's own",
        ),
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
    fn the_table_is_in_order_and_has_our_own_names() {
        assert!(METHODS.is_sorted());
        for name in [
            client::node::GET_IDENTITY,
            client::node::GET_FINALIZATION,
            client::node::GET_PROOF,
            client::node::GET_RECEIPT,
            client::node::SUBSCRIBE,
            client::node::UNSUBSCRIBE,
            client::node::UPGRADES,
        ] {
            assert!(METHODS.contains(&name), "{name}");
        }
    }

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

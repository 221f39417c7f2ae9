//! JSON-RPC over HTTP, to one of several nodes.

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};

use alloy_primitives::{Address, B256, Bytes, U64, U128};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};

use crate::{
    follow::{Fault, Head, Network},
    node,
};

/// Largest answer that is read. A block of 2 MiB has receipts of a few times that, in hexadecimal twice as long.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// How long a node may take for one answer.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RpcError {
    /// No node is configured.
    #[error("no node is configured")]
    NoNode,
    /// The address of a node is not one.
    #[error("{url:?} is not the address of a node: {reason}")]
    Address {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The node did not answer. What was asked may have been done.
    #[error("{node} did not answer")]
    Unreachable {
        /// The node.
        node: String,
        /// What happened.
        #[source]
        source: reqwest::Error,
    },
    /// The answer is no JSON-RPC answer of the expected type.
    #[error("{node} answered what no node answers: {reason}")]
    Malformed {
        /// The node.
        node: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The node refused.
    #[error("{node} answered {code}: {message}")]
    Refused {
        /// The node.
        node: String,
        /// The JSON-RPC error code.
        code: i64,
        /// The JSON-RPC error message.
        message: String,
        /// What a contract said when it reverted.
        revert: Option<Bytes>,
    },
    /// The node's proof does not prove.
    #[error("{node} sent a proof that does not hold")]
    Proof {
        /// The node.
        node: String,
        /// Why not.
        #[source]
        source: Fault,
    },
}

impl RpcError {
    /// Whether the node understood and said no (anything else leaves open what happened).
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }
}

/// Several nodes of one network. Calls go to one that answers.
#[derive(Debug)]
pub struct Nodes {
    http: reqwest::Client,
    urls: Vec<reqwest::Url>,
    preferred: AtomicUsize,
    next_id: AtomicU64,
}

impl Nodes {
    /// `urls`: addresses such as `http://127.0.0.1:8545`, the preferred one first.
    pub fn new(urls: &[String], timeout: Duration) -> Result<Self, RpcError> {
        if urls.is_empty() {
            return Err(RpcError::NoNode);
        }
        let urls = urls
            .iter()
            .map(|url| address(url))
            .collect::<Result<_, _>>()?;
        let http = reqwest::Client::builder()
            .timeout(timeout)
            .connect_timeout(timeout.min(Duration::from_secs(2)))
            .build()
            .map_err(|source| RpcError::Unreachable {
                node: "the HTTP client".to_owned(),
                source,
            })?;
        Ok(Self {
            http,
            urls,
            preferred: AtomicUsize::new(0),
            next_id: AtomicU64::new(1),
        })
    }

    /// How many nodes there are.
    pub const fn len(&self) -> usize {
        self.urls.len()
    }

    /// Whether there is none; never so.
    pub const fn is_empty(&self) -> bool {
        self.urls.is_empty()
    }

    /// Calls one node: the `index`-th, counted around.
    pub async fn call_at<T: DeserializeOwned>(
        &self,
        index: usize,
        method: &str,
        params: impl Serialize,
    ) -> Result<T, RpcError> {
        let url = self
            .urls
            .get(index % self.urls.len())
            .ok_or(RpcError::NoNode)?;
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let unreachable = |source| RpcError::Unreachable {
            node: url.to_string(),
            source,
        };
        let malformed = |reason: String| RpcError::Malformed {
            node: url.to_string(),
            reason,
        };
        let request = Request {
            jsonrpc: "2.0",
            id,
            method,
            params,
        };
        let mut response = self
            .http
            .post(url.clone())
            .json(&request)
            .send()
            .await
            .map_err(unreachable)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(malformed(format!("more than {ANSWER_BYTES_MAX} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(|error| malformed(format!("HTTP {status}, {error}")))?;
        if let Some(error) = answer.error {
            return Err(RpcError::Refused {
                node: url.to_string(),
                code: error.code,
                message: error.message,
                revert: error
                    .data
                    .and_then(|data| serde_json::from_value(data).ok()),
            });
        }
        if answer.id != Some(id) {
            return Err(malformed("the answer to another request".to_owned()));
        }
        let result = answer.result.as_deref().map_or("null", RawValue::get);
        serde_json::from_str(result)
            .map_err(|error| malformed(format!("result of {method}: {error}")))
    }

    /// Calls the node that answered last, then the others, until one answers. A refusal is an answer.
    pub async fn call<T: DeserializeOwned>(
        &self,
        method: &str,
        params: impl Serialize,
    ) -> Result<T, RpcError> {
        let first = self.preferred.load(Ordering::Relaxed);
        let mut last = RpcError::NoNode;
        for index in first..first + self.urls.len() {
            match self.call_at(index, method, &params).await {
                Err(error) if !error.is_refusal() => last = error,
                answered => {
                    self.preferred
                        .store(index % self.urls.len(), Ordering::Relaxed);
                    return answered;
                }
            }
        }
        Err(last)
    }

    /// The network a node says it belongs to.
    pub async fn identity(&self) -> Result<node::Identity, RpcError> {
        self.call(node::GET_IDENTITY, [(); 0]).await
    }

    /// The newest final block that a node proves to be of `network`, genesis if there is none yet. Nodes whose proof
    /// does not hold are passed over.
    pub async fn verified_head(&self, network: &Network) -> Result<Head, RpcError> {
        let mut last = RpcError::NoNode;
        for index in 0..self.urls.len() {
            let proof: Option<node::FinalityProof> = match self
                .call_at(index, node::GET_FINALIZATION, ["finalized"])
                .await
            {
                Ok(proof) => proof,
                Err(error) => {
                    last = error;
                    continue;
                }
            };
            let Some(proof) = proof else {
                return Ok(Head {
                    height: 0,
                    hash: network.genesis(),
                });
            };
            match network.verify(proof) {
                Ok(head) => return Ok(head),
                Err(source) => {
                    last = RpcError::Proof {
                        node: self.name(index),
                        source,
                    }
                }
            }
        }
        Err(last)
    }

    /// What one node says about the nonce of `account`: the count at its newest final block, the count with its
    /// mempool, and then that block's height or a later one's.
    pub async fn nonce_at(&self, index: usize, account: &Address) -> Result<NonceRead, RpcError> {
        let count = "eth_getTransactionCount";
        let latest: U64 = self.call_at(index, count, (account, "latest")).await?;
        let pending: U64 = self.call_at(index, count, (account, "pending")).await?;
        let block: BlockRead = self
            .call_at(index, "eth_getBlockByNumber", ("latest", false))
            .await?;
        Ok(NonceRead {
            height: block.number.to(),
            latest: latest.to(),
            pending: pending.to(),
            base_fee: block.base_fee_per_gas.unwrap_or_default().to(),
        })
    }

    /// `eth_sendRawTransaction` to one node.
    pub async fn send_raw_at(&self, index: usize, raw: &Bytes) -> Result<B256, RpcError> {
        self.call_at(index, "eth_sendRawTransaction", [raw]).await
    }

    /// The name of the `index`-th node, counted around.
    pub fn name(&self, index: usize) -> String {
        self.urls
            .get(index % self.urls.len())
            .map(ToString::to_string)
            .unwrap_or_default()
    }
}

/// What a node says about an account's nonce. Not verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NonceRead {
    /// A final height, no earlier than the one of `latest`.
    pub height: u64,
    /// The next nonce by the final state.
    pub latest: u64,
    /// The next nonce if everything in the node's mempool is included.
    pub pending: u64,
    /// The base fee per gas at that height.
    pub base_fee: u128,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockRead {
    number: U64,
    #[serde(default)]
    base_fee_per_gas: Option<U128>,
}

/// Reads the address of a node or gateway. Without TLS: the traffic stays within a host or a protected network.
pub(crate) fn address(url: &str) -> Result<reqwest::Url, RpcError> {
    let failed = |reason: String| RpcError::Address {
        url: url.to_owned(),
        reason,
    };
    let parsed = reqwest::Url::parse(url).map_err(|error| failed(error.to_string()))?;
    if parsed.scheme() != "http" || parsed.host_str().is_none() {
        return Err(failed(
            "it must begin with http:// and name a host".to_owned(),
        ));
    }
    Ok(parsed)
}

#[derive(Serialize)]
struct Request<'a, P> {
    jsonrpc: &'static str,
    id: u64,
    method: &'a str,
    params: P,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    id: Option<u64>,
    #[serde(default)]
    result: Option<Box<RawValue>>,
    #[serde(default)]
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    code: i64,
    message: String,
    #[serde(default)]
    data: Option<Value>,
}

//! What the handlers share.

use std::{
    fmt,
    net::SocketAddr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use alloy_primitives::{Address, B256, keccak256};
use axum::body::Bytes;
use client::rpc::Nodes;
use contracts::record_id;
use db::{Tx, View};
use operations::{
    receipt::Receipts,
    shell::{Handle, Journal},
};
use tokio::sync::{Semaphore, watch};
use vault::MasterKey;

use crate::{
    admit::Admission,
    auth::{Keys, Tenant},
    config::{Limits, NetworkConfig},
    metrics::Metrics,
    problem::{Code, Refusal},
};

/// Everything a handler may use.
pub(crate) struct App {
    pub(crate) limits: Limits,
    pub(crate) keys: Keys,
    pub(crate) admission: Admission,
    pub(crate) journal: Journal,
    /// Reads at once: each has a connection of its own.
    pub(crate) reads: Semaphore,
    pub(crate) shell: Handle,
    pub(crate) master: MasterKey,
    pub(crate) receipts: Receipts,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    pub(crate) network: NetworkConfig,
    /// The organization's nodes, for what is not in the journal.
    pub(crate) nodes: Nodes,
    /// The account that sends batches.
    pub(crate) account: Address,
    pub(crate) organization: B256,
    /// Set when the gateway is about to stop: nobody is to wait any longer.
    pub(crate) stopping: watch::Sender<bool>,
    pub(crate) metrics: Metrics,
    /// The OpenAPI document and the page made from it.
    pub(crate) openapi: Bytes,
    pub(crate) docs: Bytes,
}

impl fmt::Debug for App {
    /// Little: it holds secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// What a record is called on chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) key: B256,
    pub(crate) id: B256,
}

impl App {
    /// The last final block whose effects are in the journal: what reads are answered at.
    pub(crate) fn height(&self) -> u64 {
        self.shell.view().head.map_or(0, |head| head.height)
    }

    /// The name of a tenant's record. The separator is in neither part, so no two pairs give one name.
    pub(crate) fn name(&self, tenant: &Tenant, idempotency_key: &str) -> Name {
        let key = keccak256([tenant.0.as_bytes(), &[0x1f], idempotency_key.as_bytes()].concat());
        Name {
            key,
            id: record_id(self.organization, key),
        }
    }

    /// Reads the journal, off the threads that serve.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&View<'_>) -> Result<T, db::Error> + Send + 'static,
    ) -> Result<T, Refusal> {
        let _place = self.reads.acquire().await;
        let readers = self.journal.readers.clone();
        let result = tokio::task::spawn_blocking(move || readers.read(read)).await;
        Ok(result.map_err(|_| Refusal::new(Code::Internal, "A read ended unexpectedly."))??)
    }

    /// Writes to the journal. What this returned is on disk; a full queue is refused at once.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Tx<'_>) -> Result<T, db::Error> + Send + 'static,
    ) -> Result<T, Refusal> {
        Ok(self.journal.writer.try_write(write).await?)
    }
}

/// Unix time in milliseconds.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// RFC 3339, in UTC, with milliseconds.
pub(crate) fn rfc3339(unix_ms: u64) -> String {
    // The year 9999 is the last the format knows.
    let unix_ms = unix_ms.min(253_402_300_799_000);
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(unix_ms)).to_string()
}

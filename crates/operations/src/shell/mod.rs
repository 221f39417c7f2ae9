//! The machine's shell: one loop that owns the machine, waits for whatever comes next, and performs the effects in
//! their order. Sockets, clock, signer and database are here and nowhere else.
//!
//! A failed write stops the machine: it is dropped, and recovered from the journal when the disk works again. Nothing
//! that followed the write was done.

mod actor;
mod desk;
mod node;
mod search;
mod view;
mod waiters;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use alloy_primitives::Address;
use alloy_signer_local::PrivateKeySigner;
use client::{follow::Network, rpc::RpcError};
use db::{Entry, Readers, Writer};
use tokio::sync::{mpsc, watch};

pub use self::{
    actor::run,
    desk::Order,
    view::{BlockSummary, ChainView, Counters},
    waiters::{Settled, Waiters},
};
use crate::{
    observe::{Relayer, Unintelligible},
    operation, record,
};

/// What a shell works with.
#[derive(Debug, Clone)]
pub struct Config {
    /// Pacing of the machine.
    pub machine: record::Config,
    /// The network, with the identity that is trusted.
    pub network: Network,
    /// Addresses of nodes, the preferred one first.
    pub nodes: Vec<String>,
    /// The account that sends batches.
    pub signer: PrivateKeySigner,
    /// Contract calls, if there are any to be brought.
    pub operations: Option<Operating>,
    /// How long a node may take to answer a call.
    pub call_timeout: Duration,
    /// How long a node may go without a new final block.
    pub stall: Duration,
    /// How long a node that lied is left alone.
    pub quarantine: Duration,
}

impl Config {
    /// With the usual times.
    pub fn new(network: Network, nodes: Vec<String>, signer: PrivateKeySigner) -> Self {
        Self {
            machine: record::Config::default(),
            network,
            nodes,
            signer,
            operations: None,
            call_timeout: Duration::from_secs(5),
            stall: Duration::from_secs(10),
            quarantine: Duration::from_secs(60),
        }
    }

    /// Who records, and where.
    pub fn relayer(&self) -> Relayer {
        Relayer {
            account: self.signer.address(),
            network: self.network.named(),
        }
    }
}

/// Who brings contract calls, and whose they may be.
#[derive(Debug, Clone)]
pub struct Operating {
    /// Pacing of the machine.
    pub machine: operation::Config,
    /// The contract that accounts have as their code.
    pub code: Address,
    /// The accounts that send; none of them sends anything else.
    pub relayers: Vec<PrivateKeySigner>,
    /// The accounts that call.
    pub accounts: BTreeMap<Address, PrivateKeySigner>,
}

/// Why a shell stopped. A restart helps only where the message says so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The addresses of the nodes are of no use.
    #[error(transparent)]
    Nodes(#[from] RpcError),
    /// The journal can be used no more.
    #[error(transparent)]
    Journal(#[from] db::Error),
    /// The task that reads the stream of blocks died.
    #[error("the stream of final blocks ended unexpectedly; start the gateway again")]
    StreamEnded,
    /// The chain holds what no version of this program writes.
    #[error("the chain and this release disagree; run a newer one")]
    Unintelligible(#[from] Unintelligible),
}

/// The side of a shell that others hold.
#[derive(Debug, Clone)]
pub struct Handle {
    accepted: mpsc::UnboundedSender<Entry>,
    orders: mpsc::UnboundedSender<Order>,
    arriving: Arc<AtomicUsize>,
    waiters: Waiters,
    view: watch::Receiver<ChainView>,
    counters: Arc<Counters>,
}

impl Handle {
    /// Tells the machine of a record that is in the journal. Bounded by whoever accepts: see [`Self::backlog`].
    pub fn accepted(&self, entry: Entry) {
        self.arriving.fetch_add(1, Ordering::Relaxed);
        // Without a shell the journal alone remembers it, which is enough.
        let _ = self.accepted.send(entry);
    }

    /// Tells the machine of an operation that is in the journal, or that nobody wants it any more.
    pub fn order(&self, order: Order) {
        let _ = self.orders.send(order);
    }

    /// Records accepted and not settled.
    pub fn backlog(&self) -> usize {
        self.view
            .borrow()
            .status
            .map_or(0, |status| status.unsettled)
            + self.arriving.load(Ordering::Relaxed)
    }

    /// Ends when the record with that id, or the operation with that key, is settled. Register before reading its state, or the news may be missed.
    pub fn settled(&self, id: alloy_primitives::B256) -> Settled {
        self.waiters.register(id)
    }

    /// How things stand.
    pub fn view(&self) -> ChainView {
        self.view.borrow().clone()
    }

    /// What happened so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}

/// The side of a shell that [`run`] takes.
#[derive(Debug)]
pub struct Inbox {
    accepted: mpsc::UnboundedReceiver<Entry>,
    orders: mpsc::UnboundedReceiver<Order>,
    arriving: Arc<AtomicUsize>,
    waiters: Waiters,
    view: watch::Sender<ChainView>,
    counters: Arc<Counters>,
}

/// Both sides.
pub fn channel() -> (Handle, Inbox) {
    let (accepted, accepted_receiver) = mpsc::unbounded_channel();
    let (orders, orders_receiver) = mpsc::unbounded_channel();
    let (view, view_receiver) = watch::channel(ChainView::default());
    let (waiters, arriving, counters) = (
        Waiters::default(),
        Arc::default(),
        Arc::<Counters>::default(),
    );
    let handle = Handle {
        accepted,
        orders,
        arriving: Arc::clone(&arriving),
        waiters: waiters.clone(),
        view: view_receiver,
        counters: Arc::clone(&counters),
    };
    (
        handle,
        Inbox {
            accepted: accepted_receiver,
            orders: orders_receiver,
            arriving,
            waiters,
            view,
            counters,
        },
    )
}

/// The journal, as the shell uses it.
#[derive(Debug, Clone)]
pub struct Journal {
    /// Group commit.
    pub writer: Writer,
    /// Reads beside it.
    pub readers: Readers,
}

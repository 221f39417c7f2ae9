//! The service side: gateways with the real records machine on real SQLite journals, clients that post to them, and the
//! unreliable way between all of them and the validators.
//!
//! ```text
//! clients ──wire──► desk ──► journal (disk) ◄── process: record::Machine ──wire──► a validator's mempool
//!    ▲                │                             ▲
//!    └────────────────┘                             └── stream: Follower ◄──wire── a validator's final blocks
//! ```
//!
//! Desk, process and stream are one process, which dies at any moment and leaves nothing but its disk.

mod clients;
mod desk;
mod disk;
mod gateway;
mod process;
mod stream;
mod wire;

use self::{
    clients::{Clients, Door},
    gateway::Gateway,
    wire::Wire,
};
use crate::{cluster::Cluster, committee::Setup, plan::Services, witness::Witness};
use alloy_primitives::{Address, B256};
use client::follow::Network;
use commonware_runtime::{Clock as _, Supervisor as _, deterministic::Context};
use rand::rngs::StdRng;
use std::time::{Duration, SystemTime};

pub use clients::content;

/// Facts that are asked for once more when all is settled.
const ASKED_AGAIN: usize = 16;

/// All gateways and their clients. Outlives losses of power.
pub struct Fleet {
    gateways: Vec<Gateway>,
    clients: Clients,
    services: Services,
    witness: Witness,
    powered: Option<(Context, Wire)>,
}

impl Fleet {
    /// Gateways to the network with that genesis block, none of them running.
    #[expect(clippy::expect_used, reason = "the simulation's own committee")]
    pub fn new(setup: &Setup, genesis: B256, services: Services, witness: &Witness) -> Self {
        let identity = setup
            .spec
            .committee()
            .expect("a valid committee")
            .identity();
        let network =
            Network::new(setup.spec.chain_id, genesis, identity.into()).expect("a valid key");
        let relayers = setup.relayers.iter().take(services.gateways).enumerate();
        let gateways = relayers
            .map(|(index, signer)| {
                let (network, witness) = (network.clone(), witness.clone());
                Gateway::new(index, signer.clone(), network, services, witness)
            })
            .collect();
        Self {
            gateways,
            clients: Clients::new(witness.clone(), services.burst),
            services,
            witness: witness.clone(),
            powered: None,
        }
    }

    /// Power is back: every gateway starts.
    pub fn power_on(&mut self, context: &Context, cluster: &Cluster) {
        let wire = Wire::new(
            context.child("wire"),
            cluster.directory(),
            self.services,
            self.witness.clone(),
        );
        let context = context.child("fleet");
        for gateway in &mut self.gateways {
            gateway.start(&context, &wire);
        }
        self.powered = Some((context, wire));
    }

    /// Power is lost.
    pub fn power_off(&mut self) {
        for gateway in &mut self.gateways {
            gateway.kill();
        }
        self.powered = None;
    }

    /// Ends a gateway's process, to be started again after the pause. Whether there was one.
    pub fn crash(&mut self, index: usize, down: Duration) -> bool {
        let (Some(gateway), Some((context, _))) = (self.gateways.get_mut(index), &self.powered)
        else {
            return false;
        };
        let crashed = gateway.kill();
        if crashed {
            gateway.restart_at(context.current() + down);
        }
        crashed
    }

    /// A moment of the faulty phase.
    pub fn act(&mut self, dice: &mut StdRng) {
        self.tend();
        let doors = self.doors();
        if let Some((_, wire)) = &self.powered {
            self.clients.act(wire, &doors, dice);
        }
    }

    /// Nothing goes wrong any more, and every gateway is started.
    pub fn heal(&mut self) {
        let Some((context, wire)) = &self.powered else {
            return;
        };
        wire.heal();
        let now: SystemTime = context.current();
        for gateway in &mut self.gateways {
            gateway.restart_at(now);
        }
        self.tend();
    }

    /// A moment after healing. Keys whose client still waits for something.
    pub fn insist(&mut self, dice: &mut StdRng) -> usize {
        self.tend();
        let unfinished = self.witness.notes().unfinished();
        if let (true, Some((_, wire))) = (unfinished > 0, &self.powered) {
            self.clients.insist(wire, &self.doors(), dice);
        }
        unfinished
    }

    /// Starts every gateway once more from its journal, and asks for what it said before.
    pub async fn ask_again(&mut self, dice: &mut StdRng) {
        let Some((context, wire)) = &self.powered else {
            return;
        };
        for gateway in &mut self.gateways {
            gateway.kill();
            gateway.start(context, wire);
        }
        let doors: Vec<Door> = self.gateways.iter().map(Gateway::door).collect();
        self.clients
            .ask_again(wire, &doors, ASKED_AGAIN, dice)
            .await;
    }

    /// The accounts of the gateways, by index.
    pub fn accounts(&self) -> Vec<Address> {
        self.gateways.iter().map(Gateway::account).collect()
    }

    fn tend(&mut self) {
        if let Some((context, wire)) = &mut self.powered {
            for gateway in &mut self.gateways {
                gateway.tend(context, wire);
            }
        }
    }

    fn doors(&self) -> Vec<Door> {
        self.gateways.iter().map(Gateway::door).collect()
    }
}

/// Unix time in milliseconds.
fn now_ms(context: &Context) -> u64 {
    let elapsed = context
        .current()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

//! A gateway over many lives: an account, a master key, a disk, and at times a process.

use super::{clients::Door, desk::Desk, disk::Disk, process::Process, wire::Wire};
use crate::{plan::Services, witness::Witness};
use alloy_signer_local::PrivateKeySigner;
use client::follow::Network;
use commonware_runtime::{
    Clock as _, Handle, Spawner as _, Supervisor as _, deterministic::Context,
};
use commonware_utils::channel::mpsc;
use db::Binding;
use operations::{observe::Relayer, record};
use rand::RngExt as _;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use vault::MasterKey;

/// Requests that may wait at the counter; more are refused as if nobody listened.
const INBOX_MAX: usize = 4_096;

/// What never changes about a gateway.
pub struct Station {
    pub signer: PrivateKeySigner,
    pub relayer: Relayer,
    pub network: Network,
    pub master: MasterKey,
    pub services: Services,
}

impl Station {
    /// Times short enough for a run of seconds, in the proportions of the usual ones.
    pub fn machine_config(&self) -> record::Config {
        let resend_ms = self.services.resend_ms;
        record::Config {
            pace: record::Pace {
                in_flight_max: self.services.in_flight_max,
                resend_ms,
                resend_ms_max: resend_ms * 4,
                read_ms: resend_ms + resend_ms / 2,
                reconcile_ms: resend_ms * 5,
            },
            cursor_ms: resend_ms,
        }
    }

    fn binding(&self) -> Binding {
        Binding {
            chain_id: self.network.chain_id(),
            genesis: self.network.genesis(),
            organization: self.relayer.organization(),
            master_key: self.master.fingerprint().into(),
        }
    }
}

/// A gateway.
pub struct Gateway {
    index: usize,
    station: Arc<Station>,
    disk: Arc<Disk>,
    witness: Witness,
    running: Option<Handle<()>>,
    door: Door,
    restart_at: Option<SystemTime>,
    starts: u32,
}

impl Gateway {
    /// A gateway with an empty disk that is not running.
    pub fn new(
        index: usize,
        signer: PrivateKeySigner,
        network: Network,
        services: Services,
        witness: Witness,
    ) -> Self {
        let relayer = Relayer {
            account: signer.address(),
            network: network.named(),
        };
        let station = Station {
            signer,
            relayer,
            network,
            master: MasterKey::from_bytes([0x61; 32]),
            services,
        };
        Self {
            index,
            station: Arc::new(station),
            disk: Arc::new(Disk::new()),
            witness,
            running: None,
            door: Door::default(),
            restart_at: None,
            starts: 0,
        }
    }

    /// Starts the process if it is not running.
    pub fn start(&mut self, context: &Context, wire: &Wire) {
        if self.running.is_some() {
            return;
        }
        let life = match self.disk.boot(&self.station.binding()) {
            Ok(life) => life,
            Err(error) => {
                self.witness
                    .violation(format!("gateway {} does not start: {error}", self.index));
                return;
            }
        };
        let context = context
            .child("gateway")
            .with_attribute("index", self.index)
            .with_attribute("start", self.starts);
        self.starts += 1;
        self.restart_at = None;
        let (desk, inbox) = mpsc::channel(INBOX_MAX);
        let (accepted, entries) = mpsc::unbounded_channel();
        let (station, disk) = (Arc::clone(&self.station), Arc::clone(&self.disk));
        let (wire, witness) = (wire.clone(), self.witness.clone());
        let handle = context.spawn(move |context| async move {
            let _panics = Panics(witness.clone());
            let counter = Desk {
                context: context.child("desk"),
                station: Arc::clone(&station),
                disk: Arc::clone(&disk),
                life,
                wire: wire.clone(),
                witness: witness.clone(),
                accepted,
            };
            context.child("counter").spawn(move |_| async move {
                let _panics = Panics(counter.witness.clone());
                counter.run(inbox).await;
            });
            let process = Process {
                context: context.child("process"),
                station,
                disk,
                life,
                wire,
                witness,
            };
            process.run(entries).await;
        });
        self.running = Some(handle);
        self.door.set(Some(desk));
    }

    /// Ends the process at once. Whether it was running.
    pub fn kill(&mut self) -> bool {
        self.disk.kill();
        self.door.set(None);
        self.running.take().is_some_and(|handle| {
            handle.abort();
            true
        })
    }

    /// Starts it again at that time.
    pub fn restart_at(&mut self, time: SystemTime) {
        self.restart_at = Some(time);
    }

    /// Does what a supervisor does: sees that the process has died, and starts it when it is time.
    pub fn tend(&mut self, context: &mut Context, wire: &Wire) {
        if self.running.is_some() && !self.disk.is_on() {
            self.kill();
            let pause = Duration::from_millis(context.random_range(20..800));
            self.restart_at = Some(context.current() + pause);
        }
        if self
            .restart_at
            .is_some_and(|time| time <= context.current())
        {
            self.start(context, wire);
        }
    }

    /// The way in.
    pub fn door(&self) -> Door {
        self.door.clone()
    }

    /// The account it records with.
    pub fn account(&self) -> alloy_primitives::Address {
        self.station.relayer.account
    }
}

/// Notes that a task panicked: the runtime only ends the task.
struct Panics(Witness);

impl Drop for Panics {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.violation("a gateway panicked".to_owned());
        }
    }
}

//! Clients of gateways: they post facts under idempotency keys and ask again until they hear of it, as they are told to
//! in the documentation.

use super::{
    desk::{KIND, Request},
    wire::Wire,
};
use crate::witness::{Fact, Name, Witness};
use commonware_runtime::{Handle, Spawner as _};
use commonware_utils::channel::{mpsc, oneshot};
use rand::{RngExt as _, rngs::StdRng, seq::IteratorRandom as _};
use std::sync::{Arc, Mutex, PoisonError};

/// A gateway's way in. Clones share it; it leads to whichever process is running when a request arrives.
#[derive(Clone, Default)]
pub struct Door(Arc<Mutex<Option<mpsc::Sender<Request>>>>);

impl Door {
    /// Leads to another process, or to none.
    pub fn set(&self, inbox: Option<mpsc::Sender<Request>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = inbox;
    }

    /// Hands a request in. None: nobody listens, or too many wait.
    fn knock(&self, request: Request) -> Option<()> {
        let inbox = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inbox.as_ref()?.try_send(request).ok()
    }
}

const TENANTS: [&str; 2] = ["acme", "umbra"];
/// Different bodies a client may post under one key.
const BODIES: u64 = 3;
/// Posts of one key at the same time, now and then.
const STORM: usize = 8;
/// Receipts asked for at once after healing.
const READS_MAX: usize = 64;

/// The clients. What they heard is in the witness's notes.
pub struct Clients {
    witness: Witness,
    next: u64,
    burst: usize,
}

/// The JSON a client posts as data. Two spellings of one value: a body is what it means.
fn data(name: &Name, body: u64, spelling: bool) -> String {
    let key = &name.key;
    if spelling {
        format!(r#"{{"key":"{key}","weight":{body}}}"#)
    } else {
        format!(r#"{{ "weight" : {body}.0e0, "key" : "{key}" }}"#)
    }
}

/// The canonical content of a record, written by hand: what its receipt must contain.
pub fn content(name: &Name, body: u64) -> String {
    format!(r#"{{"data":{},"type":"{KIND}"}}"#, data(name, body, true))
}

impl Clients {
    /// Clients who have not posted anything yet; once they post `burst` facts at the same time.
    pub const fn new(witness: Witness, burst: usize) -> Self {
        Self {
            witness,
            next: 0,
            burst,
        }
    }

    /// Does what clients do in a moment of the faulty phase.
    pub fn act(&mut self, wire: &Wire, doors: &[Door], dice: &mut StdRng) {
        if self.burst > 0 && self.next >= 5 {
            let gateway = dice.random_range(0..doors.len());
            for _ in 0..std::mem::take(&mut self.burst) {
                let name = self.name(gateway, TENANTS[0]);
                drop(self.post(wire, doors, &name, 0));
            }
        }
        if dice.random_range(0..3_u32) == 0 {
            let name = self.new_name(doors.len(), dice);
            let body = dice.random_range(0..BODIES);
            let times = if dice.random_range(0..20_u32) == 0 {
                STORM
            } else {
                1
            };
            for _ in 0..times {
                drop(self.post(wire, doors, &name, body));
            }
        }
        let Some((name, fact)) = self.any(|_| true, dice) else {
            return;
        };
        match dice.random_range(0..12_u32) {
            // Again, or with another body.
            0..=2 => {
                if let Some(body) = fact.posted.iter().choose(dice) {
                    drop(self.post(wire, doors, &name, *body));
                }
            }
            3 => drop(self.post(wire, doors, &name, dice.random_range(0..BODIES))),
            4..=6 => drop(self.read(wire, doors, &name, &fact)),
            _ => {}
        }
    }

    /// After healing: asks again for whatever is missing.
    pub fn insist(&self, wire: &Wire, doors: &[Door], dice: &mut StdRng) {
        let facts = self.witness.notes().facts.clone();
        let mut reads = 0;
        for (name, fact) in &facts {
            if fact.promise.is_none() {
                if let Some(body) = fact.posted.iter().choose(dice) {
                    drop(self.post(wire, doors, name, *body));
                }
            } else if fact.receipt.is_none() && reads < READS_MAX {
                reads += 1;
                drop(self.read(wire, doors, name, fact));
            }
        }
    }

    /// When everything is settled: the same questions get the same answers. Every one must be answered.
    pub async fn ask_again(&self, wire: &Wire, doors: &[Door], count: usize, dice: &mut StdRng) {
        let mut asked = Vec::new();
        for _ in 0..count {
            let Some((name, fact)) = self.any(|fact| fact.promise.is_some(), dice) else {
                return;
            };
            let Some(promise) = &fact.promise else {
                continue;
            };
            asked.push(self.post(wire, doors, &name, promise.body));
            asked.push(self.post(wire, doors, &name, (promise.body + 1) % BODIES));
            asked.push(self.read(wire, doors, &name, &fact));
        }
        for answer in asked {
            if !answer.await.unwrap_or(false) {
                self.witness
                    .violation("a healthy gateway does not answer".to_owned());
                return;
            }
        }
    }

    fn name(&mut self, gateway: usize, tenant: &'static str) -> Name {
        self.next += 1;
        let key = format!("key-{}", self.next);
        Name {
            gateway,
            tenant,
            key,
        }
    }

    /// Sometimes the key was used before by another tenant or at another gateway, where it means something else.
    fn new_name(&mut self, gateways: usize, dice: &mut StdRng) -> Name {
        let gateway = dice.random_range(0..gateways);
        let tenant = TENANTS[dice.random_range(0..TENANTS.len())];
        let name = self.name(gateway, tenant);
        match self.any(|_| true, dice) {
            Some((known, _)) if dice.random_range(0..8_u32) == 0 => Name {
                key: known.key,
                ..name
            },
            _ => name,
        }
    }

    fn any(&self, filter: impl Fn(&Fact) -> bool, dice: &mut StdRng) -> Option<(Name, Fact)> {
        let notes = self.witness.notes();
        let (name, fact) = notes
            .facts
            .iter()
            .filter(|(_, fact)| filter(fact))
            .choose(dice)?;
        Some((name.clone(), fact.clone()))
    }

    /// Posts, and notes the answer. Whether there was one.
    fn post(&self, wire: &Wire, doors: &[Door], name: &Name, body: u64) -> Handle<bool> {
        self.witness.posted(name, body);
        let mut doubled = wire.doubles();
        let (name, witness, way) = (name.clone(), self.witness.clone(), wire.clone());
        let door = doors.get(name.gateway).cloned().unwrap_or_default();
        wire.context().spawn(move |_| async move {
            loop {
                let (name_sent, door) = (name.clone(), door.clone());
                let spelling = !doubled;
                let told = way
                    .call(move || async move {
                        let (reply, told) = oneshot::channel();
                        let data = data(&name_sent, body, spelling);
                        let Name { tenant, key, .. } = name_sent;
                        let request = Request::Post {
                            tenant,
                            key,
                            data,
                            reply,
                        };
                        door.knock(request)?;
                        told.await.ok()
                    })
                    .await;
                if let Some(told) = told {
                    witness.told(&name, body, told);
                }
                if !std::mem::take(&mut doubled) {
                    return told.is_some();
                }
            }
        })
    }

    /// Asks for a receipt, and notes it. Whether there was one.
    fn read(&self, wire: &Wire, doors: &[Door], name: &Name, fact: &Fact) -> Handle<bool> {
        let (name, witness, way) = (name.clone(), self.witness.clone(), wire.clone());
        let id = fact.promise.as_ref().map(|promise| promise.id);
        let door = doors.get(name.gateway).cloned().unwrap_or_default();
        wire.context().spawn(move |_| async move {
            let receipt = way
                .call(move || async move {
                    let (reply, receipt) = oneshot::channel();
                    door.knock(Request::Receipt { id: id?, reply })?;
                    receipt.await.ok()
                })
                .await;
            let receipt = receipt.flatten();
            let answered = receipt.is_some();
            if let Some(receipt) = receipt {
                witness.receipt(&name, receipt);
            }
            answered
        })
    }
}

//! The way between clients, gateways and validators. It delays, loses and doubles calls as the seed says, and what is
//! on its way survives the process that sent it. One validator may lie to gateways here.

use crate::{
    cluster::Directory,
    plan::{Services, VALIDATORS, Weather},
    witness::Witness,
};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, Bytes, U64};
use chain::Node;
use client::node::{Finalization, FinalizedBlock};
use commonware_macros::select;
use commonware_runtime::{Clock as _, Spawner as _, Supervisor as _, deterministic::Context};
use commonware_utils::channel::oneshot;
use operations::record::{NonceRead, SendAnswer};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::IteratorRandom as _};
use std::{
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// How long a caller waits for an answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// Final blocks in one answer.
const BLOCKS_MAX: u64 = 16;

/// The way. Clones share it.
#[derive(Clone)]
pub struct Wire(Arc<Shared>);

struct Shared {
    context: Context,
    directory: Directory,
    services: Services,
    witness: Witness,
    healed: AtomicBool,
    dice: Mutex<StdRng>,
}

impl Wire {
    /// A way to the validators of `directory`. Calls are tasks under `context`.
    pub fn new(
        context: Context,
        directory: Directory,
        services: Services,
        witness: Witness,
    ) -> Self {
        let mut context = context;
        let dice = Mutex::new(StdRng::seed_from_u64(context.random()));
        Self(Arc::new(Shared {
            context,
            directory,
            services,
            witness,
            healed: AtomicBool::new(false),
            dice,
        }))
    }

    /// From now on nothing goes wrong any more.
    pub fn heal(&self) {
        self.0.healed.store(true, Ordering::Relaxed);
    }

    fn is_healed(&self) -> bool {
        self.0.healed.load(Ordering::Relaxed)
    }

    fn throw(&self, range: Range<u64>) -> u64 {
        let mut dice = self.0.dice.lock().unwrap_or_else(PoisonError::into_inner);
        dice.random_range(range)
    }

    /// Whether something with that chance in a thousand goes wrong.
    pub fn strikes(&self, per_mille: u32) -> bool {
        !self.is_healed() && self.throw(0..1000) < u64::from(per_mille)
    }

    /// A place for a task that outlives the process that starts it.
    pub fn context(&self) -> Context {
        self.0.context.child("call")
    }

    fn weather(&self) -> Weather {
        if self.is_healed() {
            Weather::GOOD
        } else {
            self.0.services.weather
        }
    }

    fn delay(&self) -> Duration {
        let weather = self.weather();
        let usual = Duration::from_millis(self.throw(0..weather.delay_ms_max + 1));
        if self.strikes(weather.slow * 10) {
            self.0.witness.fault("slow_call");
            return usual + Duration::from_millis(self.throw(500..3_000));
        }
        usual
    }

    fn validator(&self) -> usize {
        usize::try_from(self.throw(0..VALIDATORS as u64)).unwrap_or_default()
    }

    fn percent(&self, chance: u32, fault: &'static str) -> bool {
        let strikes = self.strikes(chance * 10);
        if strikes {
            self.0.witness.fault(fault);
        }
        strikes
    }

    /// Whether a request arrives twice.
    pub fn doubles(&self) -> bool {
        self.percent(self.weather().doubled, "doubled_request")
    }

    /// Sends a request, and waits for the reply. None: lost on the way there or back, or too slow, or nobody listens.
    /// All the same to the caller, as in life.
    pub async fn call<T, F>(&self, ask: impl FnOnce() -> F + Send + 'static) -> Option<T>
    where
        F: Future<Output = Option<T>> + Send,
        T: Send + 'static,
    {
        let weather = self.weather();
        let (there, back) = (self.delay(), self.delay());
        let lost_request = self.percent(weather.lost_requests, "lost_request");
        let lost_reply = !lost_request && self.percent(weather.lost_replies, "lost_reply");
        let (reply, mut answer) = oneshot::channel();
        self.context().spawn(move |context| async move {
            context.sleep(there).await;
            if lost_request {
                // The caller learns nothing until it gives up.
                context.sleep(PATIENCE).await;
                return;
            }
            let value = ask().await;
            context.sleep(back).await;
            // A lost reply is a connection that breaks.
            if let (Some(value), false) = (value, lost_reply) {
                let _ = reply.send(value);
            }
        });
        select! {
            answer = &mut answer => answer.ok(),
            _ = self.0.context.sleep(PATIENCE) => None,
        }
    }

    fn lies(&self, index: usize) -> bool {
        let lies = self.0.services.liar == Some(index) && self.strikes(300);
        if lies {
            self.0.witness.fault("lie");
        }
        lies
    }

    /// Sends a transaction to a random validator.
    pub async fn submit(&self, raw: Bytes) -> SendAnswer {
        let index = self.validator();
        let submit = |wire: Self, raw: Bytes| {
            move || async move {
                let lie = wire.lies(index).then(|| wire.throw(0..4));
                let node = wire.0.directory.node(index)?;
                if lie.is_some_and(|lie| lie < 2) {
                    return Some(if lie == Some(0) {
                        SendAnswer::Taken
                    } else {
                        SendAnswer::NonceTooHigh
                    });
                }
                let answer = said(node.submit(raw).await.map_err(|error| error.to_string()));
                Some(match lie {
                    Some(2) => SendAnswer::NonceTooLow,
                    Some(_) => SendAnswer::Refused("transaction underpriced".to_owned()),
                    None => answer,
                })
            }
        };
        if self.doubles() {
            let (wire, again) = (self.clone(), submit(self.clone(), raw.clone()));
            self.context()
                .spawn(|_| async move { wire.call(again).await });
        }
        let answer = self.call(submit(self.clone(), raw)).await;
        answer.unwrap_or(SendAnswer::Unknown)
    }

    /// Asks a random validator for an account's nonce, as `client` does: the height last.
    pub async fn nonce(&self, account: Address) -> Option<NonceRead> {
        let index = self.validator();
        let wire = self.clone();
        self.call(move || async move {
            let node = wire.0.directory.node(index)?;
            let latest = node.account(account).await.ok()?.nonce;
            let pending = node.next_nonce(account).await.ok()?;
            let height = node.latest().number();
            let mut read = NonceRead {
                height,
                latest,
                pending,
                base_fee: 0,
            };
            if wire.lies(index) {
                for value in [&mut read.height, &mut read.latest, &mut read.pending] {
                    *value = (*value + wire.throw(0..6)).saturating_sub(3);
                }
            }
            Some(read)
        })
        .await
    }

    /// Asks one validator for its final blocks from a height on: a few at most, and none if it has none yet.
    pub async fn blocks(&self, index: usize, from: u64) -> Option<Vec<FinalizedBlock>> {
        let wire = self.clone();
        self.call(move || async move {
            let node = wire.0.directory.node(index)?;
            let head = node.latest().number();
            let mut blocks = Vec::new();
            for number in from..=head.min(from + BLOCKS_MAX - 1) {
                blocks.push(finalized(&node, number).await?);
            }
            if wire.lies(index) {
                let mut dice = StdRng::seed_from_u64(wire.throw(0..u64::MAX));
                if let Some(block) = blocks.iter_mut().choose(&mut dice) {
                    forge(block, &mut dice);
                }
            }
            Some(blocks)
        })
        .await
    }
}

/// A final block as `ashlar_subscribe` sends it.
async fn finalized(node: &Node, number: u64) -> Option<FinalizedBlock> {
    let block = node.body(number).await?;
    let receipts = node.receipts(number).await?;
    let certificate = node.certificate(number).await;
    let certificate = certificate.filter(|each| each.block_hash == block.hash());
    let finalization = certificate.and_then(|certificate| {
        Some(Finalization {
            epoch: U64::from(certificate.epoch),
            view: U64::from(certificate.view),
            parent_view: U64::from(certificate.parent_view),
            signature: certificate.signature.as_ref().try_into().ok()?,
        })
    });
    Some(FinalizedBlock {
        header: block.header_rlp(),
        finalization,
        transactions: block.transactions().to_vec(),
        receipts: receipts
            .iter()
            .map(|receipt| receipt.encoded_2718().into())
            .collect(),
    })
}

/// Makes a block say something that is not so.
fn forge(block: &mut FinalizedBlock, dice: &mut StdRng) {
    let mut turn = |bytes: &mut Bytes| {
        let mut forged = bytes.to_vec();
        if let Some(byte) = forged.iter_mut().choose(dice) {
            *byte ^= 1 << dice.random_range(0..8_u32);
        }
        *bytes = forged.into();
    };
    match (
        block.transactions.last_mut(),
        block.receipts.last_mut(),
        &mut block.finalization,
    ) {
        (Some(_), Some(receipt), None) => turn(receipt),
        (Some(transaction), Some(_), Some(_)) => turn(transaction),
        (_, _, Some(finalization)) => finalization.view += U64::from(1),
        _ => turn(&mut block.header),
    }
}

/// What a gateway makes of a node's answer: texts are geth's, as the node's JSON-RPC gives them.
fn said(answer: Result<impl Sized, String>) -> SendAnswer {
    match answer {
        Ok(_) => SendAnswer::Taken,
        Err(text) if text.contains("already known") => SendAnswer::Taken,
        Err(text) if text.contains("nonce too low") => SendAnswer::NonceTooLow,
        Err(text) if text.contains("nonce too high") => SendAnswer::NonceTooHigh,
        Err(text) => SendAnswer::Refused(text),
    }
}

//! Raw transactions between validators: small messages, bounded, each recovered once on arrival.

use super::ingress::Message;
use crate::{alias::Runtime, recovery::Recovery};
use alloy_primitives::Bytes;
use commonware_codec::{
    Buf, DecodeExt as _, Encode, EncodeSize, Error as CodecError, RangeCfg, Read, Write,
};
use commonware_macros::select;
use commonware_p2p::{Receiver, Recipients, Sender};
use commonware_runtime::BufMut;
use commonware_utils::channel::mpsc;
use tracing::debug;
use types::MAX_TRANSACTION_BYTES;

/// Transactions in one message.
const BATCH_MAX: usize = 512;
/// Bytes of transactions after which a message is sent; one more may follow, so a message has at
/// most this plus one transaction.
const BATCH_BYTES: usize = 64 << 10;
/// Largest gossip message.
pub const MAX_MESSAGE_BYTES: usize = BATCH_BYTES + MAX_TRANSACTION_BYTES + 5 * BATCH_MAX + 8;

/// A batch of raw transactions.
struct Batch(Vec<Bytes>);

impl Write for Batch {
    fn write(&self, buf: &mut impl BufMut) {
        self.0.len().write(buf);
        for raw in &self.0 {
            raw.0.write(buf);
        }
    }
}

impl EncodeSize for Batch {
    fn encode_size(&self) -> usize {
        self.0.iter().fold(self.0.len().encode_size(), |size, raw| {
            size.saturating_add(raw.0.encode_size())
        })
    }
}

impl Read for Batch {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, CodecError> {
        let count = usize::read_cfg(buf, &RangeCfg::new(1..=BATCH_MAX))?;
        let mut raws = Vec::with_capacity(count);
        for _ in 0..count {
            let raw = bytes::Bytes::read_cfg(buf, &RangeCfg::new(1..=MAX_TRANSACTION_BYTES))?;
            raws.push(raw.into());
        }
        Ok(Self(raws))
    }
}

/// Sends what `outbound` brings to all validators and hands what they send to the pool, until the
/// network or the pool ends.
pub(super) async fn run<E, S, R>(
    context: E,
    recovery: Recovery,
    pool: mpsc::Sender<Message>,
    mut outbound: mpsc::Receiver<Bytes>,
    (mut sender, mut receiver): (S, R),
) where
    E: Runtime,
    S: Sender,
    R: Receiver,
{
    let _context = context;
    loop {
        select! {
            raw = outbound.recv() => {
                let Some(raw) = raw else { return };
                let mut bytes = raw.len();
                let mut batch = vec![raw];
                // Whatever else is ready goes along: under load messages grow, not their number.
                while batch.len() < BATCH_MAX && bytes < BATCH_BYTES {
                    let Ok(raw) = outbound.try_recv() else { break };
                    bytes = bytes.saturating_add(raw.len());
                    batch.push(raw);
                }
                // Best effort: what is lost is sent again while it waits (`Pool::due`).
                sender.send(Recipients::All, Batch(batch).encode(), false);
            },
            message = receiver.recv() => {
                let Ok((peer, message)) = message else { return };
                let batch = match Batch::decode(message) {
                    Ok(batch) => batch,
                    Err(error) => {
                        debug!(?peer, %error, "peer sent a malformed transaction batch");
                        continue;
                    }
                };
                for raw in batch.0 {
                    // A peer checked it before sending; what it got wrong is not worth an answer.
                    let Ok(transaction) = recovery.recover(raw) else {
                        debug!(?peer, "peer sent an invalid transaction");
                        continue;
                    };
                    // The pool is busy or full: the sender keeps it and sends it again.
                    if pool.try_send(Message::Insert { transaction, reply: None }).is_err() {
                        break;
                    }
                }
            },
        }
    }
}

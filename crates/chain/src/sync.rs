//! State sync: a newcomer takes the state after a late block from its peers, instead of executing every block before it.
//!
//! What it takes on trust is what it was given with the network's passport: the identity, and who the founders are. The
//! block is the latest that a third of the founders and one more name, certified by the network's key; each piece of the
//! state is proved against a root in a final block. What blocks before did is not here: such a node has no receipts, logs
//! or bodies of them, and says so.

use crate::{
    alias::{Delivery, Finalization, Marshal, Runtime, Scheme},
    feed::Feed,
};
use commonware_codec::{Buf, EncodeSize, Error as CodecError, Read, ReadExt as _, Write};
use commonware_consensus::{Heightable as _, marshal::core::DigestFallback};
use commonware_cryptography::bls12381::primitives::{sharing::ModeVersion, variant::MinSig};
use commonware_glue::{
    dkg::{probe, state_sync::StateSync},
    stateful::SyncPlan,
};
use commonware_macros::select;
use commonware_runtime::BufMut;
use commonware_storage::metadata::{self, Metadata};
use commonware_utils::sequence::U64;
use std::{pin::pin, time::Duration};
use tracing::info;
use types::{Digest, EpochInfo, MAX_VALIDATORS};

/// How often people are told that this goes on.
const PATIENCE: Duration = Duration::from_secs(10);
/// Where [`Entry`] is kept.
const ENTRY: U64 = U64::new(0);

/// Who names the latest block.
type Probe = probe::Mailbox<Scheme, Delivery>;
/// What they say.
type Found = probe::Artifact<Scheme, Digest, MinSig>;
/// The engine's plan to take the state from others.
type Plan<E> = SyncPlan<E, Scheme, Delivery>;

/// Where a node that took the state from others entered the chain.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    /// The epoch it began with: the block that says so is before those it has.
    info: EpochInfo,
    /// Height of the block whose state it took; none as long as it has not all of it.
    anchor: Option<u64>,
}

impl Write for Entry {
    fn write(&self, buf: &mut impl BufMut) {
        self.info.write(buf);
        self.anchor.write(buf);
    }
}

impl EncodeSize for Entry {
    fn encode_size(&self) -> usize {
        self.info
            .encode_size()
            .saturating_add(self.anchor.encode_size())
    }
}

impl Read for Entry {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, CodecError> {
        Ok(Self {
            info: EpochInfo::read_cfg(buf, &(MAX_VALIDATORS, ModeVersion::v1()))?,
            anchor: Option::<u64>::read(buf)?,
        })
    }
}

/// How a node entered the chain, if not with block 0.
pub(crate) struct Entrance {
    entry: Option<Entry>,
    /// The block to begin at, as long as the state is still to be taken.
    floor: Option<Finalization>,
}

impl Entrance {
    /// Decides how this start begins. If the state is to be taken from others (`wanted`, and the node has none yet, or has not
    /// all of it), returns when the founders have named a block to begin at, however long that takes.
    ///
    /// # Errors
    /// When storage fails.
    pub(crate) async fn open<E: Runtime>(
        context: &E,
        prefix: &str,
        mut plan: Plan<E>,
        probe: &Probe,
        wanted: bool,
    ) -> Result<(Self, Plan<E>), metadata::Error> {
        let config = metadata::Config {
            partition: format!("{prefix}-entrance"),
            codec_config: (),
        };
        let disk = Metadata::<E, U64, Entry>::init(context.child("entrance"), config).await?;
        if plan.should_sync(wanted) {
            let found = ask(context, probe).await;
            let entry = Entry {
                info: found.info,
                anchor: None,
            };
            disk.put_sync(ENTRY, entry.clone()).await?;
            plan = plan.set_floor(found.floor).await;
            let floor = plan.floor().cloned();
            let entrance = Self {
                entry: Some(entry),
                floor,
            };
            return Ok((entrance, plan));
        }
        let mut entry = disk.get(&ENTRY).cloned();
        // The first start after the state was complete: later ones say another height.
        if let (Some(entry), Some(height)) = (&mut entry, plan.completed())
            && entry.anchor.is_none()
        {
            entry.anchor = Some(height.get());
            disk.put_sync(ENTRY, entry.clone()).await?;
        }
        Ok((Self { entry, floor: None }, plan))
    }

    /// Whether the state is still to be taken.
    pub(crate) const fn is_open(&self) -> bool {
        self.floor.is_some()
    }

    /// The epoch that the node began with.
    pub(crate) fn epoch(&self) -> Option<&EpochInfo> {
        self.entry.as_ref().map(|entry| &entry.info)
    }

    /// Height of the block whose state the node took: it has nothing of what this block and those before it did.
    pub(crate) fn anchor(&self) -> u64 {
        let anchor = self.entry.as_ref().and_then(|entry| entry.anchor);
        anchor.unwrap_or_default()
    }

    /// What the ceremony begins with.
    pub(crate) fn ceremony(&self) -> Option<StateSync<Scheme, Digest, MinSig>> {
        let (entry, floor) = (self.entry.as_ref()?, self.floor.clone()?);
        Some(StateSync {
            info: entry.info.clone(),
            floor,
        })
    }

    /// Tells readers where the chain begins here as soon as that is known, and people how it goes until `done`.
    pub(crate) fn follow<E: Runtime>(
        &self,
        context: &E,
        marshal: &Marshal,
        feed: &Feed,
        done: impl Future<Output = ()> + Send + 'static,
    ) {
        feed.begin_after(self.anchor());
        let Some(floor) = &self.floor else {
            return;
        };
        feed.begin_after(1);
        let (found, begin) = (floor.proposal.payload, feed.clone());
        let block = marshal.subscribe_by_digest(found, DigestFallback::Wait);
        context.child("floor").spawn(|_| async move {
            if let Ok(block) = block.await {
                begin.begin_after(block.height().get());
            }
        });
        let feed = feed.clone();
        context.child("progress").spawn(|context| async move {
            let mut done = pin!(done);
            loop {
                select! {
                    () = &mut done => {
                        info!(height = feed.floor(), "the state is taken: following the chain from here on");
                        return;
                    },
                    _ = context.sleep(PATIENCE) => {
                        info!(height = feed.floor(), "taking the state from other nodes");
                    },
                }
            }
        });
    }
}

/// Asks the founders for the latest block.
async fn ask<E: Runtime>(context: &E, probe: &Probe) -> Found {
    info!("asking the founders for the latest block");
    let mut answer = probe.subscribe();
    loop {
        select! {
            found = &mut answer => match found {
                Ok(found) => {
                    info!(epoch = found.info.epoch.get(), "taking the state from other nodes");
                    return found;
                }
                // Only when the node stops.
                Err(_) => std::future::pending().await,
            },
            _ = context.sleep(PATIENCE) => {
                info!("still asking: a third of the founders and one more must answer. Is this node registered as one of a \
                       member's (ashlar member set-node), and are the peers of its configuration up?");
            },
        }
    }
}

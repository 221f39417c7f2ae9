//! The founding ceremony: those who found a network make its key together, and nobody ever has the whole of it.
//!
//! Each founder deals a secret of its own to all, and the network's key is the sum. What they agree on goes over a chain that
//! lives for this only, with the founders' network keys for signatures:
//!
//! ```text
//!   all here?     │ dealings and receipts, in private │ what each dealt, in blocks │ result
//! ├───────────────┤├─────────────────────────────────┤├──────────────────────────┤├─────────────────┤
//!   assembly       first half of the blocks            second half                  serve who is behind
//! ```
//!
//! A quorum makes blocks whether the others are there or not, and who is not there for the dealings gets its share in public,
//! where every founder can read it. Hence the assembly, on a channel of its own: nobody begins before it heard all the others
//! say that they wait for the same ceremony.
//!
//! In reading order: [`Config`], [`hold`], `assembly` (who is here, who has finished), [`forget`].

mod assembly;
#[cfg(test)]
mod tests;

use crate::{
    alias::{Runtime, Scheme, Share},
    epoch::{Peers, Secrets, SecretsError, SecretsKey, SharedSecrets},
};
use alloy_primitives::{B256, hex};
use assembly::Assembly;
use commonware_consensus::types::Epoch;
use commonware_cryptography::{
    Signer as _,
    bls12381::{
        dkg::feldman_desmedt::Reveal,
        primitives::{
            sharing::{Mode, ModeVersion},
            variant::MinSig,
        },
    },
    certificate::{Membership, Scheme as _},
    ed25519,
};
use commonware_glue::dkg::{SecretStore, bootstrap, network::Manager as _};
use commonware_macros::select;
use commonware_p2p::{Blocker, Receiver, Sender, TrackedPeers, max_message_size};
use commonware_parallel::Strategy;
use commonware_runtime::{Handle, Quota, buffer::paged::CacheRef};
use commonware_utils::{NZDuration, NZU16, NZU64, NZUsize, ordered::Set, sequence::Unit};
use contracts::member::VALIDATORS_MIN;
use std::{
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    time::Duration,
};
use tracing::{info, warn};
use types::{Committee, MAX_VALIDATORS, PublicKey};

/// Channels between founders, in the order [`hold`] takes them: the engine's votes, certificates, resolver, backfill, broadcast
/// and dealings, and the assembly.
pub const CHANNELS: usize = 7;

/// What the ceremony's signatures and transcript are bound to, with the agreement after it.
const NAMESPACE: &[u8] = b"ashlar/founding/1";
/// Fewest blocks. Half of them are the time in which dealings arrive: on a fast network blocks take milliseconds, and a founder
/// writes to disk for each dealing, which takes as long.
const BLOCKS_MIN: u64 = 64;
/// Blocks for each founder. One in the second half, which it leads, is enough if no turn is lost.
const BLOCKS_PER_FOUNDER: u64 = 16;
/// How long others may still learn from us that the ceremony failed.
const FAILURE_SERVED: Duration = Duration::from_secs(60);
/// Bytes buffered, by file.
const BUFFER: NonZeroUsize = NZUsize!(1 << 16);
/// Messages waiting for an actor of the engine.
const MAILBOX: NonZeroUsize = NZUsize!(1024);

/// What a founder brings to the ceremony.
pub struct Config<S> {
    /// Our network key.
    pub signer: ed25519::PrivateKey,
    /// All founders, ourselves among them: at least four. The same set at each of them.
    pub founders: Set<PublicKey>,
    /// Hash of all that the founders agreed on, at least who they are. It binds the ceremony's messages: founders who hold
    /// another wait for one another for ever. A ceremony that failed is not held again under the same.
    pub agreement: B256,
    /// Prefix of all storage partitions; what else has this prefix is not touched. Fixed until the ceremony is over.
    pub partition_prefix: String,
    /// What our secrets are sealed under on disk.
    pub secrets_key: SecretsKey,
    /// How CPU-bound work is spread over threads.
    pub strategy: S,
}

/// What came of it.
#[derive(Clone)]
pub struct Founded {
    /// The network's committee and identity: the same at every founder.
    pub committee: Committee,
    /// Our share of the network's key. Secret.
    pub share: Share,
}

impl Founded {
    /// Founders whose shares the others can compute, because too many dealings to them got no receipt in time. Such a share
    /// signs, but adds nothing to security. With anybody here it is wise to agree anew and hold another ceremony.
    pub const fn exposed(&self) -> &Set<PublicKey> {
        self.committee.output().revealed()
    }
}

/// Why there is no network key, or no part in it for us.
#[derive(Debug, thiserror::Error)]
pub enum CeremonyError {
    /// The configured key is not among the founders.
    #[error("this node's key is not one of the founders'")]
    NotAFounder,
    /// A network of so few tolerates no fault.
    #[error("{founders} founders are too few: there must be at least {VALIDATORS_MIN}")]
    TooFew {
        /// How many there are.
        founders: usize,
    },
    /// A committee cannot be so large.
    #[error("{founders} founders are too many: there may be {MAX_VALIDATORS}")]
    TooMany {
        /// How many there are.
        founders: usize,
    },
    /// It ended without a key, for all founders alike.
    #[error(
        "the ceremony failed: too few founders dealt in time. See that all are reachable, agree anew, and hold it again"
    )]
    Failed,
    /// The others made a key in which we have no part that we know of.
    #[error(
        "the founders made a key, but this one has no share of it: its secrets were lost or erased. Agree anew, and hold it again"
    )]
    NoShare,
    /// What is stored as our share does not sign for the committee.
    #[error(
        "the share does not belong to the committee: the files in storage are not of one ceremony"
    )]
    Share,
    /// Our secrets cannot be read.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// Storage failed.
    #[error("storage: {0}")]
    Storage(#[from] commonware_runtime::Error),
    /// The network or the engine ended before the ceremony did.
    #[error("the ceremony was stopped before it ended: start this node again to go on")]
    Stopped,
}

/// Largest message between founders, in bytes.
pub fn message_bytes_max() -> u32 {
    max_message_size(&[
        bootstrap::max_payload_size::<MinSig, Unit>(MAX_VALIDATORS, ModeVersion::v1()),
        assembly::MESSAGE_BYTES,
    ])
}

/// Messages a founder may send each second, and at once, on each channel in the order of [`CHANNELS`].
pub fn quotas() -> [Quota; CHANNELS] {
    // As `crate::quotas`, but nothing paces these blocks: on a fast network there are some hundred in a second.
    [512, 512, 64, 512, 256, 256, 16]
        .map(|messages| Quota::per_second(NonZeroU32::new(messages).unwrap_or(NonZeroU32::MIN)))
}

/// Blocks of the ceremony: the same at all founders.
fn blocks(founders: usize) -> NonZeroU64 {
    let founders = u64::try_from(founders).unwrap_or(u64::MAX);
    let blocks = founders.saturating_mul(BLOCKS_PER_FOUNDER).max(BLOCKS_MIN);
    NonZeroU64::new(blocks).unwrap_or(NonZeroU64::MIN)
}

/// Prefix of what one ceremony stores. Another agreement makes another ceremony, which must not find what this one left.
fn prefix(partition_prefix: &str, agreement: &B256) -> String {
    format!("{partition_prefix}-founding-{}", hex::encode(agreement))
}

/// Holds the ceremony: waits until all founders are here, makes the key with them, and returns what came of it.
///
/// It waits for as long as it takes; to give up, drop it. Whoever stopped in the middle, or after the end, calls it again with
/// the same configuration and storage, in a new process: it goes on from there, and gives the same result if there was one. Who
/// is away for more than a moment while the others deal has an exposed share ([`Founded::exposed`]).
///
/// The handle ends two seconds after all founders are known to have finished, or when the engine stopped. Until then it serves
/// those that are behind: they need one that has finished, or a quorum. So keep it for as long as there is hope for them; to
/// abort it does no harm to the result. It is not idle: the engine decides on its last block again and again, as fast as the
/// network allows, and writes each time. It lives no longer than the task that called.
///
/// `peers` must be new: the founders become its first epoch.
///
/// # Errors
/// [`CeremonyError`] saying what to do. A failure is told when the others know it too, or after a minute.
///
/// # Panics
/// Tasks panic when storage fails, or when it has our share without the blocks that made it: the process must end.
pub async fn hold<E, S, B, N, R>(
    context: E,
    config: Config<S>,
    blocker: B,
    mut peers: Peers,
    channels: [(N, R); CHANNELS],
) -> Result<(Founded, Handle<()>), CeremonyError>
where
    E: Runtime,
    S: Strategy,
    B: Blocker<PublicKey = PublicKey>,
    N: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
{
    let Config {
        signer,
        founders,
        agreement,
        partition_prefix,
        secrets_key,
        strategy,
    } = config;
    let me = signer.public_key();
    admit(&me, &founders)?;
    let prefix = prefix(&partition_prefix, &agreement);
    let namespace = [NAMESPACE, agreement.as_slice()].concat();
    let secrets = Secrets::open(context.child("secrets"), &prefix, &secrets_key).await?;
    // The engine takes them for itself, and we read the share from them.
    let mut secrets = SharedSecrets::new(secrets);
    // The engine does the same when it starts: the network must connect us before that.
    let Ok(()) = peers.track(
        Epoch::zero(),
        TrackedPeers::primary(founders.clone()),
        &Unit,
    );
    let [
        votes,
        certificates,
        resolver,
        backfill,
        broadcast,
        dealings,
        words,
    ] = channels;

    let (assembly, all_here) = Assembly::new(agreement, &founders, &me);
    let finished = assembly.finished();
    let assembly = context
        .child("assembly")
        .spawn(move |context| assembly.run(context, words))
        .abort_on_drop();
    if !has_begun(&context, &prefix).await? {
        info!(founders = founders.len(), "waiting for all founders");
        all_here.await.map_err(|_| CeremonyError::Stopped)?;
    }
    info!(blocks = blocks(founders.len()), "the ceremony begins");

    let engine = bootstrap::Engine::<_, MinSig, _, _, _, _, _>::new(
        context.child("engine"),
        bootstrap::Config {
            signer,
            manager: peers,
            blocker,
            secret_store: secrets.clone(),
            strategy,
            // As long as the process lives: the engine asks for it.
            namespace: Box::leak(namespace.clone().into_boxed_slice()),
            sharing_mode: Mode::NonZeroCounter,
            reveal: Reveal::V1,
            max_supported_mode: ModeVersion::v1(),
            partition_prefix: prefix,
            page_cache: CacheRef::new(NZU16!(4096), NZUsize!(256)),
            write_buffer: BUFFER,
            replay_buffer: BUFFER,
            mailbox_size: MAILBOX,
            fetch_timeout: NZDuration!(Duration::from_secs(2)),
            fetch_retry_delay: Duration::from_millis(250),
            items_per_section: NZU64!(1024),
            participants: founders.clone(),
            directory: Unit,
            blocks_per_epoch: blocks(founders.len()),
        },
    );
    let (engine, completion) =
        engine.start(votes, certificates, resolver, backfill, broadcast, dealings);
    let engine = engine.abort_on_drop();
    let completion = completion.await.map_err(|_| CeremonyError::Stopped)?;
    finished.set();
    let serving = async move {
        select! {
            _ = engine.join() => {},
            _ = assembly.join() => {},
        }
    };
    let share = secrets.get_share(Epoch::zero()).await;
    let committee = completion.info.map(|info| Committee::new(info.output));
    match founded(&namespace, &me, &founders, committee, share) {
        Ok(founded) => {
            let identity = founded.committee.identity_hex();
            info!(%identity, "the founders have made the network's key");
            if !founded.exposed().is_empty() {
                let exposed = founded.exposed();
                warn!(?exposed, "these founders' shares are known to the others");
            }
            let handle = context.child("serving").spawn(move |_| serving);
            Ok((founded, handle))
        }
        Err(error) => {
            // Who is behind would never learn of it if all who know left.
            select! {
                () = serving => {},
                () = context.sleep(FAILURE_SERVED) => {},
            }
            Err(error)
        }
    }
}

/// Erases the secrets that the ceremony left, among them the share: when it is kept elsewhere, or means nothing any more. After
/// that [`hold`] gives [`CeremonyError::NoShare`] for this agreement. No ceremony may be running, nor have its files open still,
/// as it has for a moment after it was aborted.
///
/// # Errors
/// They were sealed under another key, or storage failed.
///
/// # Panics
/// When a write fails: then they may still be there.
pub async fn forget<E: Runtime>(
    context: E,
    partition_prefix: &str,
    agreement: &B256,
    secrets_key: &SecretsKey,
) -> Result<(), SecretsError> {
    let prefix = prefix(partition_prefix, agreement);
    let mut secrets = Secrets::open(context.child("secrets"), &prefix, secrets_key).await?;
    secrets.prune(Epoch::zero().next()).await;
    Ok(())
}

/// Whether the engine was started before: then all were here, and some may have left since.
async fn has_begun<E: Runtime>(context: &E, prefix: &str) -> Result<bool, CeremonyError> {
    // The engine makes this before anything else, and nothing removes it.
    match context.scan(&format!("{prefix}-blocks-metadata")).await {
        Ok(files) => Ok(!files.is_empty()),
        Err(commonware_runtime::Error::PartitionMissing(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether these can hold a ceremony with us.
fn admit(me: &PublicKey, founders: &Set<PublicKey>) -> Result<(), CeremonyError> {
    let count = founders.len();
    if count < VALIDATORS_MIN {
        return Err(CeremonyError::TooFew { founders: count });
    }
    if u32::try_from(count).map_or(true, |count| count > MAX_VALIDATORS.get()) {
        return Err(CeremonyError::TooMany { founders: count });
    }
    if founders.position(me).is_none() {
        return Err(CeremonyError::NotAFounder);
    }
    Ok(())
}

/// Checks that the result is these founders', and that our share signs for it.
fn founded(
    namespace: &[u8],
    me: &PublicKey,
    founders: &Set<PublicKey>,
    committee: Option<Committee>,
    share: Option<Share>,
) -> Result<Founded, CeremonyError> {
    let committee = committee.ok_or(CeremonyError::Failed)?;
    let share = share.ok_or(CeremonyError::NoShare)?;
    let scheme = Scheme::signer(
        namespace,
        committee.validators().clone(),
        committee.output().public().clone(),
        share.clone(),
    );
    let place = match scheme.as_ref().and_then(|scheme| scheme.me()) {
        Some(Membership::Signer(place)) => usize::try_from(place.get()).ok(),
        _ => None,
    };
    if committee.validators() != founders || place.is_none() || place != founders.position(me) {
        return Err(CeremonyError::Share);
    }
    Ok(Founded { committee, share })
}

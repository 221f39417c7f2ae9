//! What a validator must not lose while an epoch lasts, and must not keep after it.
//!
//! A share signs for ever: enough shares of one committee can make a certificate that verifies, however long that committee is
//! gone. So the secrets of an epoch are erased when the second epoch after it begins. Until then they are on disk, sealed under a
//! key that is not: `version (1) ‖ nonce (24) ‖ ciphertext ‖ tag (16)`, XChaCha20-Poly1305, with the epoch as associated data.
//!
//! What is erased is overwritten by the file system's means: a copy of the disk made before, or a medium that writes elsewhere
//! what it is told to overwrite, may still have it, sealed.

use crate::alias::{Runtime, Share};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use commonware_codec::{
    DecodeExt as _, Encode as _, EncodeSize, RangeCfg, Read, ReadExt as _, Write,
};
use commonware_consensus::types::Epoch;
use commonware_cryptography::{
    PublicKey, bls12381::dkg::feldman_desmedt::DealerPrivMsg, transcript::Summary,
};
use commonware_glue::dkg::SecretStore;
use commonware_storage::metadata::{self, Metadata};
use commonware_utils::sequence::U64;
use futures::lock::Mutex;
use std::{collections::BTreeMap, fmt, sync::Arc};
use types::MAX_VALIDATORS;
use zeroize::{Zeroize as _, Zeroizing};

const VERSION: u8 = 1;
const NONCE_BYTES: usize = 24;
/// Most bytes of an epoch's sealed secrets: a dealing of each validator takes less than 100.
const SEALED_BYTES_MAX: usize = 16 << 10;

/// The key under which secrets are sealed on disk. It must not be on the same disk image.
#[derive(Clone)]
pub struct SecretsKey(Zeroizing<[u8; 32]>);

impl SecretsKey {
    /// Takes 32 uniformly random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for SecretsKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretsKey")
    }
}

/// Why a node cannot get at its secrets.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// They were sealed under another key, or the file is damaged.
    #[error(
        "the secrets of epoch {epoch} do not open: they were sealed for another network key, or are damaged"
    )]
    Sealed {
        /// The epoch.
        epoch: u64,
    },
    /// Storage failed.
    #[error("secrets: {0}")]
    Storage(#[from] metadata::Error),
}

/// The secrets of one epoch.
#[derive(Clone, Default)]
struct OfEpoch {
    share: Option<Share>,
    seed: Option<Summary>,
    /// By the dealer's key.
    dealings: BTreeMap<Vec<u8>, DealerPrivMsg>,
}

impl Write for OfEpoch {
    fn write(&self, buf: &mut impl commonware_runtime::BufMut) {
        self.share.write(buf);
        self.seed.write(buf);
        self.dealings.write(buf);
    }
}

impl EncodeSize for OfEpoch {
    fn encode_size(&self) -> usize {
        self.share.encode_size() + self.seed.encode_size() + self.dealings.encode_size()
    }
}

impl Read for OfEpoch {
    type Cfg = ();

    fn read_cfg(
        buf: &mut impl commonware_codec::Buf,
        (): &(),
    ) -> Result<Self, commonware_codec::Error> {
        let dealings = RangeCfg::new(0..=MAX_VALIDATORS.get() as usize);
        let key = (RangeCfg::new(0..=64), ());
        Ok(Self {
            share: Option::read(buf)?,
            seed: Option::read(buf)?,
            dealings: BTreeMap::read_cfg(buf, &(dealings, (key, ())))?,
        })
    }
}

/// A node's secrets, in memory and sealed on disk.
pub struct Secrets<E: Runtime> {
    context: E,
    cipher: XChaCha20Poly1305,
    /// Taken while it is being written: a failed write ends the node.
    disk: Option<Metadata<E, U64, Vec<u8>>>,
    by_epoch: BTreeMap<Epoch, OfEpoch>,
}

/// The epochs of which a node that does not run has a share.
///
/// # Errors
/// As when the node starts.
pub async fn shares<E: Runtime>(
    context: E,
    prefix: &str,
    key: &SecretsKey,
) -> Result<Vec<u64>, SecretsError> {
    let secrets = Secrets::open(context, prefix, key).await?;
    let with_share = secrets.by_epoch.iter().filter(|(_, of)| of.share.is_some());
    Ok(with_share.map(|(epoch, _)| epoch.get()).collect())
}

impl<E: Runtime> Secrets<E> {
    /// Opens what is on disk.
    pub async fn open(context: E, prefix: &str, key: &SecretsKey) -> Result<Self, SecretsError> {
        let config = metadata::Config {
            partition: format!("{prefix}-secrets"),
            codec_config: (RangeCfg::new(0..=SEALED_BYTES_MAX), ()),
        };
        let disk = Metadata::<E, U64, Vec<u8>>::init(context.child("secrets"), config).await?;
        let cipher = XChaCha20Poly1305::new((&*key.0).into());
        let mut by_epoch = BTreeMap::new();
        for key in disk.keys() {
            let epoch = Epoch::new(u64::from(key));
            let sealed = disk.get(key).map(Vec::as_slice).unwrap_or_default();
            let found = open(&cipher, epoch, sealed);
            let found = found.ok_or(SecretsError::Sealed { epoch: epoch.get() })?;
            by_epoch.insert(epoch, found);
        }
        Ok(Self {
            context,
            cipher,
            disk: Some(disk),
            by_epoch,
        })
    }

    /// Whether there are none at all.
    pub fn is_empty(&self) -> bool {
        self.by_epoch.is_empty()
    }

    /// Changes an epoch's secrets, durably.
    async fn change(&mut self, epoch: Epoch, change: impl FnOnce(&mut OfEpoch) + Send) {
        let secrets = self.by_epoch.entry(epoch).or_default();
        change(secrets);
        let plain = Zeroizing::new(secrets.encode().to_vec());
        let mut nonce = [0; NONCE_BYTES];
        self.context.fill_bytes(&mut nonce);
        let sealed = seal(&self.cipher, epoch, nonce, &plain);
        self.write(|disk| {
            disk.put(U64::new(epoch.get()), sealed);
        })
        .await;
    }

    /// An epoch's secrets as they are on disk.
    #[cfg(test)]
    pub fn sealed(&self, epoch: Epoch) -> Option<Vec<u8>> {
        let disk = self.disk.as_ref()?;
        disk.get(&U64::new(epoch.get())).cloned()
    }

    #[expect(
        clippy::expect_used,
        reason = "a validator that may have lost a secret it promised to keep must stop"
    )]
    async fn write(&mut self, change: impl FnOnce(&mut Metadata<E, U64, Vec<u8>>) + Send) {
        let mut disk = self.disk.take().expect("secrets: an earlier write failed");
        change(&mut disk);
        self.disk = Some(disk.sync().await.expect("secrets: storage failed"));
    }
}

fn seal(
    cipher: &XChaCha20Poly1305,
    epoch: Epoch,
    nonce: [u8; NONCE_BYTES],
    plain: &[u8],
) -> Vec<u8> {
    let payload = Payload {
        msg: plain,
        aad: &epoch.get().to_be_bytes(),
    };
    #[expect(clippy::expect_used, reason = "it fails above 256 GiB")]
    let ciphertext = cipher
        .encrypt(&XNonce::from(nonce), payload)
        .expect("secrets are short");
    [&[VERSION], nonce.as_slice(), &ciphertext].concat()
}

fn open(cipher: &XChaCha20Poly1305, epoch: Epoch, sealed: &[u8]) -> Option<OfEpoch> {
    let (&version, rest) = sealed.split_first()?;
    let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_BYTES>()?;
    if version != VERSION {
        return None;
    }
    let payload = Payload {
        msg: ciphertext,
        aad: &epoch.get().to_be_bytes(),
    };
    let mut plain = cipher.decrypt(&XNonce::from(*nonce), payload).ok()?;
    let secrets = OfEpoch::decode(bytes::Bytes::copy_from_slice(&plain)).ok();
    plain.zeroize();
    secrets
}

impl<E: Runtime> SecretStore for Secrets<E> {
    async fn put_share(&mut self, epoch: Epoch, share: Share) {
        self.change(epoch, |secrets| secrets.share = Some(share))
            .await;
    }

    async fn get_share(&mut self, epoch: Epoch) -> Option<Share> {
        self.by_epoch.get(&epoch)?.share.clone()
    }

    async fn put_seed(&mut self, epoch: Epoch, seed: Summary) {
        self.change(epoch, |secrets| secrets.seed = Some(seed))
            .await;
    }

    async fn get_seed(&mut self, epoch: Epoch) -> Option<Summary> {
        self.by_epoch.get(&epoch)?.seed
    }

    async fn put_dealing<P: PublicKey>(&mut self, epoch: Epoch, dealer: P, dealing: DealerPrivMsg) {
        let dealer = dealer.encode().to_vec();
        self.change(epoch, |secrets| {
            secrets.dealings.insert(dealer, dealing);
        })
        .await;
    }

    async fn get_dealing<P: PublicKey>(
        &mut self,
        epoch: Epoch,
        dealer: &P,
    ) -> Option<DealerPrivMsg> {
        let secrets = self.by_epoch.get(&epoch)?;
        secrets.dealings.get(dealer.encode().as_ref()).cloned()
    }

    async fn prune(&mut self, min: Epoch) {
        let retired = |epoch: &Epoch| *epoch < min;
        if !self.by_epoch.keys().any(retired) {
            return;
        }
        self.by_epoch.retain(|epoch, _| !retired(epoch));
        let min = U64::new(min.get());
        // The file is kept twice and written in turns: what is retired is in both.
        for _ in 0..2 {
            self.write(|disk| disk.retain(|epoch, _| *epoch >= min))
                .await;
        }
    }
}

/// Secrets for whoever reads or erases them while the ceremony has them. Clones share them.
pub struct SharedSecrets<E: Runtime>(Arc<Mutex<Secrets<E>>>);

impl<E: Runtime> Clone for SharedSecrets<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<E: Runtime> SharedSecrets<E> {
    /// Shares them.
    pub fn new(secrets: Secrets<E>) -> Self {
        Self(Arc::new(Mutex::new(secrets)))
    }

    /// Erases all, durably.
    pub async fn erase(&self) {
        self.0.lock().await.prune(Epoch::new(u64::MAX)).await;
    }
}

impl<E: Runtime> SecretStore for SharedSecrets<E> {
    async fn put_share(&mut self, epoch: Epoch, share: Share) {
        self.0.lock().await.put_share(epoch, share).await;
    }

    async fn get_share(&mut self, epoch: Epoch) -> Option<Share> {
        self.0.lock().await.get_share(epoch).await
    }

    async fn put_seed(&mut self, epoch: Epoch, seed: Summary) {
        self.0.lock().await.put_seed(epoch, seed).await;
    }

    async fn get_seed(&mut self, epoch: Epoch) -> Option<Summary> {
        self.0.lock().await.get_seed(epoch).await
    }

    async fn put_dealing<P: PublicKey>(&mut self, epoch: Epoch, dealer: P, dealing: DealerPrivMsg) {
        let mut secrets = self.0.lock().await;
        secrets.put_dealing(epoch, dealer, dealing).await;
    }

    async fn get_dealing<P: PublicKey>(
        &mut self,
        epoch: Epoch,
        dealer: &P,
    ) -> Option<DealerPrivMsg> {
        self.0.lock().await.get_dealing(epoch, dealer).await
    }

    async fn prune(&mut self, min: Epoch) {
        self.0.lock().await.prune(min).await;
    }
}

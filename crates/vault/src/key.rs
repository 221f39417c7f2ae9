//! The two kinds of keys. Neither can be printed, compared or cloned; both are wiped when dropped.

use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use rand_core::CryptoRng;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{
    Error, RecordId,
    file::{create_secret, read_secret},
    seal,
};

/// Purpose of a wrapped record key; first part of its associated data.
const WRAP: &[u8] = b"ashlar/vault/wrap/1";
/// Purpose of sealed content; first part of its associated data.
const CONTENT: &[u8] = b"ashlar/vault/content/1";
/// Label under which a master key is recognised without being revealed.
const FINGERPRINT: &[u8] = b"ashlar/vault/fingerprint/1";

/// The gateway's key: it wraps record keys and fingerprints requests. Whoever holds this file and the
/// database can read everything that was not erased.
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// Reads the key from its file, which only its owner may read.
    pub fn read(path: &Path) -> Result<Self, Error> {
        read_secret(path).map(Self)
    }

    /// Makes a new key and its file. An existing file is never replaced.
    pub fn create(path: &Path, rng: &mut impl CryptoRng) -> Result<Self, Error> {
        create_secret(path, rng).map(Self)
    }

    /// A key from its bytes; for simulations.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A public name of this key: equal for equal keys, and tells nothing about them.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.digest(FINGERPRINT, b"")
    }

    /// HMAC-SHA256 under this key of `label ‖ 0x00 ‖ message`. An unkeyed digest of a small secret can be
    /// guessed from; this one only with the key file. Labels contain no zero byte.
    pub fn digest(&self, label: &[u8], message: &[u8]) -> [u8; 32] {
        // HMAC pads a key to the hash's block length with zeros; doing it here leaves no error to handle.
        let mut padded = Zeroizing::new([0; 64]);
        padded[..32].copy_from_slice(self.0.as_slice());
        let mut mac = Hmac::<Sha256>::new((&*padded).into());
        mac.update(label);
        mac.update(&[0]);
        mac.update(message);
        mac.finalize().into_bytes().into()
    }

    /// Encrypts a record's key for storage.
    pub fn wrap(
        &self,
        record: &RecordId,
        key: &RecordKey,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, Error> {
        seal::seal(&self.0, WRAP, record, 0, key.0.as_slice(), rng)
    }

    /// Decrypts a record's stored key. Fails for a key wrapped for another record or under another master.
    pub fn unwrap(&self, record: &RecordId, wrapped: &[u8]) -> Result<RecordKey, Error> {
        let bytes = seal::open(&self.0, WRAP, record, 0, wrapped)?;
        let key: [u8; 32] = bytes
            .as_slice()
            .try_into()
            .map_err(|_| Error::DoesNotOpen)?;
        Ok(RecordKey(Zeroizing::new(key)))
    }
}

/// The key of one record. It seals each part of the record's content; erasing it erases the content.
pub struct RecordKey(Zeroizing<[u8; 32]>);

impl RecordKey {
    /// A new random key.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(bytes.as_mut_slice());
        Self(bytes)
    }

    /// Seals part `part` of `record`. The result is [`crate::OVERHEAD`] bytes longer than the plaintext.
    pub fn seal(
        &self,
        record: &RecordId,
        part: u32,
        plaintext: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, Error> {
        seal::seal(&self.0, CONTENT, record, part, plaintext, rng)
    }

    /// Opens what [`Self::seal`] made for the same record and part. The result is wiped when dropped.
    pub fn open(
        &self,
        record: &RecordId,
        part: u32,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        seal::open(&self.0, CONTENT, record, part, sealed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::OVERHEAD;

    fn master() -> MasterKey {
        MasterKey::from_bytes([7; 32])
    }

    #[test]
    fn a_wrapped_key_opens_only_for_its_record_and_master() {
        let mut rng = rand::rng();
        let key = RecordKey::random(&mut rng);
        let wrapped = master().wrap(&[1; 32], &key, &mut rng).unwrap();
        let sealed = key.seal(&[1; 32], 0, b"shipment", &mut rng).unwrap();
        let again = master().unwrap(&[1; 32], &wrapped).unwrap();
        assert_eq!(
            again.open(&[1; 32], 0, &sealed).unwrap().as_slice(),
            b"shipment"
        );
        assert!(master().unwrap(&[2; 32], &wrapped).is_err());
        assert!(
            MasterKey::from_bytes([8; 32])
                .unwrap(&[1; 32], &wrapped)
                .is_err()
        );
        let as_content = RecordKey(Zeroizing::new([7; 32])).open(&[1; 32], 0, &wrapped);
        assert!(as_content.is_err(), "a wrapped key is not content");
    }

    #[test]
    fn digests_depend_on_key_label_and_message() {
        let digest = master().digest(b"request", b"body");
        assert_eq!(digest, master().digest(b"request", b"body"));
        assert_ne!(digest, master().digest(b"request", b"bodz"));
        assert_ne!(digest, master().digest(b"reques", b"tbody"));
        assert_ne!(
            digest,
            MasterKey::from_bytes([8; 32]).digest(b"request", b"body")
        );
        assert_ne!(
            master().fingerprint(),
            MasterKey::from_bytes([8; 32]).fingerprint()
        );
    }

    proptest! {
        #[test]
        fn sealed_parts_open_only_where_they_belong(
            plaintext in prop::collection::vec(any::<u8>(), 0..2000),
            record in any::<[u8; 32]>(),
            part in any::<u32>(),
            flip in any::<prop::sample::Index>(),
            bit in 0..8_u8,
        ) {
            let mut rng = rand::rng();
            let key = RecordKey::random(&mut rng);
            let sealed = key.seal(&record, part, &plaintext, &mut rng).unwrap();
            prop_assert_eq!(sealed.len(), plaintext.len() + OVERHEAD);
            let opened = key.open(&record, part, &sealed).unwrap();
            prop_assert_eq!(opened.as_slice(), plaintext.as_slice());

            prop_assert!(key.open(&record, part.wrapping_add(1), &sealed).is_err());
            let mut other = record;
            other[31] ^= 1;
            prop_assert!(key.open(&other, part, &sealed).is_err());
            prop_assert!(RecordKey::random(&mut rng).open(&record, part, &sealed).is_err());

            let mut damaged = sealed.clone();
            let at = flip.index(damaged.len());
            damaged[at] ^= 1 << bit;
            prop_assert!(key.open(&record, part, &damaged).is_err());
            prop_assert!(key.open(&record, part, &sealed[..at]).is_err());
        }
    }
}

//! Layout of sealed bytes: `version (1) ‖ nonce (24) ‖ ciphertext ‖ tag (16)`.

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{AeadInOut as _, KeyInit as _},
};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::Error;

/// The 32-byte id of a record on chain.
pub type RecordId = [u8; 32];

/// How much longer sealed bytes are than their plaintext.
pub const OVERHEAD: usize = HEADER_LEN + 16;

const VERSION: u8 = 1;
const NONCE_LEN: usize = 24;
const HEADER_LEN: usize = 1 + NONCE_LEN;

pub(crate) fn seal(
    key: &[u8; 32],
    purpose: &[u8],
    record: &RecordId,
    part: u32,
    plaintext: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, Error> {
    let mut nonce = [0; NONCE_LEN];
    rng.fill_bytes(&mut nonce);
    let mut sealed = Vec::with_capacity(plaintext.len() + OVERHEAD);
    sealed.push(VERSION);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(plaintext);
    let tag = XChaCha20Poly1305::new(key.into())
        .encrypt_inout_detached(
            &XNonce::from(nonce),
            &associated_data(purpose, record, part),
            (&mut sealed[HEADER_LEN..]).into(),
        )
        .map_err(|_| Error::TooLong)?;
    sealed.extend_from_slice(&tag);
    Ok(sealed)
}

pub(crate) fn open(
    key: &[u8; 32],
    purpose: &[u8],
    record: &RecordId,
    part: u32,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (header, body) = sealed
        .split_at_checked(HEADER_LEN)
        .ok_or(Error::DoesNotOpen)?;
    let (ciphertext, tag) = body.split_last_chunk::<16>().ok_or(Error::DoesNotOpen)?;
    let (&[version], nonce) = header.split_first_chunk::<1>().ok_or(Error::DoesNotOpen)?;
    if version != VERSION {
        return Err(Error::DoesNotOpen);
    }
    let nonce = XNonce::try_from(nonce).map_err(|_| Error::DoesNotOpen)?;
    let mut plaintext = Zeroizing::new(ciphertext.to_vec());
    XChaCha20Poly1305::new(key.into())
        .decrypt_inout_detached(
            &nonce,
            &associated_data(purpose, record, part),
            plaintext.as_mut_slice().into(),
            tag.into(),
        )
        .map_err(|_| Error::DoesNotOpen)?;
    Ok(plaintext)
}

/// `purpose ‖ 0x00 ‖ record ‖ part`: the parts after the zero have fixed lengths, so it is unambiguous.
fn associated_data(purpose: &[u8], record: &RecordId, part: u32) -> Vec<u8> {
    [purpose, &[0], record, &part.to_be_bytes()].concat()
}

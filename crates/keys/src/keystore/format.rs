//! One file: its JSON, and what its password opens.

use std::{fmt, sync::Mutex};

use aes::Aes128;
use alloy_primitives::{Address, Keccak256, hex};
use ctr::{
    Ctr128BE,
    cipher::{KeyIvInit as _, StreamCipher as _},
};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{KeystoreError as Error, PASSWORD_BYTES_MIN};
use crate::{Secret, SecretKey};

/// Most memory that one password may cost. geth's standard parameters (n = 2^18, r = 8) need just this.
const MEMORY_BYTES_MAX: u64 = 256 << 20;
/// Most work of scrypt, n·r·p: four times geth's standard, some seconds.
const SCRYPT_WORK_MAX: u64 = 1 << 23;
/// Most iterations of PBKDF2: about forty times what is usual, some seconds.
const PBKDF2_ITERATIONS_MAX: u64 = 10_000_000;
/// Longest salt, in bytes; 32 are usual.
const SALT_BYTES_MAX: usize = 256;
/// Length of the derived key: 16 bytes for the cipher, 16 for the MAC.
const DERIVED_BYTES: u64 = 32;

/// Each password may cost the memory above, so they are tried one after the other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// What it costs to try a password.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    log_n: u8,
    r: u32,
    p: u32,
}

impl Cost {
    /// geth's standard: 256 MiB, and about a second.
    pub(crate) const STANDARD: Self = Self {
        log_n: 18,
        r: 8,
        p: 1,
    };
    /// Next to nothing, for tests that open many.
    #[cfg(test)]
    pub(crate) const NONE: Self = Self {
        log_n: 1,
        r: 8,
        p: 1,
    };
}

/// The content of a keystore file, of a form that can be opened.
#[derive(Serialize, Deserialize)]
pub struct Keystore {
    version: u64,
    /// Random; it names the file and nothing else.
    id: String,
    /// Not in every file: without prefix as geth writes it, or with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(alias = "Crypto")]
    crypto: Crypto,
}

#[derive(Serialize, Deserialize)]
struct Crypto {
    cipher: String,
    cipherparams: CipherParams,
    ciphertext: String,
    #[serde(flatten)]
    kdf: Kdf,
    mac: String,
}

#[derive(Serialize, Deserialize)]
struct CipherParams {
    iv: String,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kdf", content = "kdfparams", rename_all = "lowercase")]
enum Kdf {
    Scrypt {
        dklen: u64,
        n: u64,
        p: u64,
        r: u64,
        salt: String,
    },
    Pbkdf2 {
        c: u64,
        dklen: u64,
        prf: String,
        salt: String,
    },
}

/// What the password opens.
struct Sealed {
    iv: [u8; 16],
    ciphertext: [u8; 32],
    mac: [u8; 32],
}

impl Keystore {
    /// Largest file that is read, in bytes. Usual ones have about 500.
    pub const BYTES_MAX: usize = 16 << 10;

    /// Encrypts a key, at geth's standard cost: 256 MiB of memory, and about a second.
    pub fn encrypt(
        key: &SecretKey,
        password: &Secret,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, Error> {
        if password.len() < PASSWORD_BYTES_MIN {
            return Err(Error::WeakPassword {
                bytes: password.len(),
            });
        }
        Self::encrypt_at(Cost::STANDARD, key, password, rng)
    }

    pub(crate) fn encrypt_at(
        Cost { log_n, r, p }: Cost,
        key: &SecretKey,
        password: &Secret,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, Error> {
        let (mut salt, mut iv, mut id) = ([0; 32], [0; 16], [0; 16]);
        rng.fill_bytes(&mut salt);
        rng.fill_bytes(&mut iv);
        rng.fill_bytes(&mut id);
        let kdf = Kdf::Scrypt {
            dklen: DERIVED_BYTES,
            n: 1 << log_n,
            p: p.into(),
            r: r.into(),
            salt: hex::encode(salt),
        };
        let derived = kdf.derive(password)?;
        let mut text = key.to_bytes();
        apply_cipher(&derived, &iv, &mut text);
        Ok(Self {
            version: 3,
            id: uuid(id),
            address: Some(hex::encode(key.address())),
            crypto: Crypto {
                cipher: "aes-128-ctr".to_owned(),
                cipherparams: CipherParams {
                    iv: hex::encode(iv),
                },
                ciphertext: hex::encode(text.as_slice()),
                kdf,
                mac: hex::encode(mac(&derived, &text)),
            },
        })
    }

    /// Reads a file's content, and checks all of it that needs no password.
    pub fn parse(content: &[u8]) -> Result<Self, Error> {
        if content.len() > Self::BYTES_MAX {
            return Err(malformed("it is too large"));
        }
        // A version that is not 3 has other fields, so it is looked at first.
        #[derive(Deserialize)]
        struct Version {
            version: u64,
        }
        let Version { version } = serde_json::from_slice(content).map_err(json)?;
        if version != 3 {
            return Err(Error::Version { version });
        }
        let keystore: Self = serde_json::from_slice(content).map_err(json)?;
        keystore.address()?;
        keystore.sealed()?;
        keystore.crypto.kdf.check()?;
        Ok(keystore)
    }

    /// The file's content.
    pub fn to_json(&self) -> String {
        let text = serde_json::to_string_pretty(self);
        // A structure of numbers and texts always has a JSON form.
        text.unwrap_or_default() + "\n"
    }

    /// Whose key it says it is. Only [`Self::open`] finds out whether that is true.
    pub fn address(&self) -> Result<Option<Address>, Error> {
        let Some(text) = &self.address else {
            return Ok(None);
        };
        bytes::<20>(text, "address").map(|bytes| Some(bytes.into()))
    }

    /// Decrypts the key. It may take some seconds and 256 MiB of memory: keep it off threads that serve others.
    pub fn open(&self, password: &Secret) -> Result<SecretKey, Error> {
        let sealed = self.sealed()?;
        let derived = self.crypto.kdf.derive(password)?;
        let actual = mac(&derived, &sealed.ciphertext);
        if !bool::from(actual.ct_eq(&sealed.mac)) {
            return Err(Error::WrongPassword);
        }
        let mut text = Zeroizing::new(sealed.ciphertext);
        apply_cipher(&derived, &sealed.iv, &mut text);
        let key = SecretKey::from_bytes(&text).map_err(|_| Error::NoKey)?;
        match self.address()? {
            Some(said) if said != key.address() => Err(Error::Address {
                said,
                actual: key.address(),
            }),
            _ => Ok(key),
        }
    }

    fn sealed(&self) -> Result<Sealed, Error> {
        let crypto = &self.crypto;
        if crypto.cipher != "aes-128-ctr" {
            return Err(Error::Cipher);
        }
        Ok(Sealed {
            iv: bytes(&crypto.cipherparams.iv, "iv")?,
            ciphertext: bytes(&crypto.ciphertext, "ciphertext")?,
            mac: bytes(&crypto.mac, "mac")?,
        })
    }
}

/// Without what passwords can be tried on.
impl fmt::Debug for Keystore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keystore")
            .field("id", &self.id)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Kdf {
    /// Refuses what is not allowed or would cost too much.
    fn check(&self) -> Result<(), Error> {
        let (&dklen, salt) = match self {
            Self::Scrypt { dklen, salt, .. } | Self::Pbkdf2 { dklen, salt, .. } => (dklen, salt),
        };
        if dklen != DERIVED_BYTES {
            return Err(malformed("dklen is not 32"));
        }
        Self::salt(salt)?;
        match *self {
            Self::Scrypt { n, r, p, .. } => check_scrypt(n, r, p).map(drop),
            Self::Pbkdf2 { c, ref prf, .. } => {
                if prf != "hmac-sha256" {
                    return Err(malformed("prf is not hmac-sha256"));
                }
                at_least_one(c, "c")?;
                at_most(c, PBKDF2_ITERATIONS_MAX, "c (iterations)")
            }
        }
    }

    fn salt(text: &str) -> Result<Vec<u8>, Error> {
        let salt = hex::decode(text).map_err(|_| malformed("salt is not hexadecimal"))?;
        if salt.len() > SALT_BYTES_MAX {
            return Err(malformed("salt is too long"));
        }
        Ok(salt)
    }

    fn derive(&self, password: &Secret) -> Result<Zeroizing<[u8; 32]>, Error> {
        self.check()?;
        let mut derived = Zeroizing::new([0; 32]);
        // A panic of another thread in there left nothing half done.
        let _turn = ONE_AT_A_TIME
            .lock()
            .unwrap_or_else(|broken| broken.into_inner());
        match self {
            Self::Scrypt { n, r, p, salt, .. } => {
                let (salt, cost) = (Self::salt(salt)?, check_scrypt(*n, *r, *p)?);
                scrypt::scrypt(password.expose(), &salt, &cost, derived.as_mut_slice())
                    .map_err(|_| malformed("scrypt does not take its parameters"))?;
            }
            Self::Pbkdf2 { c, salt, .. } => {
                let (salt, rounds) = (Self::salt(salt)?, narrow(*c, "c")?);
                pbkdf2::pbkdf2_hmac::<Sha256>(
                    password.expose(),
                    &salt,
                    rounds,
                    derived.as_mut_slice(),
                );
            }
        }
        Ok(derived)
    }
}

/// Holds scrypt's parameters against our bounds: n·r·128 bytes of memory and p·r·128 more, n·r·p of work.
fn check_scrypt(n: u64, r: u64, p: u64) -> Result<scrypt::Params, Error> {
    if n < 2 || !n.is_power_of_two() {
        return Err(malformed("n is not a power of two, from 2 on"));
    }
    at_least_one(r, "r")?;
    at_least_one(p, "p")?;
    let memory = n.saturating_mul(r).saturating_mul(128);
    at_most(
        memory,
        MEMORY_BYTES_MAX,
        "memory for scrypt (128·n·r bytes)",
    )?;
    let blocks = p.saturating_mul(r).saturating_mul(128);
    at_most(
        blocks,
        MEMORY_BYTES_MAX,
        "memory for scrypt (128·p·r bytes)",
    )?;
    let work = n.saturating_mul(r).saturating_mul(p);
    at_most(work, SCRYPT_WORK_MAX, "work of scrypt (n·r·p)")?;
    let log_n = u8::try_from(n.trailing_zeros()).unwrap_or(u8::MAX);
    scrypt::Params::new(log_n, narrow(r, "r")?, narrow(p, "p")?)
        .map_err(|_| malformed("scrypt does not take its parameters"))
}

fn at_least_one(value: u64, field: &'static str) -> Result<(), Error> {
    if value == 0 {
        return Err(malformed(&format!("{field} is zero")));
    }
    Ok(())
}

fn at_most(value: u64, limit: u64, field: &'static str) -> Result<(), Error> {
    if value > limit {
        return Err(Error::TooCostly {
            field,
            value,
            limit,
        });
    }
    Ok(())
}

fn narrow(value: u64, field: &str) -> Result<u32, Error> {
    u32::try_from(value).map_err(|_| malformed(&format!("{field} is too large")))
}

fn malformed(reason: &str) -> Error {
    Error::Malformed {
        reason: reason.to_owned(),
    }
}

fn json(error: serde_json::Error) -> Error {
    use serde_json::error::Category;
    // serde's own words may repeat a value of the file.
    let what = match error.classify() {
        Category::Data => "a field is missing, is there twice, or has another type",
        _ => "it is not JSON",
    };
    malformed(&format!("{what}, seen in line {}", error.line()))
}

fn bytes<const N: usize>(text: &str, field: &str) -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes)
        .map_err(|_| malformed(&format!("{field} is not {N} bytes in hexadecimal")))?;
    Ok(bytes)
}

/// Encrypts, or decrypts: in counter mode that is the same.
fn apply_cipher(derived: &[u8; 32], iv: &[u8; 16], text: &mut [u8; 32]) {
    let (key, _) = halves(derived);
    Ctr128BE::<Aes128>::new(key.into(), iv.into()).apply_keystream(text);
}

fn mac(derived: &[u8; 32], ciphertext: &[u8; 32]) -> [u8; 32] {
    let (_, key) = halves(derived);
    // Not `keccak256`: programs may have it remember what it hashed.
    let mut hasher = Keccak256::new();
    hasher.update(key);
    hasher.update(ciphertext);
    hasher.finalize().0
}

fn halves(derived: &[u8; 32]) -> (&[u8; 16], &[u8; 16]) {
    let (halves, _) = derived.as_chunks::<16>();
    (&halves[0], &halves[1])
}

/// The text of a random UUID (RFC 9562, version 4).
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex::encode(bytes);
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
    parts.map(|part| &text[part]).join("-")
}

#[cfg(test)]
mod tests;

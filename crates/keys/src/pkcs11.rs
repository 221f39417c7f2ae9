//! Keys in a device that keeps them to itself, reached by PKCS#11.
//!
//! The device's maker gives a library, which is loaded when the program runs. A device signs 32 bytes (`CKM_ECDSA`) and answers with
//! `r` and `s` only, in either of their two forms. It may be slow, lose its sessions, or lock itself when a wrong PIN comes too often:
//! so one call runs at a time, each is given up after a while, lost sessions are opened again, and a PIN that was refused is not tried
//! again. There is no other key to fall back to.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use alloy_primitives::{Address, B256, U256};
use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error as Cryptoki, RvError},
    mechanism::Mechanism,
    object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle},
    session::{Session, UserType},
    slot::Slot,
    types::RawAuthPin,
};
use tokio::{
    sync::Mutex,
    task::{JoinError, spawn_blocking},
    time::{Instant, timeout_at},
};

use crate::{Key, Secret};

/// How long a device may take for a signature, with the wait for its turn. Slow ones take half a second.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// secp256k1, as `CKA_EC_PARAMS` names it: the object identifier 1.3.132.0.10 in DER.
const SECP256K1: [u8; 7] = [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a];

/// Why a device did not sign.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The library cannot be loaded or begun with.
    #[error("the PKCS#11 library {} cannot be used: see whether it is the one of your device, and is opened once only", path.display())]
    Library {
        /// Its file.
        path: PathBuf,
        /// What happened.
        source: Cryptoki,
    },
    /// There is no token of that label.
    #[error(
        "no token is called {token:?}: see whether the device is connected, and softhsm2-util --show-slots or pkcs11-tool -L for its label"
    )]
    NoToken {
        /// What it should be called.
        token: String,
    },
    /// Several tokens have that label.
    #[error(
        "{count} tokens are called {token:?}, and it cannot be known which one is meant: give them different labels"
    )]
    TwoTokens {
        /// What they are called.
        token: String,
        /// How many there are.
        count: usize,
    },
    /// There is no key of that label.
    #[error(
        "the token {token:?} has no {half} key called {label:?} of the type EC: see pkcs11-tool -O for what it has"
    )]
    NoKey {
        /// The token.
        token: String,
        /// What the key should be called.
        label: String,
        /// `private`, or `public`.
        half: &'static str,
    },
    /// Several keys have that label.
    #[error(
        "the token {token:?} has several {half} keys called {label:?}, and it cannot be known which one is meant: give them different labels"
    )]
    TwoKeys {
        /// The token.
        token: String,
        /// What they are called.
        label: String,
        /// `private`, or `public`.
        half: &'static str,
    },
    /// The key is on another curve.
    #[error("the key {label:?} is not on secp256k1, so it cannot sign transactions")]
    Curve {
        /// What it is called.
        label: String,
    },
    /// The device refused the PIN. It was tried once, since devices lock themselves after a few.
    #[error(
        "the device refused the PIN, which is not tried again: correct the PIN's file, and start anew. Devices lock themselves after a few wrong ones"
    )]
    PinRefused,
    /// The device is locked.
    #[error(
        "the device is locked, since a wrong PIN came too often: its security officer can set a new one"
    )]
    PinLocked,
    /// Under that label is the key of another account now.
    #[error(
        "under the label {label:?} the device has another key than before, of {actual}: nothing is signed until the program is started anew"
    )]
    Replaced {
        /// What it is called.
        label: String,
        /// Whose key it is now.
        actual: Address,
    },
    /// It took too long. It may have signed, but nobody sees that signature.
    #[error("the device did not answer within {}s: see whether it is connected and not overloaded", seconds.as_secs_f32())]
    TimedOut {
        /// How long it had.
        seconds: Duration,
    },
    /// It gave something else than 64 bytes.
    #[error("the device gave {bytes} bytes, and a signature of CKM_ECDSA has 64")]
    Malformed {
        /// How many it gave.
        bytes: usize,
    },
    /// It failed otherwise.
    #[error("the device failed")]
    Failed(#[source] Cryptoki),
    /// The library panicked.
    #[error("the PKCS#11 library panicked")]
    Panicked(#[source] JoinError),
}

impl DeviceError {
    /// Whether the same may work soon, with nothing changed.
    pub const fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::TimedOut { .. } | Self::Failed(_) | Self::NoToken { .. }
        )
    }
}

/// A PKCS#11 library. A process opens each one once, and takes all keys from that.
#[derive(Clone, Debug)]
pub struct Library(Pkcs11);

/// One key of a device, to sign with.
pub(crate) struct Device {
    /// One call at a time: libraries differ in what they bear.
    at: Arc<Mutex<Seat>>,
    timeout: Duration,
}

/// A key as it was named, and the session that reaches it, if there is one.
struct Seat {
    library: Pkcs11,
    token: String,
    label: String,
    pin: Secret,
    pin_refused: bool,
    address: Option<Address>,
    open: Option<Open>,
}

struct Open {
    session: Session,
    private: ObjectHandle,
}

impl Library {
    /// Loads a library, such as `/usr/lib/softhsm/libsofthsm2.so`. It runs within this process: take it from whom you trust.
    pub fn open(path: &Path) -> Result<Self, DeviceError> {
        let failed = |source| DeviceError::Library {
            path: path.to_owned(),
            source,
        };
        let library = Pkcs11::new(path).map_err(failed)?;
        let args = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
        library.initialize(args).map_err(failed)?;
        Ok(Self(library))
    }

    /// The one key of a label, on the one token of a label. The device needs both of its halves.
    pub async fn key(
        &self,
        token: &str,
        label: &str,
        pin: Secret,
        timeout: Duration,
    ) -> Result<Key, DeviceError> {
        let device = Device {
            at: Arc::new(Mutex::new(Seat {
                library: self.0.clone(),
                token: token.to_owned(),
                label: label.to_owned(),
                pin,
                pin_refused: false,
                address: None,
                open: None,
            })),
            timeout,
        };
        let address = device.call(Seat::address).await?;
        Ok(Key::device(address, device))
    }
}

impl Device {
    /// `r` and `s` of what it signs; that they are right is for others to find out.
    pub(crate) async fn sign(&self, digest: &B256) -> Result<(U256, U256), DeviceError> {
        let digest = *digest;
        self.call(move |seat| seat.sign(&digest)).await
    }

    /// Runs a call on a thread that may block. One that takes too long keeps its turn until it ends; whoever comes meanwhile waits for
    /// their turn, and not longer than it may take.
    async fn call<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Seat) -> Result<T, DeviceError> + Send + 'static,
    ) -> Result<T, DeviceError> {
        let deadline = Instant::now() + self.timeout;
        let late = |_| DeviceError::TimedOut {
            seconds: self.timeout,
        };
        let turn = Arc::clone(&self.at).lock_owned();
        let mut seat = timeout_at(deadline, turn).await.map_err(late)?;
        let call = spawn_blocking(move || run(&mut seat));
        let done = timeout_at(deadline, call).await.map_err(late)?;
        done.map_err(DeviceError::Panicked)?
    }
}

impl Seat {
    fn address(&mut self) -> Result<Address, DeviceError> {
        let open = self.reopened()?;
        self.open = Some(open);
        self.address.ok_or_else(|| self.no_key("public"))
    }

    /// Signs in the session that is there, and if that was lost, once more in a new one.
    fn sign(&mut self, digest: &B256) -> Result<(U256, U256), DeviceError> {
        if let Some(open) = self.open.take() {
            match open.sign(digest) {
                Err(DeviceError::Failed(error)) if is_lost(&error) => drop(open),
                signed => {
                    self.open = Some(open);
                    return signed;
                }
            }
        }
        let open = self.reopened()?;
        let signed = open.sign(digest);
        self.open = Some(open);
        signed
    }

    /// A session with the key. It must be the same key as before, if there was one.
    fn reopened(&mut self) -> Result<Open, DeviceError> {
        if self.pin_refused {
            return Err(DeviceError::PinRefused);
        }
        let slot = self.slot()?;
        let session = self
            .library
            .open_ro_session(slot)
            .map_err(DeviceError::Failed)?;
        self.log_in(&session)?;
        let private = self.find(&session, ObjectClass::PRIVATE_KEY, "private")?;
        let actual = self.account(&session)?;
        match self.address {
            Some(before) if before != actual => Err(DeviceError::Replaced {
                label: self.label.clone(),
                actual,
            }),
            _ => {
                self.address = Some(actual);
                Ok(Open { session, private })
            }
        }
    }

    /// The slot whose token is called so. Slots get other numbers when devices come and go.
    fn slot(&self) -> Result<Slot, DeviceError> {
        let slots = self.library.get_slots_with_initialized_token();
        let named = slots
            .map_err(DeviceError::Failed)?
            .into_iter()
            .filter(|slot| {
                let token = self.library.get_token_info(*slot);
                token.is_ok_and(|token| token.label() == self.token)
            });
        let named: Vec<_> = named.collect();
        match named[..] {
            [slot] => Ok(slot),
            [] => Err(DeviceError::NoToken {
                token: self.token.clone(),
            }),
            _ => Err(DeviceError::TwoTokens {
                token: self.token.clone(),
                count: named.len(),
            }),
        }
    }

    fn log_in(&mut self, session: &Session) -> Result<(), DeviceError> {
        let pin = RawAuthPin::new(Box::new(self.pin.expose().to_vec()));
        match session.login_with_raw(UserType::User, &pin) {
            Ok(()) => Ok(()),
            // All sessions of a process share it.
            Err(Cryptoki::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
            Err(Cryptoki::Pkcs11(RvError::PinLocked, _)) => {
                self.pin_refused = true;
                Err(DeviceError::PinLocked)
            }
            Err(Cryptoki::Pkcs11(
                RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange,
                _,
            )) => {
                self.pin_refused = true;
                Err(DeviceError::PinRefused)
            }
            Err(error) => Err(DeviceError::Failed(error)),
        }
    }

    /// The one object of a class under the label.
    fn find(
        &self,
        session: &Session,
        class: ObjectClass,
        half: &'static str,
    ) -> Result<ObjectHandle, DeviceError> {
        let template = [
            Attribute::Class(class),
            Attribute::KeyType(KeyType::EC),
            Attribute::Label(self.label.clone().into_bytes()),
        ];
        let objects = session
            .find_objects(&template)
            .map_err(DeviceError::Failed)?;
        match objects[..] {
            [object] => Ok(object),
            [] => Err(self.no_key(half)),
            _ => Err(DeviceError::TwoKeys {
                token: self.token.clone(),
                label: self.label.clone(),
                half,
            }),
        }
    }

    /// Whose key the public half under the label is.
    fn account(&self, session: &Session) -> Result<Address, DeviceError> {
        let public = self.find(session, ObjectClass::PUBLIC_KEY, "public")?;
        let wanted = [AttributeType::EcParams, AttributeType::EcPoint];
        let found = session.get_attributes(public, &wanted);
        let (mut curve, mut address) = (None, None);
        for attribute in found.map_err(DeviceError::Failed)? {
            match attribute {
                Attribute::EcParams(params) => curve = Some(params),
                Attribute::EcPoint(point) => address = account(&point),
                _ => {}
            }
        }
        match (curve, address) {
            (Some(curve), Some(address)) if curve == SECP256K1 => Ok(address),
            _ => Err(DeviceError::Curve {
                label: self.label.clone(),
            }),
        }
    }

    fn no_key(&self, half: &'static str) -> DeviceError {
        DeviceError::NoKey {
            token: self.token.clone(),
            label: self.label.clone(),
            half,
        }
    }
}

impl Open {
    fn sign(&self, digest: &B256) -> Result<(U256, U256), DeviceError> {
        let signed = self
            .session
            .sign(&Mechanism::Ecdsa, self.private, digest.as_slice());
        let bytes = signed.map_err(DeviceError::Failed)?;
        let malformed = DeviceError::Malformed { bytes: bytes.len() };
        let signature: [u8; 64] = bytes.try_into().map_err(|_| malformed)?;
        let (words, _) = signature.as_chunks::<32>();
        Ok((U256::from_be_bytes(words[0]), U256::from_be_bytes(words[1])))
    }
}

/// Whether another session may do what this one could not.
const fn is_lost(error: &Cryptoki) -> bool {
    matches!(
        error,
        Cryptoki::Pkcs11(
            RvError::SessionHandleInvalid
                | RvError::SessionClosed
                | RvError::UserNotLoggedIn
                | RvError::KeyHandleInvalid
                | RvError::ObjectHandleInvalid
                | RvError::DeviceRemoved
                | RvError::DeviceError
                | RvError::TokenNotPresent,
            _
        )
    )
}

/// Whose public key it is. `CKA_EC_POINT` is a point within a DER octet string; some devices give the point alone.
fn account(point: &[u8]) -> Option<Address> {
    let point = match point {
        [0x04, 0x41, point @ ..] if point.len() == 65 => point,
        point => point,
    };
    let key = k256::ecdsa::VerifyingKey::from_sec1_bytes(point).ok()?;
    Some(Address::from_public_key(&key))
}

#[cfg(test)]
mod tests;

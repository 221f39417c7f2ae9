//! Keys in another program, reached by HTTP as [Web3Signer](https://docs.web3signer.consensys.io) is.
//!
//! It hashes what it signs itself (keccak256), so it must be given the preimage. The connection is not encrypted: the signer is on
//! this machine, or something else protects the way to it.

use std::{fmt, net::IpAddr, time::Duration};

use alloy_primitives::{Address, U256, hex};
use reqwest::{Client, RequestBuilder, StatusCode, Url, redirect::Policy};
use serde_json::json;

use crate::Key;

/// How long a remote signer may take for an answer. One that asks a device in turn takes a second or two.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// Largest message that is sent: more than any transaction that nodes pass on.
const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Most keys of one signer.
const KEYS_MAX: usize = 1000;
/// Largest list of keys: the most of them, each 130 digits and some punctuation.
const LIST_BYTES_MAX: usize = KEYS_MAX * 256;
/// Largest answer but for the list.
const ANSWER_BYTES_MAX: usize = 4096;
/// How much of an answer an error repeats, in characters.
const QUOTED_CHARS_MAX: usize = 200;

/// Why a remote signer did not sign.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// Its address is none.
    #[error("{url:?} is no address of a remote signer: {reason}")]
    Address {
        /// What was given, without a password in it.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// It did not answer, or not in time. It may have signed.
    #[error("the remote signer {signer} did not answer: see whether it runs")]
    Unreachable {
        /// Which.
        signer: String,
        /// What happened.
        #[source]
        source: reqwest::Error,
    },
    /// It said no.
    #[error("the remote signer {signer} refused with HTTP {status}: {reason:?}")]
    Refused {
        /// Which.
        signer: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of what it said.
        reason: String,
    },
    /// It answered what no such signer answers.
    #[error("{signer} answered what no remote signer answers: {reason}")]
    Malformed {
        /// Which.
        signer: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It has no key of this account.
    #[error(
        "the remote signer {signer} has no key of {address}, but {keys} others: load it there, or name another account"
    )]
    NoSuchKey {
        /// Which.
        signer: String,
        /// The account.
        address: Address,
        /// How many keys it has.
        keys: usize,
    },
    /// Only a digest was given.
    #[error(
        "a remote signer hashes what it signs itself, so it cannot sign a digest: give it the bytes, or use a key of another kind"
    )]
    NeedsPreimage,
    /// What should be signed is longer than any transaction.
    #[error(
        "{bytes} bytes are too much for a remote signer, which is given {MESSAGE_BYTES_MAX} at most"
    )]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
}

impl RemoteError {
    /// Whether the same may work soon, with nothing changed.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } => *status >= 500 || *status == 429,
            _ => false,
        }
    }
}

/// Where a signer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// On this machine.
    Loopback,
    /// Anywhere. Whoever is on the way can read what is signed, and can ask for signatures, unless something else prevents it.
    Anywhere,
}

/// A program that holds keys.
#[derive(Clone)]
pub struct Remote {
    http: Client,
    base: Url,
}

/// A key that a remote signer has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteKey {
    /// The account it signs for.
    pub address: Address,
    /// What the signer calls it: its public key.
    pub identifier: String,
}

/// One key of a remote signer, to sign with.
pub(crate) struct Signer {
    remote: Remote,
    identifier: String,
}

impl Remote {
    /// A signer at an address such as `http://127.0.0.1:9000`. Nothing is asked of it yet.
    pub fn new(url: &str, reach: Reach, timeout: Duration) -> Result<Self, RemoteError> {
        let base = address(url, reach)?;
        let http = Client::builder()
            .timeout(timeout)
            .connect_timeout(timeout.min(Duration::from_secs(2)))
            // To nobody else: not where an answer sends us, nor through what the environment names.
            .redirect(Policy::none())
            .no_proxy()
            .build()
            .map_err(|source| RemoteError::Unreachable {
                signer: base.to_string(),
                source,
            })?;
        Ok(Self { http, base })
    }

    /// Whether it is up.
    pub async fn check(&self) -> Result<(), RemoteError> {
        let request = self.http.get(self.route(&["upcheck"]));
        self.answer(request, ANSWER_BYTES_MAX).await.map(drop)
    }

    /// Its keys, at most 1,000.
    pub async fn keys(&self) -> Result<Vec<RemoteKey>, RemoteError> {
        let request = self
            .http
            .get(self.route(&["api", "v1", "eth1", "publicKeys"]));
        let answer = self.answer(request, LIST_BYTES_MAX).await?;
        let keys: Vec<String> = serde_json::from_slice(&answer)
            .map_err(|_| self.malformed("its list of public keys is no list of texts"))?;
        if keys.len() > KEYS_MAX {
            return Err(self.malformed(format!("it has more than {KEYS_MAX} keys")));
        }
        let known = keys.into_iter().map(|identifier| {
            let address = account(&identifier)
                .ok_or_else(|| self.malformed("one of its public keys is none of secp256k1"))?;
            Ok(RemoteKey {
                address,
                identifier,
            })
        });
        known.collect()
    }

    /// Its key of an account.
    pub async fn key(&self, address: Address) -> Result<Key, RemoteError> {
        let keys = self.keys().await?;
        let count = keys.len();
        let found = keys.into_iter().find(|key| key.address == address);
        let Some(RemoteKey { identifier, .. }) = found else {
            return Err(RemoteError::NoSuchKey {
                signer: self.to_string(),
                address,
                keys: count,
            });
        };
        Ok(Key::remote(address, self.signer(identifier)))
    }

    pub(crate) fn signer(&self, identifier: String) -> Signer {
        Signer {
            remote: self.clone(),
            identifier,
        }
    }

    fn route(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        // An HTTP address always has segments.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// Sends a request, and reads an answer of at most so many bytes.
    async fn answer(
        &self,
        request: RequestBuilder,
        bytes_max: usize,
    ) -> Result<Vec<u8>, RemoteError> {
        let unreachable = |source: reqwest::Error| RemoteError::Unreachable {
            signer: self.to_string(),
            // The address is said already.
            source: source.without_url(),
        };
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > bytes_max {
                return Err(
                    self.malformed(format!("HTTP {status} with more than {bytes_max} bytes"))
                );
            }
            body.extend_from_slice(&chunk);
        }
        if status != StatusCode::OK {
            let said = String::from_utf8_lossy(&body);
            return Err(RemoteError::Refused {
                signer: self.to_string(),
                status: status.as_u16(),
                reason: said.trim().chars().take(QUOTED_CHARS_MAX).collect(),
            });
        }
        Ok(body)
    }

    fn malformed(&self, reason: impl Into<String>) -> RemoteError {
        RemoteError::Malformed {
            signer: self.to_string(),
            reason: reason.into(),
        }
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.base.fmt(f)
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Remote").field(&self.base.as_str()).finish()
    }
}

impl Signer {
    /// `r` and `s` of what it signs; that they are right is for others to find out.
    pub(crate) async fn sign(&self, preimage: Option<&[u8]>) -> Result<(U256, U256), RemoteError> {
        let preimage = preimage.ok_or(RemoteError::NeedsPreimage)?;
        if preimage.len() > MESSAGE_BYTES_MAX {
            return Err(RemoteError::TooLong {
                bytes: preimage.len(),
            });
        }
        let remote = &self.remote;
        let route = remote.route(&["api", "v1", "eth1", "sign", &self.identifier]);
        let body = json!({ "data": hex::encode_prefixed(preimage) });
        let request = remote.http.post(route).json(&body);
        let answer = remote.answer(request, ANSWER_BYTES_MAX).await?;
        let text = answer.trim_ascii();
        let mut signature = [0; 65];
        hex::decode_to_slice(text, &mut signature)
            .map_err(|_| remote.malformed("its signature is not 65 bytes in hexadecimal"))?;
        let (words, _) = signature.as_chunks::<32>();
        Ok((U256::from_be_bytes(words[0]), U256::from_be_bytes(words[1])))
    }
}

fn address(url: &str, reach: Reach) -> Result<Url, RemoteError> {
    let fault = |shown: &str, reason| RemoteError::Address {
        url: shown.to_owned(),
        reason,
    };
    // What is no address at all is not repeated: there might be a password in it.
    let mut parsed =
        Url::parse(url).map_err(|_| fault("…", "an address looks like http://127.0.0.1:9000"))?;
    if !parsed.username().is_empty() || parsed.password().is_some() {
        let _ = parsed.set_username("");
        let _ = parsed.set_password(None);
        return Err(fault(
            parsed.as_str(),
            "name and password are not sent to it: leave them out",
        ));
    }
    let reason = match parsed.scheme() {
        "http" => None,
        "https" => Some(
            "TLS is not spoken here: let a tunnel on this machine speak it, and name the tunnel's http://127.0.0.1 address",
        ),
        _ => Some("it must begin with http://"),
    };
    let reason = reason.or_else(|| match parsed.host_str() {
        _ if parsed.query().is_some() || parsed.fragment().is_some() => {
            Some("it has a ? or a #, which addresses of signers have not")
        }
        None => Some("it names no host"),
        Some(host) if reach == Reach::Loopback && !is_loopback(host) => Some(
            "it is not on this machine, and the way there is not encrypted: use a tunnel, or say that the way is safe",
        ),
        Some(_) => None,
    });
    reason.map_or(Ok(()), |reason| Err(fault(parsed.as_str(), reason)))?;
    Ok(parsed)
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || bare
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Whose public key it is: 64 bytes in hexadecimal, or any form of SEC 1.
fn account(public_key: &str) -> Option<Address> {
    let bytes = hex::decode(public_key).ok()?;
    let encoded = match bytes.len() {
        64 => [&[4], bytes.as_slice()].concat(),
        _ => bytes,
    };
    let key = k256::ecdsa::VerifyingKey::from_sec1_bytes(&encoded).ok()?;
    Some(Address::from_public_key(&key))
}

#[cfg(test)]
mod tests;

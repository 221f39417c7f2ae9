//! What is configured. One TOML file; unknown keys are refused.
//!
//! ```toml
//! listen = "127.0.0.1:8080"
//! data_dir = "/var/lib/ashlar/gateway"
//! nodes = ["http://127.0.0.1:8545"]
//!
//! [network]
//! chain_id = 4242
//! genesis = "0x…"        # hash of block 0
//! identity = "0x…"       # the network's public key: what every receipt is checked with
//!
//! [[api_keys]]
//! tenant = "acme"
//! sha256 = "…"           # of the key; the key itself is nowhere on disk
//! ```

use std::{
    collections::BTreeSet,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use alloy_primitives::{B256, FixedBytes};
use client::{
    follow::Network,
    rpc::{Nodes, TIMEOUT_DEFAULT},
};
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::Error;

/// The configuration of a gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where it listens. On anything but loopback everyone who reaches it can try keys: put TLS in front.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// Where the journal, the content and the keys are. One gateway per directory; back it up as a whole.
    pub data_dir: PathBuf,
    /// Addresses of nodes, the preferred one first. With one alone, its absence stops progress (not acceptance).
    pub nodes: Vec<String>,
    /// The file with the key of the account that sends transactions; `relayer.key` in the data directory if absent.
    /// Record ids depend on the account: with another key the directory is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relayer_key_file: Option<PathBuf>,
    /// Makes a missing relayer key. For development: elsewhere its account must be known to the other organizations,
    /// and a silently made one would hide that a file was lost.
    #[serde(default)]
    pub create_relayer_key: bool,
    /// Which network.
    pub network: NetworkConfig,
    /// Who may use it.
    #[serde(default)]
    pub api_keys: Vec<ApiKey>,
    /// Bounds.
    #[serde(default)]
    pub limits: Limits,
}

/// Which network the gateway trusts. Take the values from the network's founder, not from a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// The EVM chain id.
    pub chain_id: u64,
    /// The hash of block 0.
    pub genesis: B256,
    /// The public key that its certificates are checked with. A wrong one means that no block is believed.
    pub identity: FixedBytes<96>,
}

/// A tenant's key, as its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// Whose key it is. Idempotency keys and records belong to a tenant, not to a key; a tenant may have several keys.
    pub tenant: String,
    /// SHA-256 of the key. Keys are random, so a plain digest gives nothing away.
    #[serde(with = "hex_digest")]
    pub sha256: [u8; 32],
}

/// Bounds on what the gateway takes on. Beyond them it answers 503 with `Retry-After`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections open at once. More wait to be accepted.
    pub connections: usize,
    /// Requests worked on at once. Too many, and each gets slow; too few, and bursts are refused.
    pub requests: usize,
    /// Requests that wait for finality at once. Beyond it `?wait=final` answers 202 at once.
    pub waiting: usize,
    /// Memory for request bodies, in MiB. At least 8, the size of one body.
    pub body_memory_mib: u32,
    /// Records accepted and not yet final. Bounds what waits while no node can be reached.
    pub backlog: usize,
    /// Largest size of the database, in MiB; 0 for as far as the disk goes.
    pub database_mib: u64,
    /// How long a request may take to arrive, in seconds.
    pub receive_seconds: u64,
    /// How long `?wait=final` waits, in seconds.
    pub wait_seconds: u64,
    /// How long no final block may come before a node is left and readiness is denied, in seconds. A few times the
    /// network's idle interval.
    pub stall_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 8_192,
            requests: 2_048,
            waiting: 8_192,
            body_memory_mib: 256,
            backlog: 100_000,
            database_mib: 0,
            receive_seconds: 20,
            wait_seconds: 30,
            stall_seconds: 10,
        }
    }
}

impl Config {
    /// Reads the configuration in `path`.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(path).map_err(|source| Error::ConfigFile {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text)
    }

    /// Reads a configuration.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let config: Self = toml::from_str(text)?;
        config.check()?;
        Ok(config)
    }

    /// The configuration as TOML.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }

    /// The network, with its identity checked to be a key.
    pub fn network(&self) -> Result<Network, Error> {
        let NetworkConfig {
            chain_id,
            genesis,
            identity,
        } = self.network;
        Network::new(chain_id, genesis, identity)
            .map_err(|error| invalid("network.identity", error))
    }

    /// The file with the relayer key.
    pub fn relayer_key_file(&self) -> PathBuf {
        self.relayer_key_file
            .clone()
            .unwrap_or_else(|| self.data_dir.join("relayer.key"))
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        self.network()?;
        Nodes::new(&self.nodes, TIMEOUT_DEFAULT).map_err(|error| invalid("nodes", error))?;
        if self.api_keys.is_empty() {
            return Err(invalid(
                "api_keys",
                "without a key nobody can use the gateway",
            ));
        }
        let mut digests = BTreeSet::new();
        for key in &self.api_keys {
            if !is_tenant(&key.tenant) {
                return Err(invalid("api_keys.tenant", "1 to 64 of a-z, 0-9, - and _"));
            }
            if !digests.insert(key.sha256) {
                return Err(invalid("api_keys.sha256", "the same key is listed twice"));
            }
        }
        if self.limits.body_memory_mib < 8 {
            return Err(invalid(
                "limits.body_memory_mib",
                "at least 8: the size of one body",
            ));
        }
        let positive = [
            ("limits.connections", self.limits.connections as u64),
            ("limits.requests", self.limits.requests as u64),
            ("limits.backlog", self.limits.backlog as u64),
            ("limits.receive_seconds", self.limits.receive_seconds),
            ("limits.stall_seconds", self.limits.stall_seconds),
        ];
        match positive.into_iter().find(|(_, value)| *value == 0) {
            Some((key, _)) => Err(invalid(key, "at least 1")),
            None => Ok(()),
        }
    }
}

impl ApiKey {
    /// Makes a key for `tenant`: the text to hand out (nobody can read it back later) and what to configure.
    pub fn generate(tenant: &str) -> (String, Self) {
        let mut secret = [0; 24];
        rand::rng().fill_bytes(&mut secret);
        let text = format!("ashlar_{}", hex::encode(secret));
        let key = Self {
            tenant: tenant.to_owned(),
            sha256: Self::digest(&text),
        };
        (text, key)
    }

    pub(crate) fn digest(text: &str) -> [u8; 32] {
        Sha256::digest(text).into()
    }
}

impl Limits {
    pub(crate) const fn receive(&self) -> Duration {
        Duration::from_secs(self.receive_seconds)
    }

    pub(crate) const fn wait(&self) -> Duration {
        Duration::from_secs(self.wait_seconds)
    }

    pub(crate) const fn stall(&self) -> Duration {
        Duration::from_secs(self.stall_seconds)
    }
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8080))
}

fn is_tenant(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}

fn invalid(key: &'static str, reason: impl ToString) -> Error {
    Error::ConfigValue {
        key,
        reason: reason.to_string(),
    }
}

mod hex_digest {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(
        digest: &[u8; 32],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(digest))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut digest = [0; 32];
        hex::decode_to_slice(&text, &mut digest)
            .map_err(|_| D::Error::custom("expected 64 hexadecimal digits"))?;
        Ok(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> String {
        let secret = blst::min_sig::SecretKey::key_gen(&[1; 32], &[]).unwrap();
        format!("0x{}", hex::encode(secret.sk_to_pk().to_bytes()))
    }

    fn text() -> String {
        format!(
            "data_dir = \"data\"\nnodes = [\"http://127.0.0.1:8545\"]\n[network]\nchain_id = 4242\ngenesis = \
             \"0x{}\"\nidentity = \"{}\"\n[[api_keys]]\ntenant = \"acme\"\nsha256 = \"{}\"\n",
            "11".repeat(32),
            identity(),
            "22".repeat(32)
        )
    }

    #[test]
    fn a_minimal_configuration_has_defaults_and_goes_there_and_back() {
        let config = Config::parse(&text()).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.relayer_key_file(), Path::new("data/relayer.key"));
        assert!(!config.create_relayer_key);
        assert_eq!(Config::parse(&config.to_toml()).unwrap(), config);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let check = |from: &str, to: &str, expected: &str| {
            let text = text();
            assert!(text.contains(from), "{from}");
            let error = Config::parse(&text.replace(from, to))
                .unwrap_err()
                .to_string();
            assert!(error.contains(expected), "{error}");
        };
        check("data_dir", "datadir", "unknown field `datadir`");
        check("chain_id = 4242\n", "", "chain_id");
        check("[network]", "[network]\npin = 1", "unknown field `pin`");
        check("[\"http://127.0.0.1:8545\"]", "[]", "nodes");
        check("\"acme\"", "\"Acme Inc\"", "api_keys.tenant");
        check(&"22".repeat(32), "22", "64 hexadecimal digits");
        check(
            &identity(),
            &format!("0x{}", "00".repeat(96)),
            "network.identity",
        );
        let twice = format!(
            "{}[[api_keys]]\ntenant = \"b\"\nsha256 = \"{}\"\n",
            text(),
            "22".repeat(32)
        );
        assert!(
            Config::parse(&twice)
                .unwrap_err()
                .to_string()
                .contains("listed twice")
        );
        let zero = format!("{}[limits]\nbacklog = 0\n", text());
        assert!(
            Config::parse(&zero)
                .unwrap_err()
                .to_string()
                .contains("limits.backlog")
        );
        let small = format!("{}[limits]\nbody_memory_mib = 7\n", text());
        assert!(
            Config::parse(&small)
                .unwrap_err()
                .to_string()
                .contains("body_memory_mib")
        );
    }

    #[test]
    fn keys_are_random_and_kept_as_digests() {
        let (text, key) = ApiKey::generate("acme");
        let (other, _) = ApiKey::generate("acme");
        assert_ne!(text, other);
        assert_eq!(key.sha256, ApiKey::digest(&text));
        assert!(text.starts_with("ashlar_") && text.len() == 55, "{text}");
    }
}

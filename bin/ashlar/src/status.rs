//! `up.json`: what runs, for people and scripts.

use crate::{files::write_secret, network::Layout};
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// A running network on this machine. Field names are part of the public contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The network's directory.
    pub dir: String,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The network identity: the 96-byte key all certificates verify with.
    pub identity: String,
    /// Hash of block 0.
    pub genesis: String,
    /// The process that started it all; `ashlar down` stops it.
    pub pid: u32,
    /// The validators.
    pub validators: Vec<ValidatorStatus>,
    /// The gateway.
    pub gateway: GatewayStatus,
    /// Where people look.
    pub explorer: String,
    /// Accounts with money (development networks only).
    pub accounts: Vec<AccountStatus>,
    /// Opens the gateway.
    pub api_key: String,
}

/// A running validator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidatorStatus {
    /// Its index in the committee.
    pub index: u16,
    /// Its process.
    pub pid: u32,
    /// JSON-RPC URL.
    pub rpc: String,
    /// Address for the other validators.
    pub p2p: String,
}

/// A running gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayStatus {
    /// Its process.
    pub pid: u32,
    /// REST URL.
    pub url: String,
}

/// An account with money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountStatus {
    /// Its address.
    pub address: String,
    /// Its private key. Everybody knows it.
    pub private_key: String,
}

impl Status {
    /// Writes `up.json`, readable by its owner only: it holds the API key.
    pub fn write(&self, layout: &Layout) -> Result<()> {
        write_secret(&layout.status(), &serde_json::to_vec_pretty(self)?)
    }

    /// Reads `up.json`.
    pub fn read(layout: &Layout) -> Result<Self> {
        let path = layout.status();
        let text = std::fs::read(&path).with_context(|| {
            format!(
                "{} is not there: no network was started in this directory",
                path.display()
            )
        })?;
        serde_json::from_slice(&text).with_context(|| format!("in {}", path.display()))
    }
}

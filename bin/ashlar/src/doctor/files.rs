//! A node's files: what keeps it from starting, or will once it runs.

use super::finding::{Report, Verdict};
use crate::{
    files::{DirectoryLock, read_secret},
    format,
    node::{NodeConfig, free, parse_key, read_key, read_spec, secrets_key},
};
use alloy_primitives::hex;
use anyhow::{Context as _, Result, bail};
use commonware_codec::Encode as _;
use commonware_cryptography::{Signer as _, ed25519};
use commonware_runtime::{Runner as _, Supervisor as _, tokio as runtime};
use humantime::format_rfc3339_seconds;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use types::{ChainSpec, PublicKey};

/// Less than this is soon full.
const FREE_MIB_WANTED: u64 = 2 << 10;
/// With less than this a node may stop any moment.
const FREE_MIB_LEAST: u64 = 256;
/// How nodes are told how to start: the text of a hint.
const START: &str = "ashlar node --config";

/// What a node is made of.
pub struct Files {
    file: PathBuf,
    /// Its configuration.
    pub config: NodeConfig,
    /// Its network, if that can be read.
    pub spec: Option<ChainSpec>,
    key: Option<ed25519::PrivateKey>,
}

impl Files {
    /// Reads the configuration in a directory. None if it cannot be read, which is noted.
    ///
    /// # Errors
    /// There is none.
    pub fn read(dir: &Path, report: &mut Report) -> Result<Option<Self>> {
        let file = dir.join("node.toml");
        if dir.join("validators").is_dir() {
            bail!(
                "{} is a network of `ashlar up`: name one of its nodes, as --dir {}",
                dir.display(),
                dir.join("validators/0").display()
            );
        }
        if !file.exists() {
            bail!(
                "{} is not there: --dir is the directory of a node, with its configuration; a node elsewhere is asked with --rpc URL",
                file.display()
            );
        }
        let config = NodeConfig::read(&file);
        let read = |_: &NodeConfig| format!("{} is complete", file.display());
        let config = report.check("configuration", config, read);
        Ok(config
            .map(|config| Self {
                file,
                config,
                spec: None,
                key: None,
            })
            .map(|files| files.open(report)))
    }

    fn open(mut self, report: &mut Report) -> Self {
        let spec = read_spec(&self.config.chain_spec).and_then(|spec| {
            spec.committee()?;
            Ok(spec)
        });
        self.spec = report.check("chain spec", spec, |spec| {
            let identity = spec.committee().map(|committee| committee.identity_hex());
            let identity: String = identity.unwrap_or_default().chars().take(18).collect();
            format!(
                "{:?}, chain id {}, identity {identity}…",
                spec.name, spec.chain_id
            )
        });
        let key = read_key::<ed25519::PrivateKey>(&self.config.network_key);
        self.key = report.check("network key", key, |key| {
            format!("this node is {}", named(&key.public_key()))
        });
        self
    }

    /// Looks at what matters whether the node runs or not.
    pub fn examine(&self, report: &mut Report) {
        self.examine_addresses(report);
        report.check("data format", format::check(&self.config.data_dir), |()| {
            format!("known to this program, which has format {}", format::FORMAT)
        });
        self.examine_disk(report);
        self.examine_clock(report);
    }

    fn examine_addresses(&self, report: &mut Report) {
        let p2p = &self.config.p2p;
        let keys = p2p.peers.iter().map(|peer| {
            let key: Result<PublicKey> = parse_key(&peer.public_key);
            key.with_context(|| format!("the key of the peer at {} in p2p.peers", peer.address))
        });
        let keys: Result<BTreeSet<PublicKey>> = keys.collect();
        let own = self.key.as_ref().map(ed25519::PrivateKey::public_key);
        let Some(keys) = report.check("peers", keys, |keys| {
            let others = keys.iter().filter(|key| Some(*key) != own.as_ref());
            format!("{} other nodes to begin with", others.count())
        }) else {
            return;
        };
        let validators = self.spec.as_ref().and_then(|spec| spec.committee().ok());
        let alone = validators.is_some_and(|committee| committee.validators().len() == 1);
        if !alone && keys.iter().all(|key| Some(key) == own.as_ref()) {
            report.problem(
                "peers",
                "the configuration names no other node, so this one finds none",
                "copy p2p.peers from another node of the network, or join it with a passport (ashlar network invite)",
            );
        }
        let address = p2p.advertise.unwrap_or(p2p.listen);
        if address.ip().is_unspecified() {
            report.problem(
                "address",
                format!("other nodes are told to reach this one at {address}, which is no address"),
                "set p2p.advertise to the address at which they reach it",
            );
        } else {
            report.ok("address", format!("other nodes reach it at {address}"));
        }
    }

    fn examine_disk(&self, report: &mut Report) {
        let dir = self.config.data_dir.ancestors().find(|dir| dir.exists());
        let dir = dir.unwrap_or_else(|| Path::new("."));
        let Ok(disk) = rustix::fs::statvfs(dir) else {
            report.add(
                "disk",
                Verdict::Unknown,
                format!("{} cannot be asked for its free space", dir.display()),
                None,
            );
            return;
        };
        let free_mib = disk.f_bavail.saturating_mul(disk.f_frsize) >> 20;
        let said = format!("{free_mib} MiB are free at {}", dir.display());
        let next = "free space, or keep fewer blocks (keep_blocks, docs/storage.md); a node stops when its disk is full";
        match free_mib {
            0..FREE_MIB_LEAST => report.problem("disk", said, next),
            FREE_MIB_LEAST..FREE_MIB_WANTED => report.warning("disk", said, next),
            _ => report.ok("disk", said),
        }
    }

    fn examine_clock(&self, report: &mut Report) {
        let Some(spec) = &self.spec else { return };
        let begun = UNIX_EPOCH.checked_add(Duration::from_millis(spec.time_ms));
        let (begun, now) = (begun.unwrap_or(UNIX_EPOCH), SystemTime::now());
        let said = format!("it is {}", format_rfc3339_seconds(now));
        if now < begun {
            report.problem(
                "clock",
                format!("{said}, before the network began at {}", format_rfc3339_seconds(begun)),
                "set the clock, and keep it by NTP: nodes refuse one another when their clocks are 5 s apart",
            );
        } else {
            report.ok("clock", said);
        }
    }

    /// Looks at what only concerns a node that does not run.
    pub fn examine_stopped(&self, report: &mut Report) {
        let start = format!("start it: {START} {}", self.file.display());
        report.warning("process", "the node does not run", &start);
        for (address, setting) in [
            (self.config.p2p.listen, "p2p.listen"),
            (self.config.rpc.listen, "rpc.listen"),
        ] {
            report.check("port", free(address, setting), |()| {
                format!("{setting} {address} is free")
            });
        }
        self.examine_share(report);
    }

    fn examine_share(&self, report: &mut Report) {
        if let Some(share) = &self.config.share
            && share.exists()
        {
            let read = read_secret(share).and_then(|text| {
                parse_key::<chain::Share>(&text).with_context(|| format!("in {}", share.display()))
            });
            report.check("share", read, |_| {
                "of block 0, in its file: the first start takes it over".to_owned()
            });
            return;
        }
        let Some(key) = &self.key else { return };
        let next = "if this node is a validator it gets another share by itself, in one of the next epochs; until then it follows \
                    the chain and does not vote (docs/epochs.md)";
        match self.shares(key) {
            Ok(epochs) if epochs.is_empty() => report.warning("share", "this node has none", next),
            Ok(epochs) => {
                let epochs: Vec<_> = epochs.iter().map(u64::to_string).collect();
                report.ok("share", format!("of epoch {}", epochs.join(" and ")));
            }
            Err(error) => report.add("share", Verdict::Problem, format!("{error:#}"), None),
        }
    }

    /// The epochs of which this node has a share. Nobody else may have the directory meanwhile.
    fn shares(&self, key: &ed25519::PrivateKey) -> Result<Vec<u64>> {
        let chain = self.config.data_dir.join("chain");
        if !chain
            .join(format!("{}-secrets", crate::node::PREFIX))
            .is_dir()
        {
            return Ok(Vec::new());
        }
        let _lock = DirectoryLock::take(&self.config.data_dir)?;
        let runner = runtime::Runner::new(runtime::Config::default().with_storage_directory(chain));
        let shares = runner.start(|context| async move {
            chain::epoch::shares(
                context.child("shares"),
                crate::node::PREFIX,
                &secrets_key(key),
            )
            .await
        });
        Ok(shares?)
    }
}

fn named(key: &PublicKey) -> String {
    hex::encode_prefixed(key.encode())
}

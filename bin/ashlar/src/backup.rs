//! `ashlar backup` and `ashlar restore`: what a node or a gateway must not lose, and a directory made of it again.
//!
//! A backup is such a directory already, with a list of its files and their digests beside them. Of a node there is neither
//! share nor state in it: with both, a second process could sign behind the first (docs/backup.md).

use crate::{
    cli::{BackupArgs, RestoreArgs},
    files::{beside, read_secret, sha256, write_public, write_secret},
    node::NodeConfig,
};
use alloy_primitives::hex;
use anyhow::{Context as _, Result, bail, ensure};
use gateway::Config;
use humantime::format_rfc3339_seconds;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Component, Path, PathBuf},
    time::SystemTime,
};
use zeroize::Zeroizing;

/// The list.
const LIST: &str = "backup.json";
/// Version of backups' form. A program refuses newer ones.
const FORMAT: u32 = 1;
/// Names that files have in a backup.
const NODE: &str = "node.toml";
const GATEWAY: &str = "gateway.toml";
const SPEC: &str = "genesis.json";
const NETWORK_KEY: &str = "network.key";
const DATA: &str = "data";

/// What is in a backup.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    format: u32,
    /// Whose it is.
    of: Kind,
    /// When it was made, RFC 3339.
    made: String,
    /// The program that made it.
    program: String,
    /// SHA-256 of each file, hex, by its path in the backup.
    files: BTreeMap<PathBuf, String>,
}

/// Whose backup it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Node,
    Gateway,
}

/// `ashlar backup`.
pub fn backup(args: &BackupArgs) -> Result<()> {
    let text = fs::read_to_string(&args.config)
        .with_context(|| format!("cannot read {}", args.config.display()))?;
    let table: toml::Table =
        toml::from_str(&text).with_context(|| format!("in {}", args.config.display()))?;
    make(&args.out)?;
    // Only a node has one.
    let (of, files) = if table.contains_key("chain_spec") {
        (Kind::Node, backup_node(&args.config, &args.out)?)
    } else {
        (Kind::Gateway, backup_gateway(&args.config, &args.out)?)
    };
    let files = files.into_iter().map(|file| {
        let digest = digest(&args.out.join(&file))?;
        Ok((file, digest))
    });
    let list = List {
        format: FORMAT,
        of,
        made: format_rfc3339_seconds(SystemTime::now()).to_string(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        files: files.collect::<Result<_>>()?,
    };
    // Last: without it, it is no backup.
    write_public(&args.out.join(LIST), &serde_json::to_vec_pretty(&list)?)?;
    println!(
        "backed up to {} ({} files). It holds keys: keep it where nobody else reads it",
        args.out.display(),
        list.files.len()
    );
    println!("ashlar restore {} --dir D", args.out.display());
    Ok(())
}

fn backup_node(file: &Path, out: &Path) -> Result<Vec<PathBuf>> {
    let config = NodeConfig::read(file)?;
    let spec = fs::read(&config.chain_spec)
        .with_context(|| format!("cannot read {}", config.chain_spec.display()))?;
    write_public(&out.join(SPEC), &spec)?;
    copy_secret(&config.network_key, &out.join(NETWORK_KEY))?;
    let restored = NodeConfig {
        chain_spec: SPEC.into(),
        data_dir: DATA.into(),
        network_key: NETWORK_KEY.into(),
        share: None,
        state_sync: true,
        ..config
    };
    let text = toml::to_string_pretty(&restored)?;
    write_public(&out.join(NODE), text.as_bytes())?;
    Ok([SPEC, NETWORK_KEY, NODE].map(PathBuf::from).to_vec())
}

fn backup_gateway(file: &Path, out: &Path) -> Result<Vec<PathBuf>> {
    let mut config = Config::load(file)?;
    config.data_dir = beside(file, &config.data_dir);
    config.relayer_key_file = config.relayer_key_file.map(|key| beside(file, &key));
    let data = out.join(DATA);
    make(&data)?;
    // Keys first: they are older than anything in the journal.
    for (from, name) in gateway::key_files(&config) {
        copy_secret(&from, &data.join(name))?;
    }
    gateway::snapshot(&config, &data)?;
    let restored = Config {
        data_dir: DATA.into(),
        relayer_key_file: None,
        // All keys are in it: one that is missing later is lost.
        create_relayer_key: false,
        ..config
    };
    write_public(&out.join(GATEWAY), restored.to_toml().as_bytes())?;
    let mut files = vec![PathBuf::from(GATEWAY)];
    for entry in fs::read_dir(&data)? {
        files.push(Path::new(DATA).join(entry?.file_name()));
    }
    Ok(files)
}

fn copy_secret(from: &Path, to: &Path) -> Result<()> {
    let secret = read_secret(from).map(Zeroizing::new)?;
    write_secret(to, secret.as_bytes())
}

/// `ashlar restore`.
pub fn restore(args: &RestoreArgs) -> Result<()> {
    let file = args.backup.join(LIST);
    let text = fs::read_to_string(&file).with_context(|| {
        format!(
            "cannot read {}: is this a backup that `ashlar backup` finished?",
            file.display()
        )
    })?;
    let head: Head = serde_json::from_str(&text)
        .with_context(|| format!("{} is no list of a backup", file.display()))?;
    ensure!(
        head.format <= FORMAT,
        "this backup has format {}, this program knows {FORMAT}: restore it with the program that made it, or a newer one",
        head.format
    );
    let list: List =
        serde_json::from_str(&text).with_context(|| format!("in {}", file.display()))?;
    for (path, expected) in &list.files {
        let inside = |part: Component<'_>| matches!(part, Component::Normal(_));
        ensure!(
            path.components().all(inside),
            "the backup names a file outside itself: {}",
            path.display()
        );
        let found = digest(&args.backup.join(path))?;
        ensure!(
            found == *expected,
            "{} was changed since the backup was made: use another backup",
            args.backup.join(path).display()
        );
    }
    make(&args.dir)?;
    for path in list.files.keys() {
        copy(&args.backup.join(path), &args.dir.join(path))?;
    }
    println!("restored to {}, as of {}", args.dir.display(), list.made);
    match list.of {
        Kind::Node => println!(
            "ashlar node --config {}\n\nIt takes the state from the other nodes, and signs again when an epoch gives it another share. \
             Start it only if the node that it was made of is gone for good: the two have one key",
            args.dir.join(NODE).display()
        ),
        Kind::Gateway => println!(
            "ashlar gateway --config {}\n\nIt finds on chain what became of everything in its journal. What was accepted after the \
             backup was made it does not know: repeated with the same idempotency key it fails with `id_conflict`, if it is on \
             chain, and is recorded otherwise; never twice (docs/backup.md)",
            args.dir.join(GATEWAY).display()
        ),
    }
    Ok(())
}

/// What every version of a list has.
#[derive(Debug, Deserialize)]
struct Head {
    format: u32,
}

/// Makes a directory that is for its owner only, and was not there or is empty.
fn make(dir: &Path) -> Result<()> {
    if dir.exists() {
        let mut entries =
            fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
        if entries.next().is_some() {
            bail!("{} is not empty: name a new directory", dir.display());
        }
    }
    let mut builder = fs::DirBuilder::new();
    builder
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("cannot make {}", dir.display()))
}

fn digest(file: &Path) -> Result<String> {
    let digest = sha256(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(hex::encode(digest))
}

/// Copies a file with its mode, durably.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let parent = to.parent().context("a file needs a folder")?;
    let copied = || {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(parent)?;
        let mode = fs::metadata(from)?.permissions().mode();
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode & 0o700)
            .open(to)?;
        io::copy(&mut File::open(from)?, &mut file)?;
        file.sync_all()?;
        File::open(parent)?.sync_all()
    };
    copied().with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

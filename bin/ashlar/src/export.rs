//! `ashlar export`: the state after a final block as one file, and whether such a file is one (docs/export.md).

use crate::{
    cli::ExportArgs,
    files::DirectoryLock,
    format,
    node::{NodeConfig, PREFIX, read_spec},
};
use alloy_primitives::B256;
use anyhow::{Context as _, Result, bail, ensure};
use chain::export::{Head, Reader, Source, Survey, Whole, Writer, survey};
use commonware_runtime::{Runner as _, Supervisor as _, tokio as runtime};
use serde_json::json;
use state::Counts;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, BufWriter},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use types::ChainSpec;

/// How often people are told how far it is.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes buffered before a read or a write.
const BUFFER: usize = 1 << 20;

/// `ashlar export`.
pub fn export(args: &ExportArgs) -> Result<()> {
    if let Some(file) = &args.check {
        let whole = check(file, args.identity.as_deref())?;
        describe(&whole.head, &whole.counts, whole.digest, args.json, file)?;
        if !args.json {
            eprintln!("{}", proved(&whole, args.identity.is_some()));
        }
        return Ok(());
    }
    let (Some(config), Some(out)) = (&args.config, &args.out) else {
        bail!("say which node's state, and where to: ashlar export --config node.toml --out FILE");
    };
    let config = NodeConfig::read(config)?;
    ensure!(
        args.force || !out.exists(),
        "{} is there already: name another file, or say --force to replace it",
        out.display()
    );
    let data = &config.data_dir;
    ensure!(
        data.exists(),
        "there is no data directory {}: has this node ever run?",
        data.display()
    );
    format::check(data)?;
    if let Some(process) = DirectoryLock::holder(data)? {
        bail!("the node is running (process {process}): stop it, export, and start it again");
    }
    let _lock = DirectoryLock::take(data)?;
    let spec = read_spec(&config.chain_spec)?;
    let (head, counts, digest) = write(&spec, &data.join("chain"), out, args.height)?;
    describe(&head, &counts, digest, args.json, out)?;
    if !args.json {
        eprintln!(
            "Two nodes that export the same height give the same digest: compare it with the others'.\nashlar export --check {}",
            out.display()
        );
    }
    Ok(())
}

/// Writes the export of a data directory's chain, whole or not at all.
fn write(
    spec: &ChainSpec,
    storage: &Path,
    out: &Path,
    height: Option<u64>,
) -> Result<(Head, Counts, B256)> {
    let survey = runner(storage).start(|context| async move {
        survey(
            &context.child("survey"),
            PREFIX,
            spec,
            chain::SECTION_ITEMS,
            height,
        )
        .await
    })?;
    let rewind = survey.head.height() != survey.applied;
    let scratch = if rewind {
        Some(Scratch::copy(storage, out, survey.applied)?)
    } else {
        None
    };
    let storage = scratch
        .as_ref()
        .map_or(storage, |scratch| scratch.0.as_path());
    let draft = beside(out, "draft")?;
    let _ = fs::remove_file(&draft);
    let written = stream(storage, &survey, rewind, &draft);
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    let (counts, digest) = written?;
    fs::rename(&draft, out).with_context(|| format!("cannot write {}", out.display()))?;
    File::open(folder(out))?.sync_all()?;
    Ok((survey.head, counts, digest))
}

fn stream(storage: &Path, survey: &Survey, rewind: bool, draft: &Path) -> Result<(Counts, B256)> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(draft)
        .with_context(|| format!("cannot write {}", draft.display()))?;
    let head = &survey.head;
    let out = BufWriter::with_capacity(BUFFER, file);
    let mut writer = Writer::begin(out, head, &survey.finality)?;
    let (first, end) = head.operations();
    let mut progress = Progress::new("exported");
    let writer = runner(storage).start(|context| async move {
        let source = Source::open(context.child("state"), PREFIX, head, rewind).await?;
        let mut next = first;
        while next < end {
            let piece = source.piece(next).await?;
            writer.piece(&piece)?;
            next = piece.end();
            progress.tell(next.saturating_sub(first), end.saturating_sub(first));
        }
        anyhow::Ok(writer)
    })?;
    let (out, counts, digest) = writer.end()?;
    out.into_inner()
        .map_err(io::IntoInnerError::into_error)?
        .sync_all()?;
    Ok((counts, digest))
}

/// Reads an export and checks all that it claims.
///
/// # Errors
/// What is wrong with it, or that it is of another network than `identity`.
pub fn check(file: &Path, identity: Option<&str>) -> Result<Whole> {
    let reader = open(file)?;
    let mut progress = Progress::new("checked");
    let checked = || {
        if let Some(identity) = identity {
            reader.head().pin(identity)?;
        }
        reader.verify(&mut rand::rng(), |done, all| progress.tell(done, all))
    };
    checked().with_context(|| format!("{}", file.display()))
}

/// Begins to read an export.
///
/// # Errors
/// It is none, or cannot be read.
pub fn open(file: &Path) -> Result<Reader<BufReader<File>>> {
    let opened = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    let reader = Reader::begin(BufReader::with_capacity(BUFFER, opened));
    reader.with_context(|| format!("{}", file.display()))
}

/// What follows from a whole export, in words.
fn proved(whole: &Whole, pinned: bool) -> String {
    let whose = if pinned {
        "It is the network that you named."
    } else {
        "Compare the identity with what somebody you trust says (--identity): the file alone does not prove whose it is."
    };
    format!(
        "Proved: the network with this identity certified block {}; each entry holds in the state after it; and there is no other \
         entry in the operations that the block says its state is made of. {whose}",
        whole.head.height()
    )
}

fn describe(head: &Head, counts: &Counts, digest: B256, json: bool, file: &Path) -> Result<()> {
    if json {
        let summary = json!({
            "digest": digest,
            "identity": head.identity_hex(),
            "chain_id": head.chain_id,
            "genesis": head.genesis,
            "height": head.height(),
            "block": head.block(),
            "state_root": head.header.state_root,
            "accounts": counts.accounts,
            "slots": counts.slots,
            "codes": counts.codes,
            "entries": counts.entries,
            "bytes": fs::metadata(file)?.len(),
        });
        println!("{summary}");
        return Ok(());
    }
    println!("{digest}");
    eprintln!(
        "{}: the state after block {} ({}) of the network with chain id {}\nidentity {}\nstate root {}\n{} accounts, {} storage slots, {} codes",
        file.display(),
        head.height(),
        head.block(),
        head.chain_id,
        head.identity_hex(),
        head.header.state_root,
        counts.accounts,
        counts.slots,
        counts.codes,
    );
    Ok(())
}

/// Runs what reads or writes a chain's files.
pub fn runner(storage: &Path) -> runtime::Runner {
    runtime::Runner::new(
        runtime::Config::default()
            .with_storage_directory(storage)
            .with_worker_threads(2),
    )
}

/// Says now and then how far it is.
pub struct Progress {
    what: &'static str,
    said: Instant,
}

impl Progress {
    /// Nothing is done yet.
    pub fn new(what: &'static str) -> Self {
        let said = Instant::now();
        Self { what, said }
    }

    /// So much is done.
    pub fn tell(&mut self, done: u64, all: u64) {
        if self.said.elapsed() >= PATIENCE {
            eprintln!("{} {done} of {all}", self.what);
            self.said = Instant::now();
        }
    }
}

/// A copy of a state, to be rewound. Removed when it is not needed any more.
struct Scratch(PathBuf);

impl Scratch {
    fn copy(storage: &Path, out: &Path, applied: u64) -> Result<Self> {
        let scratch = Self(beside(out, "scratch")?);
        let _ = fs::remove_dir_all(&scratch.0);
        eprintln!(
            "This node has the state after block {applied}: going back in a copy of it, in {}",
            scratch.0.display()
        );
        let copied = || -> io::Result<()> {
            fs::DirBuilder::new().mode(0o700).create(&scratch.0)?;
            for partition in fs::read_dir(storage)? {
                let partition = partition?;
                let name = partition.file_name();
                if !name
                    .to_string_lossy()
                    .starts_with(&format!("{PREFIX}-state-"))
                {
                    continue;
                }
                let to = scratch.0.join(name);
                fs::create_dir(&to)?;
                for blob in fs::read_dir(partition.path())? {
                    let blob = blob?;
                    fs::copy(blob.path(), to.join(blob.file_name()))?;
                }
            }
            Ok(())
        };
        copied().with_context(|| format!("cannot copy the state to {}", scratch.0.display()))?;
        Ok(scratch)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn folder(file: &Path) -> &Path {
    let parent = file
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or_else(|| Path::new("."))
}

/// A hidden file or folder beside a file.
fn beside(file: &Path, what: &str) -> Result<PathBuf> {
    let name = file.file_name().context("a file needs a name")?;
    Ok(folder(file).join(format!(".{}.{what}", name.to_string_lossy())))
}

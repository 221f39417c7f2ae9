//! `ashlar import`: the state that a network began with, into a node that is to have it; and how founders do so.

use crate::{
    cli::ImportArgs,
    export::{Progress, check, open, runner},
    files::DirectoryLock,
    format,
    node::{NodeConfig, PREFIX, read_spec},
};
use alloy_primitives::B256;
use anyhow::{Context as _, Result, bail, ensure};
use chain::{
    export::Whole,
    origin::{Founder, Settled, settle},
};
use commonware_runtime::{Runner as _, Supervisor as _, buffer::paged::CacheRef, tokio as runtime};
use commonware_utils::NZUsize;
use state::{BATCH_ENTRIES, Import};
use std::{ops::RangeInclusive, path::Path};
use types::Origin;

/// Entries sorted in memory at once, on average: some 150 MB. The file is read once for each so many.
const PASS_ENTRIES: u64 = 1 << 20;

/// `ashlar import`.
pub fn import(args: &ImportArgs) -> Result<()> {
    let config = NodeConfig::read(&args.config)?;
    let spec = read_spec(&config.chain_spec)?;
    let Some(origin) = &spec.origin else {
        bail!(
            "the network {:?} does not begin with an export: there is nothing to import. To found one that does: ashlar network new --from-export",
            spec.name
        );
    };
    let identity = alloy_primitives::hex::encode_prefixed(&origin.identity);
    let whole = check(&args.file, Some(&identity))?;
    ensure!(
        whole.digest == origin.export,
        "this network begins with the export {}, and {} is {}: get the right one",
        origin.export,
        args.file.display(),
        whole.digest
    );
    format::check(&config.data_dir)?;
    let _lock = DirectoryLock::take(&config.data_dir)?;
    format::mark(&config.data_dir)?;
    let made = runner(&config.data_dir.join("chain")).start(|context| async move {
        let import = load(context, &args.file, &whole).await?;
        anyhow::Ok(import.finish(origin.export, origin.changes()).await?)
    })?;
    let root = B256::from_slice(made.commitment.root.as_ref());
    ensure!(
        root == origin.state_root,
        "the import has the state root {root}, and the chain spec says {}: this is another version of Ashlar than the founders', or the spec was changed",
        origin.state_root
    );
    println!("{root}");
    eprintln!(
        "Imported the state of block 0. Start the node with:\n  ashlar node --config {}",
        args.config.display()
    );
    Ok(())
}

/// What founders have when they have imported a state: what they are to agree on.
pub struct Brought {
    /// The state, and what was written over it.
    pub origin: Origin,
    /// What the state says of the network.
    pub settled: Settled,
    /// Milliseconds since the Unix epoch: the new network's block 0 must be later than the block whose state it has.
    pub after_ms: u64,
}

/// Checks an export, and imports it as the state of a new network's block 0, with the founders' nodes in it.
pub fn bring(storage: &Path, file: &Path, founders: &[Founder]) -> Result<Brought> {
    let whole = check(file, None)?;
    runner(storage).start(|context| async move {
        let import = load(context, file, &whole).await?;
        let settled = settle(import.state(), founders).await?;
        let head = &whole.head;
        let mut origin = Origin {
            export: whole.digest,
            identity: head.identity.to_vec().into(),
            chain_id: head.chain_id,
            genesis: head.genesis,
            height: head.height(),
            block: head.block(),
            changes: settled.changes(),
            state_root: B256::ZERO,
            ops_root: B256::ZERO,
            ops_range: (0, 0),
        };
        let made = import.finish(whole.digest, origin.changes()).await?;
        let commitment = made.commitment;
        origin.state_root = B256::from_slice(commitment.root.as_ref());
        origin.ops_root = B256::from_slice(commitment.ops_root.as_ref());
        origin.ops_range = (*commitment.ops_range.start(), *commitment.ops_range.end());
        let after_ms = head.header.timestamp.saturating_add(1).saturating_mul(1000);
        Ok(Brought {
            origin,
            settled,
            after_ms,
        })
    })
}

/// Writes the entries of an export that was checked, sorted, with memory for some of them only.
async fn load(
    context: runtime::Context,
    file: &Path,
    whole: &Whole,
) -> Result<Import<runtime::Context>> {
    let pages = CacheRef::new(chain::PAGE_BYTES, NZUsize!(4_096));
    let mut import = Import::begin(context.child("import"), PREFIX, pages).await?;
    let (mut progress, mut done) = (Progress::new("imported"), 0);
    let all = whole.counts.entries;
    let mut pending = Vec::new();
    for range in passes(all) {
        let (sorted, again) = open(file)?
            .entries(range)
            .with_context(|| format!("{}", file.display()))?;
        ensure!(
            again == *whole,
            "{} was changed while it was read: import it again",
            file.display()
        );
        pending.extend(sorted);
        while pending.len() >= BATCH_ENTRIES {
            import = import.write(pending.drain(..BATCH_ENTRIES)).await?;
            done += BATCH_ENTRIES as u64;
            progress.tell(done, all);
        }
    }
    Ok(import.write(pending).await?)
}

/// Ranges of keys' beginnings. Keys are hashes, so each has about as many entries.
fn passes(entries: u64) -> Vec<RangeInclusive<u64>> {
    let count = u128::from(entries.div_ceil(PASS_ENTRIES).max(1));
    let begin = |pass: u128| (pass << 64).checked_div(count).unwrap_or_default();
    let range = |pass| {
        let (first, last) = (begin(pass), begin(pass + 1) - 1);
        u64::try_from(first).unwrap_or(u64::MAX)..=u64::try_from(last).unwrap_or(u64::MAX)
    };
    (0..count).map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_have_each_key_once() {
        for entries in [0, 1, PASS_ENTRIES, PASS_ENTRIES + 1, 7 * PASS_ENTRIES - 1] {
            let ranges = passes(entries);
            assert_eq!(ranges.len() as u64, entries.div_ceil(PASS_ENTRIES).max(1));
            let mut next = Some(0);
            for range in ranges {
                assert_eq!(Some(*range.start()), next);
                next = range.end().checked_add(1);
            }
            assert_eq!(next, None, "the last key is in the last pass");
        }
    }
}

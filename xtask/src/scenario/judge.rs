//! Judging from outside: receipts verified offline, and the chain itself.

use super::{
    ledger::Ledger,
    load::{Book, Fact, Promise},
    network::Status,
};
use alloy_primitives::B256;
use anyhow::{Context as _, Result, ensure};
use client::{gateway::Gateway, rpc::Nodes};
use futures::{StreamExt as _, stream};
use proof::{Attachment, Identity, Receipt, attachment_digest, canonical::Value, verify};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Receipts asked for and verified at a time.
const IN_FLIGHT: usize = 16;

/// The figures.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// Keys posted.
    pub posted: usize,
    /// Keys that got a 2xx reply.
    pub acknowledged: usize,
    /// Of these: with a receipt that verifies, holds what was posted, and is claimed on chain exactly once.
    pub finalized: usize,
    /// Of these: the others.
    pub lost: usize,
    /// Ids claimed more than once on chain.
    pub doubled: usize,
    /// Claims on chain that nobody posted.
    pub stray: usize,
    /// What the chain holds.
    pub ledger: Ledger,
    /// What clients saw.
    pub book: Book,
    /// What should not have happened.
    pub violations: Vec<String>,
}

/// Holds every promise against what there is. `identity` is the network's, as it was at the start.
pub(crate) async fn judge(status: &Status, identity: &str, mut book: Book) -> Result<Judged> {
    let urls: Vec<String> = status
        .validators
        .iter()
        .map(|validator| validator.rpc.clone())
        .collect();
    let nodes = Nodes::new(&urls, Duration::from_secs(30))?;
    let mut violations = std::mem::take(&mut book.violations);
    let ledger = Ledger::read(&nodes).await.unwrap_or_else(|error| {
        violations.push(format!("the chain cannot be read: {error:#}"));
        Ledger::default()
    });
    let court = &Court {
        gateway: Gateway::new(&status.gateway.url, &status.api_key)?,
        identity: identity.parse().context("the identity of up.json")?,
        ledger: &ledger,
    };
    let found: BTreeMap<&String, Result<B256>> = stream::iter(&book.promises)
        .map(|(key, promise)| async move { (key, court.check(promise).await) })
        .buffer_unordered(IN_FLIGHT)
        .collect()
        .await;
    let mut ids = BTreeSet::new();
    let mut judged = Judged {
        posted: book.promises.len(),
        ..Judged::default()
    };
    for (key, promise) in &book.promises {
        judged.acknowledged += usize::from(promise.acknowledged);
        match found.get(key) {
            Some(Ok(id)) => {
                judged.finalized += 1;
                if !ids.insert(*id) {
                    violations.push(format!("key {key} shares its id with another"));
                }
            }
            Some(Err(error)) if promise.acknowledged => {
                judged.lost += 1;
                violations.push(format!("key {key}: {error:#}"));
            }
            _ => violations.push(format!("key {key} was never acknowledged")),
        }
    }
    judged.doubled = ledger
        .claims
        .values()
        .filter(|claims| claims.len() > 1)
        .count();
    if judged.doubled > 0 {
        violations.push(format!(
            "{} ids were claimed more than once",
            judged.doubled
        ));
    }
    judged.stray = ledger.claims.keys().filter(|id| !ids.contains(*id)).count();
    if judged.stray > 0 && judged.lost == 0 {
        violations.push(format!(
            "{} claims on chain were posted by nobody",
            judged.stray
        ));
    }
    if ledger.conflicts > 0 {
        violations.push(format!("{} conflicts on chain", ledger.conflicts));
    }
    Ok(Judged {
        ledger,
        book,
        violations,
        ..judged
    })
}

/// What promises are held against.
struct Court<'a> {
    gateway: Gateway,
    identity: Identity,
    ledger: &'a Ledger,
}

impl Court<'_> {
    /// Checks everything that was promised with one key. Returns the record's id.
    async fn check(&self, promise: &Promise) -> Result<B256> {
        let bytes = promise.receipt.as_ref().context("no receipt")?;
        let receipt = Receipt::decode(bytes)?;
        let verdict = verify(&receipt, Some(&self.identity))?;
        let proved = verdict.record.context("the receipt proves no record")?;
        ensure!(
            promise.id.is_none_or(|id| id == proved.id),
            "the receipt is of another record"
        );
        let record = receipt.record.context("a record")?;
        let content = record.content.context("the receipt has no content")?;
        ensure!(
            *content.body == *expected_body(&promise.fact)?.as_bytes(),
            "the receipt has another content than was posted"
        );
        let digests: Vec<B256> = promise
            .fact
            .attachment
            .iter()
            .map(|bytes| attachment_digest(bytes))
            .collect();
        ensure!(
            content.attachments == digests,
            "the receipt has another attachment"
        );
        let claims = self
            .ledger
            .claims
            .get(&proved.id)
            .map_or(&[][..], Vec::as_slice);
        ensure!(
            claims == [proved.commitment],
            "on chain its id was claimed {} times, with {claims:?}",
            claims.len()
        );
        let again = self.gateway.receipt_json(&proved.id).await?;
        ensure!(
            again == *bytes,
            "the receipt is not the same bytes as before"
        );
        Ok(proved.id)
    }
}

/// The canonical content of what was posted, as an auditor would make it.
fn expected_body(fact: &Fact) -> Result<String> {
    let data = Value::parse(fact.data.as_bytes())?;
    let attachments: Vec<Attachment> = fact
        .attachment
        .iter()
        .map(|bytes| Attachment {
            media_type: Fact::MEDIA_TYPE.to_owned(),
            name: Fact::FILE.to_owned(),
            size: bytes.len() as u64,
        })
        .collect();
    Ok(proof::body(&fact.kind, &data, &attachments))
}

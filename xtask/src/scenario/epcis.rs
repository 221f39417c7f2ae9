//! `cargo xtask scenario epcis`: real input. Every example event of the GS1 EPCIS 2.0 repository is recorded through
//! the gateway, and its receipt verified offline.

use super::{
    network::{Network, VALIDATORS},
    print, runtime,
};
use crate::cargo;
use anyhow::{Context as _, Result, ensure};
use client::{
    gateway::{Gateway, GatewayError},
    record::RecordRequest,
};
use proof::{Identity, Receipt, canonical::Value, verify};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Where the examples are unless told otherwise, relative to the root of the repository. They are not part of it.
const ARCHIVE: &str = "../shared/vectors/gs1-epcis-2.0.tar.xz";
/// How often a record that is not final within the gateway's patience is asked for again.
const TRIES: usize = 10;

/// Options.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// The archive of examples [default: ../shared/vectors/gs1-epcis-2.0.tar.xz]
    #[arg(value_name = "ARCHIVE")]
    archive: Option<PathBuf>,
}

/// The figures.
#[derive(Debug, Default, Serialize)]
struct Report {
    ok: bool,
    /// Documents with events, or that are something else of EPCIS.
    documents: usize,
    /// JSON Schemas and other files of the archive that are no examples.
    passed_over: usize,
    /// Records made, by type.
    records: BTreeMap<String, usize>,
    /// Receipts that verified and hold the event.
    verified: usize,
    violations: Vec<String>,
}

/// Something to record.
#[derive(Debug)]
struct Example {
    /// Where it comes from; its idempotency key.
    origin: String,
    kind: String,
    data: Box<RawValue>,
}

/// As much of a document as it takes to find the events in it.
#[derive(Deserialize)]
struct Document {
    #[serde(rename = "@context")]
    context: Option<Box<RawValue>>,
    #[serde(rename = "$schema")]
    schema: Option<Box<RawValue>>,
    #[serde(rename = "type")]
    kind: Option<Box<RawValue>>,
    #[serde(rename = "epcisBody")]
    body: Option<Body>,
}

#[derive(Deserialize)]
struct Body {
    #[serde(rename = "eventList")]
    events: Option<Vec<Box<RawValue>>>,
    #[serde(rename = "queryResults")]
    results: Option<QueryResults>,
}

#[derive(Deserialize)]
struct QueryResults {
    #[serde(rename = "resultsBody")]
    body: Option<ResultsBody>,
}

#[derive(Deserialize)]
struct ResultsBody {
    #[serde(rename = "eventList")]
    events: Option<Vec<Box<RawValue>>>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
}

/// Runs it. Whether every example was recorded and verified.
pub(crate) fn run(args: &Args) -> Result<bool> {
    let archive = args
        .archive
        .clone()
        .unwrap_or_else(|| cargo::root().join(ARCHIVE));
    if !archive.exists() {
        println!("epcis: skipped, there is no {}", archive.display());
        return Ok(true);
    }
    let unpacked = tempfile::tempdir()?;
    let untarred = Command::new("tar")
        .arg("-xJf")
        .arg(&archive)
        .arg("-C")
        .arg(unpacked.path())
        .status();
    ensure!(
        untarred.is_ok_and(|status| status.success()),
        "cannot unpack {} with tar and xz",
        archive.display()
    );
    let mut report = Report::default();
    let mut examples = Vec::new();
    for path in files(unpacked.path())? {
        let origin = path.strip_prefix(unpacked.path())?.display().to_string();
        let found = read(&origin, &fs::read_to_string(&path)?).with_context(|| origin.clone())?;
        match found {
            Some(found) => {
                report.documents += 1;
                examples.extend(found);
            }
            None => report.passed_over += 1,
        }
    }
    ensure!(
        !examples.is_empty(),
        "{} holds no example",
        archive.display()
    );

    let (mut network, status) = Network::start(&cargo::product()?, VALIDATORS)?;
    let gateway = Gateway::new(&status.gateway.url, &status.api_key)?;
    let identity: Identity = status.identity.parse().context("the identity of up.json")?;
    runtime()?.block_on(async {
        for example in examples {
            *report.records.entry(example.kind.clone()).or_default() += 1;
            match record(&gateway, &identity, &example).await {
                Ok(()) => report.verified += 1,
                Err(error) => report
                    .violations
                    .push(format!("{}: {error:#}", example.origin)),
            }
        }
    });
    report.ok = report.violations.is_empty();
    print(&report, args.json)?;
    let ok = report.ok;
    network.stop()?;
    Ok(ok)
}

/// Every JSON file below a folder, in order.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|name| name == "json" || name == "jsonld")
            {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// What to record of a document: each of its events, or the document itself if it holds none. None if it is no example
/// but a schema.
fn read(origin: &str, text: &str) -> Result<Option<Vec<Example>>> {
    let Ok(document) = serde_json::from_str::<Document>(text) else {
        // Not an object, or not one of EPCIS.
        return Ok(None);
    };
    if document.schema.is_some() || document.context.is_none() || document.kind.is_none() {
        return Ok(None);
    }
    let events = document.body.and_then(|body| {
        body.events
            .or_else(|| body.results.and_then(|results| results.body)?.events)
    });
    let data = match events {
        Some(events) => events,
        None => vec![RawValue::from_string(text.trim().to_owned())?],
    };
    data.into_iter()
        .enumerate()
        .map(|(index, data)| {
            let event: Event = serde_json::from_str(data.get())?;
            let kind = format!("epcis/{}", event.kind);
            Ok(Example {
                origin: format!("{origin}:{index}"),
                kind,
                data,
            })
        })
        .collect::<Result<_>>()
        .map(Some)
}

/// Records one and verifies its receipt.
async fn record(gateway: &Gateway, identity: &Identity, example: &Example) -> Result<()> {
    let request = RecordRequest {
        kind: example.kind.clone(),
        data: example.data.clone(),
        attachments: Vec::new(),
    };
    let mut answer = Err(GatewayError::NotYet);
    for _ in 0..TRIES {
        answer = gateway.record_final(&example.origin, &request).await;
        if !matches!(answer, Err(GatewayError::NotYet)) {
            break;
        }
    }
    let receipt = Receipt::decode(&answer?)?;
    let verdict = verify(&receipt, Some(identity))?;
    ensure!(verdict.record.is_some(), "the receipt proves no record");
    let content = receipt
        .record
        .and_then(|record| record.content)
        .context("no content")?;
    let expected = proof::body(
        &example.kind,
        &Value::parse(example.data.get().as_bytes())?,
        &[],
    );
    ensure!(
        *content.body == *expected.as_bytes(),
        "the receipt holds something else"
    );
    Ok(())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "documents  {} (and {} schemas passed over)",
            self.documents, self.passed_over
        )?;
        for (kind, count) in &self.records {
            writeln!(f, "recorded   {count} {kind}")?;
        }
        for violation in &self.violations {
            writeln!(f, "VIOLATION  {violation}")?;
        }
        let all: usize = self.records.values().sum();
        write!(f, "verified   {} of {all} receipts, offline", self.verified)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&[(&str, &str)]>) {
        let found = read("file", text).unwrap();
        let found: Option<Vec<(&str, &str)>> = found.as_ref().map(|examples| {
            examples
                .iter()
                .map(|example| (example.kind.as_str(), example.data.get()))
                .collect()
        });
        assert_eq!(found.as_deref(), expected);
    }

    #[test]
    fn each_event_of_a_document_is_an_example() {
        check(
            r#"{"@context":1,"type":"EPCISDocument","epcisBody":{"eventList":[{"type":"A"}, {"type":"B", "x": 1.0}]}}"#,
            Some(&[
                ("epcis/A", r#"{"type":"A"}"#),
                ("epcis/B", r#"{"type":"B", "x": 1.0}"#),
            ]),
        );
        check(
            r#"{"@context":1,"type":"EPCISQueryDocument","epcisBody":{"queryResults":{"resultsBody":{"eventList":[{"type":"A"}]}}}}"#,
            Some(&[("epcis/A", r#"{"type":"A"}"#)]),
        );
    }

    #[test]
    fn a_document_without_events_is_one_itself() {
        let text = r#"{"@context":1,"type":"ObjectEvent"}"#;
        check(text, Some(&[("epcis/ObjectEvent", text)]));
    }

    #[test]
    fn schemas_are_none() {
        check(r#"{"$schema":"x","type":"object"}"#, None);
        check(r#"{"@context":1,"$schema":"x","type":"object"}"#, None);
        check("[]", None);
    }
}

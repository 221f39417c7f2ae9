//! The bombs: the smallest questions that could take the most.

use super::super::{
    sender::Sender,
    wire::{Wire, head, question},
};
use alloy_primitives::{Bytes, TxKind, hex};
use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

/// Connections a bomb comes by at a time.
const CONNECTIONS: usize = 2;
/// Logs made beforehand: more than one answer may hold, so that a question for all of them is refused.
const LOGS_MIN: usize = 50_000;
/// Gas of a transaction that makes logs: what one may use (EIP-7825).
const LOGS_GAS: u64 = 16_000_000;
/// Init code: `for (;;) { if (gas() < 20_000) stop; log1(0, 0, 7) }`.
const LOGS_CODE: [u8; 18] = hex!("5b614e205a1060105760075f5fa15f565b00");
/// Init code: `for (;;) {}`.
const ENDLESS_CODE: &str = "0x5b5f56";

/// A question that a node must refuse.
#[derive(Debug)]
pub(crate) struct Bomb {
    /// Its name.
    pub name: &'static str,
    text: Vec<u8>,
    /// HTTP status and JSON-RPC code of the refusal.
    refusal: (u16, i64),
}

/// How a bomb was answered.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// How often.
    pub count: usize,
    /// The first one: status, code, message.
    pub first: String,
}

impl Answers {
    /// Adds those of a later time.
    pub(crate) fn add(&mut self, later: Self) {
        self.count += later.count;
        if self.first.is_empty() {
            self.first = later.first;
        }
    }
}

/// All of them, for a node that has been given something to choke on.
pub(crate) async fn all(rpc: &str, private_key: &str) -> Result<Vec<Bomb>> {
    make_logs(rpc, private_key).await?;
    let logs = question(
        "eth_getLogs",
        json!([{ "fromBlock": "0x0", "toBlock": "latest" }]),
    );
    let endless = question("eth_call", json!([{ "data": ENDLESS_CODE }, "latest"]));
    let number = question("eth_blockNumber", json!([]));
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"eth_call","params":{}{}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    Ok(vec![
        bomb("all logs", logs, (200, -32005)),
        bomb(
            "batch of 10,000",
            format!("[{}]", vec![number; 10_000].join(",")),
            (200, -32600),
        ),
        bomb("body of 64 MB", " ".repeat(64_000_000), (413, -32600)),
        bomb("100,000 deep", deep, (200, -32600)),
        bomb("endless call", endless, (200, -32000)),
    ])
}

fn bomb(name: &'static str, text: String, refusal: (u16, i64)) -> Bomb {
    Bomb {
        name,
        text: text.into_bytes(),
        refusal,
    }
}

impl Bomb {
    /// Drops it again and again for this long.
    pub(crate) async fn drop_for(&self, rpc: &str, lasts: Duration) -> Result<Answers> {
        let end = Instant::now() + lasts;
        let by_one = || async {
            let mut wire = Wire::open(rpc).await?;
            let mut answers = Answers {
                count: 0,
                first: String::new(),
            };
            while Instant::now() < end {
                let (status, answer) = wire.ask(&self.text).await?;
                let refusal: Refusal = serde_json::from_str(&answer)
                    .with_context(|| format!("not refused: {status} {}", head(&answer)))?;
                let Refused { code, message } = refusal.error;
                ensure!(
                    (status, code) == self.refusal,
                    "refused with {status} {code} {message}, not {:?}",
                    self.refusal
                );
                if answers.count == 0 {
                    answers.first = format!("{status} {code} {message}");
                }
                answers.count += 1;
            }
            anyhow::Ok(answers)
        };
        let all = futures::future::try_join_all((0..CONNECTIONS).map(|_| by_one())).await?;
        Ok(Answers {
            count: all.iter().map(|answers| answers.count).sum(),
            first: all
                .into_iter()
                .next()
                .map(|one| one.first)
                .unwrap_or_default(),
        })
    }
}

#[derive(Deserialize)]
struct Refusal {
    error: Refused,
}

#[derive(Deserialize)]
struct Refused {
    code: i64,
    message: String,
}

/// Sends transactions that make as many logs as their gas allows, until there are enough.
async fn make_logs(rpc: &str, private_key: &str) -> Result<()> {
    let mut sender = Sender::open(rpc, private_key).await?;
    let mut logs = 0;
    while logs < LOGS_MIN {
        let code = Bytes::from_static(&LOGS_CODE);
        let receipt = sender.send(TxKind::Create, code, LOGS_GAS).await?;
        ensure!(!receipt.logs.is_empty(), "a transaction made no logs");
        logs += receipt.logs.len();
    }
    Ok(())
}

//! `cargo xtask scenario reads`: what a read costs a node in processor time, and that its cost does not grow with the chain.
//!
//! A chain is made as long as is asked for, one transaction with one log in each block. A hundred of the logs, evenly
//! spread, carry a topic that no other has. Then many connections ask as fast as they are answered, one method after the
//! other, and the time that processors worked for the node is divided by the number of answers. Answers are checked.

use super::{
    network::{Network, Status},
    print, runtime,
    sender::Sender,
    usage::cpu,
    wire::{Wire, head, question},
};
use crate::cargo;
use alloy_primitives::{Address, B256, Bytes, TxKind, U64, U256, hex};
use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{fmt, time::Duration};
use tokio::{task::JoinSet, time::Instant};

/// Options.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Blocks of the chain; some 40 a second are made
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(200..=10_000_000))]
    blocks: u64,
    /// Seconds for which each method is asked
    #[arg(long, value_name = "S", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Fail if a read costs more than so many times its goal
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    dearer_max: f64,
}

/// Connections at a time, as many as the neutral load generator has.
const CONNECTIONS: usize = 32;
/// Logs with the rare topic.
const RARE: u64 = 100;
/// Gas of every transaction.
const GAS: u64 = 200_000;

/// Keeps a log as a token's transfer makes it, with the first word of the input as its third topic:
/// `log3(0, 32, 0xddf2…, caller, calldataload(0))`.
const LOGGER: [u8; 50] = hex!(
    "60298060095f395ff3 5f35337fddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef60205fa300"
);
/// Answers `balanceOf(address)` from a mapping in slot 0, in which its maker has 7.
const TOKEN: [u8; 35] =
    hex!("335f5260076040 5f2055 6010806013 5f395ff3 6004355f5260405f20545f5260205ff3");
/// `balanceOf(address)`.
const BALANCE_OF: [u8; 4] = hex!("70a08231");

/// The figures.
#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    blocks: u64,
    reads: Vec<Read>,
    violations: Vec<String>,
}

/// What one method costs.
#[derive(Debug, Serialize)]
struct Read {
    method: &'static str,
    requests: usize,
    requests_per_s: f64,
    /// Processor time of the node for one request, in microseconds.
    cpu_us: f64,
    goal_us: f64,
}

/// A question, its answer, and what it may cost.
struct Question {
    method: &'static str,
    params: Value,
    answered: fn(&Value, &[u64]) -> bool,
    goal_us: f64,
}

/// Runs it. Whether all is as cheap as it should be.
pub(crate) fn run(args: &Args) -> Result<bool> {
    let program = cargo::product()?;
    let (mut network, status) = Network::start(&program, 1)?;
    let report = runtime()?.block_on(measure(args, &status))?;
    print(&report, args.json)?;
    network.stop()?;
    Ok(report.ok)
}

async fn measure(args: &Args, status: &Status) -> Result<Report> {
    let node = status.validators.first().context("there is no validator")?;
    let key = &status.accounts.first().context("nobody has money")?;
    let mut sender = Sender::open(&node.rpc, &key.private_key).await?;
    let (questions, rare) = make_chain(&mut sender, args.blocks).await?;
    let mut report = Report {
        ok: false,
        blocks: args.blocks,
        reads: Vec::new(),
        violations: Vec::new(),
    };
    for question in questions {
        let phase = Duration::from_secs(args.seconds);
        let read = ask_for(&node.rpc, node.pid, &question, &rare, phase).await;
        let read = read.with_context(|| question.method)?;
        if read.cpu_us > read.goal_us * args.dearer_max {
            report.violations.push(format!(
                "{}: {:.1} µs of CPU, the goal is {} µs",
                read.method, read.cpu_us, read.goal_us
            ));
        }
        report.reads.push(read);
    }
    report.ok = report.violations.is_empty();
    Ok(report)
}

/// Makes the chain. Gives the questions, and the blocks of the rare logs.
async fn make_chain(sender: &mut Sender, blocks: u64) -> Result<(Vec<Question>, Vec<u64>)> {
    let me = sender.address();
    let mut deploy = async |code: &'static [u8]| -> Result<Address> {
        let receipt = sender.send(TxKind::Create, Bytes::from_static(code), GAS);
        receipt.await?.contract_address.context("no contract")
    };
    let (logger, token) = (deploy(&LOGGER).await?, deploy(&TOKEN).await?);
    let rare_topic = B256::repeat_byte(0x77);
    let (mut rare, mut head) = (Vec::new(), 0);
    let mut told = Instant::now();
    while head < blocks || rare.len() < RARE as usize {
        let due = rare.len() as u64 * blocks <= head * RARE && rare.len() < RARE as usize;
        let topic = if due { rare_topic } else { B256::ZERO };
        let sent = sender.send(TxKind::Call(logger), topic.into(), GAS).await?;
        ensure!(sent.logs.len() == 1, "a transaction made no log");
        head = sent.block_number.to();
        if due {
            rare.push(head);
        }
        if told.elapsed() > Duration::from_secs(10) {
            eprintln!("block {head} of {blocks}");
            told = Instant::now();
        }
    }
    let of_me = [BALANCE_OF.as_slice(), me.into_word().as_slice()].concat();
    let questions = vec![
        Question {
            method: "eth_getBalance",
            params: json!([me, "latest"]),
            answered: |answer, _| answer.as_str().is_some_and(|balance| balance.len() > 3),
            goal_us: 12.0,
        },
        Question {
            method: "eth_call",
            params: json!([{ "to": token, "data": hex::encode_prefixed(of_me) }, "latest"]),
            answered: |answer, _| {
                let balance = answer.as_str().and_then(|text| text.parse::<U256>().ok());
                balance == Some(U256::from(7))
            },
            goal_us: 25.0,
        },
        Question {
            method: "eth_getLogs",
            params: json!([{ "fromBlock": "0x0", "toBlock": "latest", "topics": [null, null, rare_topic] }]),
            answered: |answer, rare| {
                let logs = Vec::<Log>::deserialize(answer).unwrap_or_default();
                let blocks = logs.iter().map(|log| log.block_number.to::<u64>());
                blocks.eq(rare.iter().copied())
            },
            goal_us: 1_000.0,
        },
    ];
    Ok((questions, rare))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Log {
    block_number: U64,
}

#[derive(Deserialize)]
struct Answer {
    result: Value,
}

/// Asks for this long over all connections.
async fn ask_for(
    rpc: &str,
    pid: u32,
    asked: &Question,
    rare: &[u64],
    lasts: Duration,
) -> Result<Read> {
    let text = question(asked.method, asked.params.clone());
    // All answers are to be the same text, so that only one has to be understood.
    let (status, expected) = Wire::open(rpc).await?.ask(text.as_bytes()).await?;
    let answer: Option<Answer> = serde_json::from_str(&expected).ok();
    ensure!(
        answer.is_some_and(|answer| (asked.answered)(&answer.result, rare)),
        "a wrong answer: {status} {}",
        head(&expected)
    );
    let before = cpu(pid)?;
    let begin = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let mut wire = Wire::open(rpc).await?;
        let (text, expected) = (text.clone(), expected.clone());
        clients.spawn(async move {
            let mut requests = 0;
            while begin.elapsed() < lasts {
                let (_, answer) = wire.ask(text.as_bytes()).await?;
                ensure!(answer == expected, "another answer: {}", head(&answer));
                requests += 1;
            }
            anyhow::Ok(requests)
        });
    }
    let mut requests: usize = 0;
    while let Some(client) = clients.join_next().await {
        requests += client??;
    }
    let worked = cpu(pid)?.saturating_sub(before);
    let answered = requests as f64;
    Ok(Read {
        method: asked.method,
        requests,
        requests_per_s: (answered / begin.elapsed().as_secs_f64()).round(),
        cpu_us: (worked.as_secs_f64() * 1e7 / answered).round() / 10.0,
        goal_us: asked.goal_us,
    })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "one validator, {} blocks", self.blocks)?;
        writeln!(
            f,
            "{:<16} {:>9} {:>10} {:>12} {:>9}",
            "method", "requests", "a second", "CPU each", "goal"
        )?;
        for read in &self.reads {
            writeln!(
                f,
                "{:<16} {:>9} {:>10} {:>9.1} µs {:>6} µs",
                read.method, read.requests, read.requests_per_s, read.cpu_us, read.goal_us
            )?;
        }
        for violation in &self.violations {
            writeln!(f, "VIOLATION        {violation}")?;
        }
        write!(f, "verdict          violations {}", self.violations.len())
    }
}

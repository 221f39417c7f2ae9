//! `cargo xtask scenario reads`: what a read costs a node in processor time, and that its cost does not grow with the chain.
//!
//! A chain is made as long as is asked for, one transaction with one log in each block. A hundred of the logs, evenly
//! spread, carry a topic that no other has. Then many connections ask as fast as they are answered, one method after the
//! other, and the time that processors worked for the node is divided by the number of answers. Answers are checked.
//!
//! Processors differ, and so does what else a machine does. In turns with the node the same is asked of a yardstick
//! (`xtask/yardstick`), the least server that can answer `eth_getBalance`. Goals hold for a machine on which that costs
//! [`YARDSTICK_US`]; elsewhere they are longer or shorter by what it costs there.

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
use std::{
    fmt,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};
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
    #[arg(long, value_name = "S", default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Fail if a read costs more than so many times its goal on this machine
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    dearer_max: f64,
}

/// Connections at a time, as many as the neutral load generator has.
const CONNECTIONS: usize = 32;
/// Logs with the rare topic.
const RARE: u64 = 100;
/// Turns in which a node and the yardstick are asked.
const TURNS: u32 = 7;
/// What the yardstick's like (`floor`, which PERFORMANCE.md describes) took for an `eth_getBalance` where the goals were set, idle.
const YARDSTICK_US: f64 = 10.2;
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
    /// What the yardstick costs here, in microseconds.
    yardstick_us: f64,
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
    /// What it would be where the yardstick costs [`YARDSTICK_US`]: by the median of the ratios in each turn.
    standard_us: f64,
    /// What that may be.
    goal_us: f64,
}

/// What was asked, and what it took.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    requests: usize,
    worked: Duration,
    lasted: Duration,
}

/// The yardstick's process. Dropping it ends it.
struct Yardstick {
    child: Child,
    url: String,
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
    let yardstick = Yardstick::start()?;
    let (mut network, status) = Network::start(&program, 1)?;
    let report = runtime()?.block_on(measure(args, &status, &yardstick))?;
    print(&report, args.json)?;
    network.stop()?;
    Ok(report.ok)
}

async fn measure(args: &Args, status: &Status, yardstick: &Yardstick) -> Result<Report> {
    let node = status.validators.first().context("there is no validator")?;
    let key = &status.accounts.first().context("nobody has money")?;
    let mut sender = Sender::open(&node.rpc, &key.private_key).await?;
    let (questions, rare) = make_chain(&mut sender, args.blocks).await?;
    let least = questions.first().context("there is no question")?;
    let turn = Duration::from_secs(args.seconds) / TURNS;
    let mut reads = Vec::with_capacity(questions.len());
    let mut of_yardstick = Cost::default();
    for question in &questions {
        let mut cost = Cost::default();
        let mut ratios = Vec::with_capacity(TURNS as usize);
        for _ in 0..TURNS {
            let asked = ask_for(&node.rpc, node.pid, question, &rare, turn).await;
            let of_node = asked.context(question.method)?;
            let asked = ask_for(&yardstick.url, yardstick.child.id(), least, &rare, turn).await;
            let asked = asked.context("of the yardstick")?;
            ratios.push(of_node.each_us() / asked.each_us());
            cost.add(of_node);
            of_yardstick.add(asked);
        }
        reads.push(Read {
            method: question.method,
            requests: cost.requests,
            requests_per_s: (cost.requests as f64 / cost.lasted.as_secs_f64()).round(),
            cpu_us: tenths(cost.each_us()),
            standard_us: tenths(median(&mut ratios) * YARDSTICK_US),
            goal_us: question.goal_us,
        });
    }
    let dear = reads
        .iter()
        .filter(|read| read.standard_us > read.goal_us * args.dearer_max);
    let violations: Vec<String> = dear
        .map(|read| {
            format!(
                "{}: {} µs of CPU where the yardstick costs {YARDSTICK_US}, the goal is {} µs",
                read.method, read.standard_us, read.goal_us
            )
        })
        .collect();
    Ok(Report {
        ok: violations.is_empty(),
        blocks: args.blocks,
        yardstick_us: tenths(of_yardstick.each_us()),
        reads,
        violations,
    })
}

/// The machine changes its speed from one second to the next: of several turns, the one in the middle.
fn median(ratios: &mut [f64]) -> f64 {
    ratios.sort_by(f64::total_cmp);
    ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN)
}

fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

impl Cost {
    fn add(&mut self, more: Self) {
        self.requests += more.requests;
        self.worked += more.worked;
        self.lasted += more.lasted;
    }

    /// Processor time of one request, in microseconds.
    fn each_us(&self) -> f64 {
        self.worked.as_secs_f64() * 1e6 / self.requests as f64
    }
}

impl Yardstick {
    fn start() -> Result<Self> {
        let program = cargo::build("yardstick")?;
        let mut child = Command::new(&program)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", program.display()))?;
        let output = child.stdout.take().context("the yardstick has no output")?;
        let mut yardstick = Self {
            child,
            url: String::new(),
        };
        BufReader::new(output).read_line(&mut yardstick.url)?;
        yardstick.url = yardstick.url.trim_end().to_owned();
        Ok(yardstick)
    }
}

impl Drop for Yardstick {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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
) -> Result<Cost> {
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
    Ok(Cost {
        requests,
        worked: cpu(pid)?.saturating_sub(before),
        lasted: begin.elapsed(),
    })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "one validator, {} blocks; the yardstick costs {} µs here, standard is {YARDSTICK_US} µs",
            self.blocks, self.yardstick_us
        )?;
        writeln!(
            f,
            "{:<16} {:>9} {:>10} {:>12} {:>12} {:>9}",
            "method", "requests", "a second", "CPU each", "standard", "goal"
        )?;
        for read in &self.reads {
            writeln!(
                f,
                "{:<16} {:>9} {:>10} {:>9.1} µs {:>9.1} µs {:>6} µs",
                read.method,
                read.requests,
                read.requests_per_s,
                read.cpu_us,
                read.standard_us,
                read.goal_us
            )?;
        }
        for violation in &self.violations {
            writeln!(f, "VIOLATION        {violation}")?;
        }
        write!(f, "verdict          violations {}", self.violations.len())
    }
}

//! Clients that ask for little, at a steady rate, and remember how long they waited.

use super::super::wire::Wire;
use anyhow::{Result, ensure};
use std::time::Duration;
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval_at},
};

/// How many there are.
const CLIENTS: u64 = 4;
/// One client's time between two questions.
const PACE: Duration = Duration::from_millis(10);

/// What they ask, in turn.
const QUESTIONS: [&str; 4] = [
    r#"{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":["0x1111111111111111111111111111111111111111","latest"]}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["latest",false]}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"to":"0x1111111111111111111111111111111111111111","data":"0x70a08231"},"latest"]}"#,
];

/// How long each question waited for its answer, shortest first.
#[derive(Debug, Default)]
pub(crate) struct Waits(Vec<Duration>);

impl Waits {
    /// Adds others.
    pub(crate) fn add(&mut self, others: Self) {
        self.0.extend(others.0);
        self.0.sort_unstable();
    }

    /// The time within which so many of a hundred were answered.
    pub(crate) fn percentile(&self, of_100: usize) -> Duration {
        let last = self.0.len().saturating_sub(1);
        self.0.get(last * of_100 / 100).copied().unwrap_or_default()
    }
}

/// Asks for this long.
pub(crate) async fn ask_for(rpc: &str, lasts: Duration) -> Result<Waits> {
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let mut wire = Wire::open(rpc).await?;
        clients.spawn(async move {
            let begin = Instant::now() + PACE * u32::try_from(client)? / u32::try_from(CLIENTS)?;
            let mut pace = interval_at(begin, PACE);
            pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let mut waits = Vec::new();
            let mut free = begin;
            for question in QUESTIONS.iter().cycle() {
                let due = pace.tick().await;
                if due >= begin + lasts {
                    break;
                }
                // One who still waited when it should have asked, has waited since then: it does not ask less. That our
                // own clock was late is no wait.
                let asked = if due < free { due } else { Instant::now() };
                let (status, answer) = wire.ask(question.as_bytes()).await?;
                ensure!(
                    status == 200 && answer.contains(r#""result""#),
                    "an honest client got {status} {answer}"
                );
                waits.push(asked.elapsed());
                free = Instant::now();
            }
            anyhow::Ok(waits)
        });
    }
    let mut waits = Vec::new();
    while let Some(client) = clients.join_next().await {
        waits.extend(client??);
    }
    waits.sort_unstable();
    Ok(Waits(waits))
}

//! `cargo xtask scenario clients`: unmodified Ethereum clients against networks of several sizes.
//!
//! tests/clients/run.sh runs the clients and says what they showed; this starts a network for each size and adds up.

use super::{network::Network, print};
use crate::cargo;
use anyhow::{Context as _, Result};
use serde::Serialize;
use std::{
    fmt,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

/// Options.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Sizes of the networks, one after the other
    #[arg(
        long,
        value_name = "N,...",
        value_delimiter = ',',
        default_values_t = [1, 4],
        value_parser = clap::value_parser!(u16).range(1..=20)
    )]
    validators: Vec<u16>,
    /// Which clients [default: all]
    #[arg(value_name = "CLIENT")]
    clients: Vec<String>,
}

/// The results.
#[derive(Debug, Default, Serialize)]
struct Report {
    ok: bool,
    networks: Vec<Matrix>,
}

/// What the clients showed on one network.
#[derive(Debug, Default, Serialize)]
struct Matrix {
    ok: bool,
    validators: u16,
    clients: Vec<Client>,
}

/// What one client showed.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Client {
    name: String,
    passed: u64,
    failed: u64,
    /// The lines of checks that failed.
    failures: Vec<String>,
}

/// Runs it. Whether all checks of all clients passed on all networks.
pub(crate) fn run(args: &Args) -> Result<bool> {
    let program = cargo::product()?;
    let mut report = Report::default();
    for validators in &args.validators {
        eprintln!("=== validators: {validators}");
        report
            .networks
            .push(matrix(&program, *validators, &args.clients)?);
    }
    report.ok = report.networks.iter().all(|matrix| matrix.ok);
    print(&report, args.json)?;
    Ok(report.ok)
}

fn matrix(program: &Path, validators: u16, clients: &[String]) -> Result<Matrix> {
    let (mut network, status) = Network::start(program, validators)?;
    let validator = status
        .validators
        .first()
        .context("a network without validators")?;
    // The gateway's own account is another one; this one is the clients' alone.
    let account = status
        .accounts
        .first()
        .context("a network without accounts")?;
    let script = cargo::root().join("tests/clients/run.sh");
    let mut child = Command::new(&script)
        .args(clients)
        .env("ASHLAR_RPC", &validator.rpc)
        .env("ASHLAR_WS", validator.rpc.replacen("http", "ws", 1))
        .env("ASHLAR_KEY", &account.private_key)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", script.display()))?;
    let mut matrix = Matrix {
        validators,
        ..Matrix::default()
    };
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            eprintln!("{line}");
            matrix.note(&line);
        }
    }
    let ended = child.wait()?;
    matrix.ok = ended.success() && matrix.is_complete();
    network.stop()?;
    Ok(matrix)
}

impl Matrix {
    /// Reads a line of the script: `--- client`, a check, or `N passed, N failed`.
    fn note(&mut self, line: &str) {
        if let Some(name) = line.strip_prefix("--- ") {
            self.clients.push(Client {
                name: name.to_owned(),
                ..Client::default()
            });
            return;
        }
        let Some(client) = self.clients.last_mut() else {
            return;
        };
        if let Some((passed, failed)) = summary(line) {
            client.passed += passed;
            client.failed += failed;
        } else if line.starts_with("FAIL") {
            client.failures.push(line.to_owned());
        }
    }

    /// Whether there were clients, and each made checks that all passed.
    fn is_complete(&self) -> bool {
        !self.clients.is_empty()
            && self
                .clients
                .iter()
                .all(|client| client.passed > 0 && client.failed == 0)
    }
}

fn summary(line: &str) -> Option<(u64, u64)> {
    let (passed, failed) = line.trim().split_once(" passed, ")?;
    Some((
        passed.parse().ok()?,
        failed.strip_suffix(" failed")?.parse().ok()?,
    ))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut passed, mut failed) = (0, 0);
        for matrix in &self.networks {
            writeln!(f, "validators: {}", matrix.validators)?;
            for client in &matrix.clients {
                passed += client.passed;
                failed += client.failed;
                writeln!(
                    f,
                    "  {:<12} {} passed, {} failed",
                    client.name, client.passed, client.failed
                )?;
                for failure in &client.failures {
                    writeln!(f, "    {}", failure.trim())?;
                }
            }
        }
        let verdict = if self.ok {
            "all clients passed"
        } else {
            "FAILED"
        };
        write!(f, "{verdict}\n{passed} passed, {failed} failed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(lines: &[&str]) -> Matrix {
        let mut matrix = Matrix::default();
        lines.iter().for_each(|line| matrix.note(line));
        matrix
    }

    #[test]
    fn the_scripts_lines_are_understood() {
        let matrix = matrix(&[
            "--- cast",
            "ok chain id",
            "FAIL transfer: x",
            "12 passed, 1 failed",
        ]);
        let expected = Client {
            name: "cast".to_owned(),
            passed: 12,
            failed: 1,
            failures: vec!["FAIL transfer: x".to_owned()],
        };
        assert_eq!(matrix.clients, [expected]);
    }

    #[test]
    fn a_client_that_checked_nothing_did_not_pass() {
        assert!(matrix(&["--- cast", "2 passed, 0 failed"]).is_complete());
        assert!(!matrix(&["--- cast", "2 passed, 0 failed", "--- viem"]).is_complete());
        assert!(!matrix(&["--- cast", "2 passed, 1 failed"]).is_complete());
        assert!(!matrix(&[]).is_complete());
    }
}

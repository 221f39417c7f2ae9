//! A network in a directory of its own: one validator in one process, unless it is asked for more.

use alloy_primitives::U64;
use client::rpc::{Nodes, TIMEOUT_DEFAULT};
use rand::RngExt as _;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    fmt::Debug,
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

pub fn ashlar(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ashlar"));
    command.args(args).env("NO_COLOR", "1");
    command
}

/// Runs to the end; gives exit code and standard error.
pub fn said(command: &mut Command) -> (i32, String) {
    let Output { status, stderr, .. } = command.output().unwrap();
    (
        status.code().unwrap(),
        String::from_utf8(stderr).unwrap().trim().to_owned(),
    )
}

/// Runs to the end; gives standard output, or standard error if it fails.
pub fn run(command: &mut Command) -> Result<String, String> {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap().trim().to_owned();
    if status.success() {
        Ok(text(stdout))
    } else {
        assert_eq!(status.code(), Some(1), "{}", text(stderr.clone()));
        Err(text(stderr))
    }
}

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `look` finds what it looks for, and gives that. What it saw instead is said when it has taken too long.
pub async fn until<T, E: Debug>(mut look: impl AsyncFnMut() -> Result<T, E>) -> T {
    let deadline = Instant::now() + PATIENCE;
    // Again and again, but not so often that what it waits for gets no processor.
    let mut again = tokio::time::interval(Duration::from_millis(50));
    loop {
        again.tick().await;
        match look().await {
            Ok(found) => return found,
            Err(instead) => assert!(Instant::now() < deadline, "{instead:?}"),
        }
    }
}

/// A node or a gateway in a process that ends with the test.
pub struct Service(Child);

impl Service {
    /// `ashlar node` or `ashlar gateway` with this configuration.
    pub fn start(command: &str, config: &Path) -> Self {
        let mut command = ashlar(&[command, "--config"]);
        command
            .arg(config)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub struct Network {
    home: TempDir,
    pub status: Value,
    up: Option<Child>,
}

impl Network {
    pub fn start() -> Self {
        Self::start_with(&["--validators", "1"])
    }

    /// Waits until every validator has the newest block that one of them has now: who asks two of them one after the other
    /// may find the second behind.
    pub async fn level(&self) {
        let validators = self.status["validators"].as_array().unwrap().iter();
        let urls = validators.map(|validator| validator["rpc"].as_str().unwrap().to_owned());
        let nodes: Vec<_> = urls
            .map(|url| Nodes::new(&[url], TIMEOUT_DEFAULT).unwrap())
            .collect();
        let heights = async || {
            let mut heights = Vec::new();
            for node in &nodes {
                heights.push(node.call::<U64>("eth_blockNumber", [(); 0]).await.unwrap());
            }
            heights
        };
        let goal = heights().await.into_iter().max().unwrap();
        until(async || {
            let heights = heights().await;
            if heights.iter().all(|height| *height >= goal) {
                Ok(())
            } else {
                Err(heights)
            }
        })
        .await;
    }

    /// As `ashlar up` makes it with these arguments.
    pub fn start_with(args: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        // Others test at the same time: draw ports until they are free.
        for _ in 0..20 {
            let base: u16 = rand::rng().random_range(20_000..30_000);
            let mut up = ashlar(&["up", "--json"])
                .args(args)
                .args(["--port-base", &base.to_string()])
                .arg("--dir")
                .arg(home.path())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut line = String::new();
            let stdout = up.stdout.take().unwrap();
            BufReader::new(stdout).read_line(&mut line).unwrap();
            if let Ok(status) = serde_json::from_str(&line) {
                return Self {
                    home,
                    status,
                    up: Some(up),
                };
            }
            up.wait().unwrap();
            fs::remove_dir_all(home.path()).unwrap();
        }
        panic!("no network started");
    }

    pub fn dir(&self) -> &str {
        self.home.path().to_str().unwrap()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub fn stop(&mut self) {
        let Some(mut up) = self.up.take() else { return };
        let pid = Pid::from_raw(i32::try_from(up.id()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        assert!(up.wait().unwrap().success());
    }

    pub fn node(&self) -> (i32, String) {
        said(ashlar(&["node", "--config"]).arg(self.path("validators/0/node.toml")))
    }

    pub fn gateway(&self) -> (i32, String) {
        said(ashlar(&["gateway", "--config"]).arg(self.path("gateway/gateway.toml")))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some(mut up) = self.up.take() {
            let _ = up.kill();
            let _ = up.wait();
        }
    }
}

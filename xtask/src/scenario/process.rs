//! Processes of the product that a scenario starts one by one, as their operators do.

use super::network::pid;
use anyhow::{Context as _, Result, ensure};
use rustix::process::{Signal, kill_process};
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
};

/// Runs a program to its end.
pub(crate) fn output(program: &Path, arguments: &[&str]) -> Result<Output> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    output.with_context(|| format!("cannot run {}", program.display()))
}

/// Runs a program that succeeds. Gives what it printed.
///
/// # Errors
/// What it said on standard error, if it failed.
pub(crate) fn run(program: &Path, arguments: &[&str]) -> Result<String> {
    let output = output(program, arguments)?;
    ensure!(
        output.status.success(),
        "{} {} failed: {}",
        program.display(),
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// A running node or gateway. Dropping it kills it, and it ends when we do.
#[derive(Debug)]
pub(crate) struct Service {
    child: Child,
}

impl Service {
    /// Starts the node whose `node.toml` is in a directory. What it says is added to its [`log`].
    pub(crate) fn node(program: &Path, dir: &Path) -> Result<Self> {
        Self::start(program, "node", &dir.join("node.toml"), &log(dir))
    }

    /// Starts the gateway whose `gateway.toml` is in a directory. What it says is added to its [`log`].
    pub(crate) fn gateway(program: &Path, dir: &Path) -> Result<Self> {
        Self::start(program, "gateway", &dir.join("gateway.toml"), &log(dir))
    }

    fn start(program: &Path, command: &str, config: &Path, log: &Path) -> Result<Self> {
        let log = File::options().create(true).append(true).open(log)?;
        let child = Command::new(program)
            .args([command, "--stop-with-parent", "--config"])
            .arg(config)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot run {}", program.display()))?;
        Ok(Self { child })
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Stops it as its operator does, and expects it to obey.
    pub(crate) fn stop(mut self) -> Result<()> {
        kill_process(pid(self.id())?, Signal::TERM)?;
        let ended = self.child.wait()?;
        ensure!(ended.success(), "it ended with {ended}");
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where a service with this directory says what it does: beside the directory, which must be empty when it is made.
pub(crate) fn log(dir: &Path) -> PathBuf {
    dir.with_extension("log")
}

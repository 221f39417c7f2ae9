//! The node that commands for people ask.

use crate::cli::RpcArgs;
use anyhow::Result;
use client::rpc::Nodes;
use std::time::Duration;

/// How long a node may take for one answer: longer than a transaction is waited for.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Runs a command that asks the node it was given.
pub fn ask(args: &RpcArgs, command: impl AsyncFnOnce(&Nodes) -> Result<()>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let nodes = Nodes::new(std::slice::from_ref(&args.rpc), TIMEOUT)?;
        command(&nodes).await
    })
}

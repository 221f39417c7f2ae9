//! `ashlar member`: who the members are, and what their nodes do.

use crate::{
    ask::ask,
    cli::{MemberArgs, MemberCommand, NodeRole, SignerArgs},
    wallet::Wallet,
};
use alloy_primitives::B256;
use anyhow::Result;
use client::{members::Members, rpc::Nodes};
use contracts::{SystemContract, abi::IMembers};

/// `ashlar member`.
pub fn member(args: &MemberArgs) -> Result<()> {
    ask(&args.node, async |nodes| match &args.command {
        MemberCommand::List { json } => list(nodes, *json).await,
        MemberCommand::SetNode { key, role, signer } => set_node(nodes, signer, *key, *role).await,
    })
}

async fn set_node(nodes: &Nodes, signer: &SignerArgs, key: B256, role: NodeRole) -> Result<()> {
    let call = IMembers::setNodeCall {
        key,
        role: role as u8,
    };
    let wallet = Wallet::open(signer)?;
    wallet.send(nodes, SystemContract::Members, &call).await?;
    list(nodes, false).await
}

async fn list(nodes: &Nodes, json: bool) -> Result<()> {
    let members = Members::read(nodes).await?;
    if json {
        println!("{}", serde_json::to_string(&members)?);
        return Ok(());
    }
    for organization in &members.organizations {
        let validators = organization
            .nodes
            .iter()
            .filter(|node| node.role == "validator");
        println!(
            "{} ({}), {}: {} of {} validators",
            organization.name.escape_debug(),
            organization.id,
            organization.status,
            validators.count(),
            organization.validator_limit,
        );
        for node in &organization.nodes {
            println!("  {}  {:<9}  {}", node.key, node.role, node.signs);
        }
    }
    let signing = &members.signing;
    println!(
        "epoch {}, blocks {} to {}: {} sign, {} must; a change now would sign from epoch {} on, block {}",
        signing.epoch,
        signing.first_block,
        signing.last_block,
        signing.validators,
        signing.quorum,
        signing.changes_from.epoch,
        signing.changes_from.block,
    );
    Ok(())
}

//! `ashlar member`: who the members are, and what their nodes do.

use crate::{
    ask::ask,
    cli::{MemberArgs, MemberCommand, NodeRole, Permission, SignerArgs},
    wallet::Wallet,
};
use alloy_primitives::{Address, B256};
use anyhow::Result;
use client::{members::Members, rpc::Nodes, stake::Stake};
use contracts::{SystemContract, abi::IMembers, member::Permissions};

/// `ashlar member`.
pub fn member(args: &MemberArgs) -> Result<()> {
    ask(&args.node, async |nodes| match &args.command {
        MemberCommand::List { json } => list(nodes, *json).await,
        MemberCommand::SetNode { key, role, signer } => set_node(nodes, signer, *key, *role).await,
        MemberCommand::SetAccount {
            account,
            permissions,
            signer,
        } => set_account(nodes, signer, *account, permissions).await,
    })
}

async fn set_node(nodes: &Nodes, signer: &SignerArgs, key: B256, role: NodeRole) -> Result<()> {
    let call = IMembers::setNodeCall {
        key,
        role: role as u8,
    };
    let wallet = Wallet::open(signer)?;
    wallet.send(nodes, SystemContract::Members, &call).await?;
    list(nodes, false).await?;
    if role == NodeRole::Validator && Stake::read(nodes).await?.bonded {
        eprintln!(
            "This network's validators are chosen by bond: it validates when it has one of the highest, and not because of this. See ashlar stake --help"
        );
    }
    Ok(())
}

async fn set_account(
    nodes: &Nodes,
    signer: &SignerArgs,
    account: Address,
    permissions: &[Permission],
) -> Result<()> {
    let granted = |permission: &Permission| match permission {
        Permission::Transact => Permissions::TRANSACT,
        Permission::Deploy => Permissions::DEPLOY,
        Permission::Administer => Permissions::ADMINISTER,
    };
    let all = permissions.iter().map(granted);
    let all = all.fold(Permissions::default(), Permissions::and);
    let call = IMembers::setAccountCall {
        account,
        permissions: all.bits(),
    };
    let wallet = Wallet::open(signer)?;
    wallet.send(nodes, SystemContract::Members, &call).await?;
    let may: Vec<_> = permissions
        .iter()
        .map(|permission| format!("{permission:?}").to_lowercase())
        .collect();
    if may.is_empty() {
        println!("{account} belongs to the organization no more");
    } else {
        println!("{account} may {}", may.join(", "));
    }
    Ok(())
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

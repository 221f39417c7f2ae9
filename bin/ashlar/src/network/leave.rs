//! `ashlar network leave`: how a node goes.

use super::{is_bonded, signed};
use crate::{
    ask::ask,
    cli::{LeaveArgs, NodeRole, RpcArgs},
    node::{NodeConfig, read_key, read_spec},
    wallet::Wallet,
};
use alloy_primitives::B256;
use anyhow::{Result, ensure};
use client::{
    members::Members,
    node::{Committee, VALIDATORS},
    rpc::Nodes,
};
use commonware_cryptography::{Signer as _, ed25519};
use contracts::{SystemContract, abi::IMembers};
use std::time::Duration;

/// How often it is looked whether the node still signs.
const LOOK: Duration = Duration::from_secs(1);

/// `ashlar network leave`.
pub(super) fn leave(args: &LeaveArgs) -> Result<()> {
    let config = NodeConfig::read(&args.config)?;
    let bonded = is_bonded(&read_spec(&config.chain_spec)?);
    let key: ed25519::PrivateKey = read_key(&config.network_key)?;
    let node = signed::key(&key.public_key());
    let rpc = format!("http://{}", config.rpc.listen);
    ask(&RpcArgs { rpc }, async |nodes| {
        let committee = committee(nodes).await?;
        ensure!(
            !bonded || !committee.elected.contains(&node),
            "validators are chosen by bond here, and this node has one of the highest: ashlar stake unbond {node} --key-file FILE, then this again"
        );
        let members = Members::read(nodes).await?;
        let mut all = members.organizations.iter();
        let owner = all.find(|each| each.nodes.iter().any(|its| its.key == node));
        ensure!(
            owner.is_some() || signing(&committee, node).is_some(),
            "no organization has the node {node}, and it does not sign: it can be stopped"
        );
        if let Some(owner) = owner {
            let call = IMembers::setNodeCall {
                key: node,
                role: NodeRole::None as u8,
            };
            let wallet = Wallet::open(&args.signer)?;
            wallet.send(nodes, SystemContract::Members, &call).await?;
            eprintln!("{node} is no node of {:?} any more", owner.name);
        }
        stay(nodes, node, args.no_wait).await
    })
}

/// Waits until the node signs no more, and says how far that is.
async fn stay(nodes: &Nodes, node: B256, no_wait: bool) -> Result<()> {
    let mut said = None;
    while let Some(until) = signing(&committee(nodes).await?, node) {
        if said.as_ref() != Some(&until) {
            eprintln!("It must go on running: {until}");
            said = Some(until);
        }
        if no_wait {
            eprintln!("This again tells when it can be stopped.");
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
    println!("{node}");
    eprintln!("It does not sign: it can be stopped, and its directory removed.");
    Ok(())
}

/// Until when a node signs, as far as that is known; none if it does not and will not.
fn signing(committee: &Committee, node: B256) -> Option<String> {
    let epoch: u64 = committee.epoch.to();
    let signs = |epoch| format!("it signs until the end of epoch {epoch}");
    if committee.elected.contains(&node) {
        Some("it signs, until the change is announced in the middle of an epoch".to_owned())
    } else if committee.after_next.contains(&node) {
        Some(signs(epoch + 2))
    } else if committee.next.contains(&node) {
        Some(signs(epoch + 1))
    } else {
        let now = committee.validators.iter();
        let now = now.map(|each| each.public_key).any(|key| key == node);
        now.then(|| signs(epoch))
    }
}

async fn committee(nodes: &Nodes) -> Result<Committee> {
    Ok(nodes.call(VALIDATORS, [(); 0]).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::U64;
    use client::node::Validator;

    #[test]
    fn whoever_was_announced_signs_until_another_was() {
        let [node, other] = [1, 2].map(B256::repeat_byte);
        let committee = |now: B256, next, after_next, elected| Committee {
            epoch: U64::from(7),
            first_block: U64::from(700),
            last_block: U64::from(799),
            quorum: U64::ONE,
            validators: vec![Validator {
                index: U64::ZERO,
                public_key: now,
            }],
            next: vec![next],
            after_next: vec![after_next],
            elected: vec![elected],
            changes_sign_from: U64::from(10),
        };
        let said = |committee| signing(&committee, node).unwrap_or_default();
        assert!(said(committee(node, node, node, node)).contains("announced"));
        assert!(said(committee(node, node, node, other)).ends_with("epoch 9"));
        // It came in and goes at once: it signs in between.
        assert!(said(committee(other, other, node, other)).ends_with("epoch 9"));
        assert!(said(committee(node, node, other, other)).ends_with("epoch 8"));
        assert!(said(committee(node, other, other, other)).ends_with("epoch 7"));
        assert_eq!(said(committee(other, other, other, other)), "");
    }
}

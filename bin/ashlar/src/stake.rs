//! `ashlar stake`: who validates by bond.

use crate::{
    ask::ask,
    cli::{SignerArgs, StakeArgs, StakeCommand},
    shown::{span, time},
    wallet::Wallet,
};
use alloy_primitives::{B256, U256, utils::format_ether};
use anyhow::{Context as _, Result, ensure};
use client::{
    rpc::Nodes,
    stake::{Candidate, Stake},
};
use commonware_codec::{Copying, DecodeExt as _};
use contracts::{SystemContract, abi::IStake};

use types::PublicKey;

/// `ashlar stake`.
pub fn stake(args: &StakeArgs) -> Result<()> {
    ask(&args.node, async |nodes| match &args.command {
        StakeCommand::Show { json } => show(nodes, *json).await,
        StakeCommand::Bond {
            key,
            amount,
            signer,
        } => bond(nodes, signer, *key, *amount).await,
        StakeCommand::Unbond {
            key,
            amount,
            signer,
        } => unbond(nodes, signer, *key, *amount).await,
        StakeCommand::Withdraw { signer } => withdraw(nodes, signer).await,
    })
}

/// What can be read of bonds, if this network has any.
async fn bonds(nodes: &Nodes) -> Result<Stake> {
    let stake = Stake::read(nodes).await?;
    ensure!(
        stake.bonded,
        "this network's validators are chosen by its members, which was decided at its genesis: see ashlar member list, and ashlar member set-node"
    );
    Ok(stake)
}

async fn bond(nodes: &Nodes, signer: &SignerArgs, key: B256, amount: U256) -> Result<()> {
    bonds(nodes).await?;
    ensure!(
        is_key(&key),
        "{key} is no ed25519 public key, so it could never validate: take the one that ashlar network join printed, or ashlar doctor prints"
    );
    let wallet = Wallet::open(signer)?;
    let call = IStake::bondCall { key };
    wallet
        .pay(nodes, SystemContract::Stake, amount, &call)
        .await?;
    show(nodes, false).await
}

async fn unbond(nodes: &Nodes, signer: &SignerArgs, key: B256, amount: Option<U256>) -> Result<()> {
    bonds(nodes).await?;
    let wallet = Wallet::open(signer)?;
    let amount = match amount {
        Some(amount) => amount,
        // Of an unknown candidate nothing, which the contract refuses in its words.
        None => Stake::bond_of(nodes, key).await?,
    };
    let call = IStake::unbondCall { key, amount };
    wallet.send(nodes, SystemContract::Stake, &call).await?;
    let held = Stake::unbonding_of(nodes, wallet.address()).await?;
    println!(
        "{} can be withdrawn from {} on",
        ether(held.amount),
        time(held.released_at)
    );
    show(nodes, false).await
}

async fn withdraw(nodes: &Nodes, signer: &SignerArgs) -> Result<()> {
    bonds(nodes).await?;
    let wallet = Wallet::open(signer)?;
    let held = Stake::unbonding_of(nodes, wallet.address()).await?;
    let call = IStake::withdrawCall {};
    let sent = wallet.send(nodes, SystemContract::Stake, &call).await;
    sent.with_context(|| match held.released_at {
        0 => "nothing to withdraw: unbond first, with ashlar stake unbond".to_owned(),
        at => format!(
            "{} cannot be withdrawn before {}",
            ether(held.amount),
            time(at)
        ),
    })?;
    println!("withdrew {} to {}", ether(held.amount), wallet.address());
    Ok(())
}

async fn show(nodes: &Nodes, json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string(&Stake::read(nodes).await?)?);
        return Ok(());
    }
    let stake = bonds(nodes).await?;
    println!(
        "{} seats; a validator bonds at least {}; what is unbonded is held for {}",
        stake.seats,
        ether(stake.minimum),
        span(stake.unbonding_period)
    );
    for candidate in &stake.candidates {
        println!("{}", line(candidate));
    }
    println!(
        "{} in {} bonds, {} unbonded; a change now would sign from epoch {} on, block {}",
        ether(stake.bonded_total),
        stake.candidates.len(),
        ether(stake.unbonding_total),
        stake.changes_from.epoch,
        stake.changes_from.block
    );
    Ok(())
}

fn line(candidate: &Candidate) -> String {
    let Candidate {
        key, owner, bond, ..
    } = candidate;
    let stands = match (candidate.elected, is_key(key)) {
        (true, _) => "seat   ",
        (false, true) => "no seat",
        (false, false) => "no key ",
    };
    let (bond, signs) = (ether(*bond), &candidate.signs);
    format!("  {key}  {stands}  {bond:>16}  of {owner}  {signs}")
}

fn is_key(key: &B256) -> bool {
    PublicKey::decode(Copying(key.as_slice())).is_ok()
}

/// As people read it: without zeros at its end.
fn ether(wei: U256) -> String {
    let text = format_ether(wei);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text} ether")
}

#[cfg(test)]
mod tests {
    use super::ether;
    use alloy_primitives::U256;

    #[test]
    fn amounts_are_short() {
        let wei = |wei: u128| ether(U256::from(wei));
        assert_eq!(wei(0), "0 ether");
        assert_eq!(wei(1), "0.000000000000000001 ether");
        assert_eq!(wei(1_500_000_000_000_000_000), "1.5 ether");
        assert_eq!(wei(10_000_000_000_000_000_000), "10 ether");
    }
}

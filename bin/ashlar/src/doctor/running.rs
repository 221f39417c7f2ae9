//! A running node: what it says of itself and of its network.

use super::finding::{Report, Verdict};
use alloy_primitives::{B256, FixedBytes, U64};
use client::{
    members::Members,
    node::{self, Health, HealthState, Identity, Upgrades, UpstreamHealth},
    rpc::{Nodes, RpcError},
    stake::Stake,
    succession::Ending,
};
use serde::Deserialize;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use types::ChainSpec;

/// Nodes refuse one another when their clocks are further apart.
const CLOCK_APART_MAX: Duration = Duration::from_secs(5);

/// Asks a node. `spec` is what its configuration says of the network, `process` who has its directory, as far as that is known.
pub async fn examine(
    nodes: &Nodes,
    url: &str,
    spec: Option<&ChainSpec>,
    process: Option<&str>,
    report: &mut Report,
) {
    let identity = match nodes.identity().await {
        Ok(identity) => identity,
        Err(error) => return unreachable(&error, url, process, report),
    };
    report.ok(
        "JSON-RPC",
        format!("{} answers at {url}", identity.client_version),
    );
    network(&identity, spec, report);
    let health: Health = match nodes.call(node::HEALTH, [(); 0]).await {
        Ok(health) => health,
        Err(error) => {
            report.add("finality", Verdict::Unknown, error.to_string(), None);
            return;
        }
    };
    finality(&health, report);
    if let Some(followed) = &health.upstreams {
        upstreams(followed, report);
    }
    if health.state == HealthState::Syncing {
        return;
    }
    if health.upstreams.is_some() {
        if health.state == HealthState::Finalizing {
            clock(nodes, &health, report).await;
        }
        blocks(nodes, report).await;
        upgrades(nodes, report).await;
        ending(nodes, report).await;
        return;
    }
    validators(&health, report);
    role(&health, report);
    if health.state == HealthState::Finalizing {
        clock(nodes, &health, report).await;
    }
    member(nodes, &health, report).await;
    peers(nodes, &health, report).await;
    blocks(nodes, report).await;
    upgrades(nodes, report).await;
    ending(nodes, report).await;
}

fn unreachable(error: &RpcError, url: &str, process: Option<&str>, report: &mut Report) {
    match process {
        Some(process) => report.problem(
            "JSON-RPC",
            format!("process {process} does not answer at {url}: {error}"),
            "see its log: it starts, or it waits for the founders to name the latest block, or it hangs",
        ),
        None => report.add(
            "JSON-RPC",
            Verdict::Unknown,
            format!("no node answers at {url}: {error}"),
            Some("if it should run on this machine, look at its files: ashlar doctor --dir DIR"),
        ),
    }
}

fn network(identity: &Identity, spec: Option<&ChainSpec>, report: &mut Report) {
    let said = format!(
        "chain id {}, identity {}…",
        identity.chain_id.to::<u64>(),
        short(&identity.identity)
    );
    let Some((spec, committee)) = spec.and_then(|spec| Some((spec, spec.committee().ok()?))) else {
        report.ok("network", said);
        return;
    };
    let ours = FixedBytes::<96>::from(committee.identity());
    if identity.identity == ours && identity.chain_id.to::<u64>() == spec.chain_id {
        report.ok("network", format!("{said}, as in the chain spec"));
    } else {
        report.problem(
            "network",
            format!(
                "{said}: the chain spec is of another network, chain id {}, identity {}…",
                spec.chain_id,
                short(&ours)
            ),
            "another node answers at rpc.listen, or the chain spec was changed while this one ran",
        );
    }
}

fn finality(health: &Health, report: &mut Report) {
    let height: u64 = health.height.to();
    let seconds = Duration::from_millis(health.without_block_ms.to()).as_secs_f64();
    let explanation = health.explanation.as_deref().unwrap_or_default();
    match health.state {
        HealthState::Finalizing => report.ok(
            "finality",
            format!("block {height} became final {seconds:.1} s ago"),
        ),
        HealthState::Stalled => report.problem(
            "finality",
            format!("stalled at block {height}: {explanation}"),
            match health.upstreams {
                Some(_) => "see to the upstreams below: this node goes on by itself when blocks come",
                None => "nothing has to be done on this node: what it accepted waits. Bring the validators back that are not reachable",
            },
        ),
        HealthState::Syncing => report.warning("finality", explanation, "eth_syncing says how far it is"),
        HealthState::Outdated => report.problem(
            "finality",
            explanation,
            "install a newer program, and start it on the same data directory (docs/upgrades.md)",
        ),
    }
}

fn validators(health: &Health, report: &mut Report) {
    let (all, reachable) = (health.validators.len() as u64, health.reachable.to::<u64>());
    let quorum: u64 = health.quorum.to();
    if all == 0 {
        let said = "the node does not know yet who validates";
        report.add(
            "validators",
            Verdict::Unknown,
            said,
            Some("it has just started: ask again"),
        );
        return;
    }
    let said = format!(
        "{reachable} of {all} reachable, {quorum} needed, in epoch {}",
        health.epoch.to::<u64>()
    );
    let away = health.validators.iter().filter(|each| !each.reachable);
    let away: Vec<_> = away
        .map(|each| match &each.organization {
            Some(name) => format!("{} ({})", name.escape_debug(), each.public_key),
            None => each.public_key.to_string(),
        })
        .collect();
    if away.is_empty() {
        report.ok("validators", said);
        return;
    }
    let said = format!("{said}; not reachable: {}", away.join(", "));
    let next =
        "ask their operators whether they run (ashlar doctor there), and try the network to them";
    if reachable < quorum {
        report.problem("validators", said, next);
    } else if reachable == quorum {
        let said = format!("{said}. If one more goes, no block becomes final");
        report.warning("validators", said, next);
    } else {
        report.warning("validators", said, next);
    }
}

fn role(health: &Health, report: &mut Report) {
    match (health.validates, health.has_share) {
        (true, true) if health.may_sign => report.ok("role", "it validates in this epoch"),
        // With fewer than that nobody is granted anything, which is said above.
        (true, true) if health.reachable < health.quorum => {
            report.ok("role", "it validates in this epoch, when enough others are reachable");
        }
        (true, true) => report.problem(
            "role",
            "it validates in this epoch, but holds its votes back: too few of the others grant it its key",
            "see whether another process runs with this node's key, and stop the copy (docs/backup.md); after a crash wait two seconds",
        ),
        (true, false) => report.warning(
            "role",
            "it validates in this epoch, but has no share of the network's key, and cannot vote",
            "it gets another share by itself, in one of the next epochs (docs/epochs.md)",
        ),
        (false, _) => report.ok(
            "role",
            "it follows the chain, and does not validate in this epoch",
        ),
    }
}

/// Whom a follower takes blocks from. It has no part in the network besides.
fn upstreams(upstreams: &[UpstreamHealth], report: &mut Report) {
    report.ok(
        "role",
        "it is a follower: it takes certified blocks from upstreams, has no key, and is no member's node",
    );
    let useless = upstreams.iter().filter_map(|each| {
        let complaint = each.complaint.as_ref()?;
        Some(format!("{}: {complaint}", each.name))
    });
    let useless: Vec<_> = useless.collect();
    let silent = upstreams
        .iter()
        .filter(|each| each.complaint.is_none() && each.height.is_none());
    let answering = upstreams.len() - useless.len() - silent.count();
    let said = format!("{answering} of {} answer", upstreams.len());
    let said = [vec![said], useless].concat().join("; ");
    let next = "see whether they run and the network to them; --upstream names others";
    if answering == 0 {
        report.problem("upstreams", said, next);
    } else if answering == 1 {
        let said = format!("{said}. One alone can hold back what is new");
        let next = "give it another with --upstream, of another organization if you can";
        report.warning("upstreams", said, next);
    } else if answering < upstreams.len() {
        report.warning("upstreams", said, next);
    } else {
        report.ok("upstreams", said);
    }
}

/// Holds this machine's clock against that of whoever made the last block.
async fn clock(nodes: &Nodes, health: &Health, report: &mut Report) {
    #[derive(Deserialize)]
    struct Block {
        timestamp: U64,
        number: U64,
    }
    let Ok(block) = nodes
        .call::<Block>("eth_getBlockByNumber", ("latest", false))
        .await
    else {
        return;
    };
    let now = SystemTime::now();
    let made = UNIX_EPOCH + Duration::from_secs(block.timestamp.to());
    // It may have become final since it was said how long ago the last one did, and seconds are whole.
    let since = Duration::from_millis(health.without_block_ms.to());
    let waited = if block.number == health.height {
        since
    } else {
        Duration::ZERO
    };
    let late = now.duration_since(made + waited).unwrap_or_default();
    let early = made.duration_since(now).unwrap_or_default();
    let apart = late.max(early);
    if apart > CLOCK_APART_MAX {
        let direction = if late > early { "ahead of" } else { "behind" };
        report.warning(
            "clock",
            format!(
                "this machine's clock is {} s {direction} that of the network",
                apart.as_secs()
            ),
            "set it, and keep it by NTP: nodes refuse one another when their clocks are 5 s apart",
        );
    }
}

/// Whether the network lets this node in.
async fn member(nodes: &Nodes, health: &Health, report: &mut Report) {
    let members = match Members::read(nodes).await {
        Ok(members) => members,
        Err(error) => {
            report.add("membership", Verdict::Unknown, error.to_string(), None);
            return;
        }
    };
    let Some(node) = health.node else {
        return;
    };
    let of = members.organizations.iter().find_map(|organization| {
        let own = organization.nodes.iter().find(|own| own.key == node)?;
        Some((organization, own))
    });
    match of {
        Some((organization, own)) => report.ok(
            "membership",
            format!(
                "{} of {} ({}): {}",
                own.role,
                organization.name.escape_debug(),
                organization.status,
                own.signs
            ),
        ),
        None => stranger(nodes, node, report).await,
    }
}

/// Whether the network lets a node in that no member has registered: one that is bonded on.
async fn stranger(nodes: &Nodes, node: B256, report: &mut Report) {
    let stake = match Stake::read(nodes).await {
        Ok(stake) => stake,
        Err(error) => {
            report.add("membership", Verdict::Unknown, error.to_string(), None);
            return;
        }
    };
    let candidates = stake.candidates.len();
    let mut ranked = stake.candidates.iter().zip(1_usize..);
    match ranked.find(|(candidate, _)| candidate.key == node) {
        Some((candidate, rank)) => report.ok(
            "membership",
            format!(
                "candidate of {}, number {rank} of {candidates} by bond: {}",
                candidate.owner, candidate.signs
            ),
        ),
        None => report.warning(
            "membership",
            format!("no member has registered this node, {node}: other nodes do not let it in, but those that name it"),
            if stake.bonded {
                "bond on it: ashlar stake bond KEY AMOUNT; or have an administrator register it: ashlar member set-node KEY observer"
            } else {
                "have an administrator register it: ashlar member set-node KEY observer"
            },
        ),
    }
}

async fn peers(nodes: &Nodes, health: &Health, report: &mut Report) {
    let Ok(count) = nodes.call::<U64>("net_peerCount", [(); 0]).await else {
        return;
    };
    let count: u64 = count.to();
    let alone = health.validators.len() == 1 && health.validates;
    if count == 0 && !alone {
        report.problem(
            "peers",
            "it speaks with no other node",
            "see p2p.peers in its configuration, and whether it is registered (ashlar member list)",
        );
    } else {
        report.ok(
            "peers",
            format!("it speaks with {count} other nodes, up or not"),
        );
    }
}

/// Which blocks it has.
async fn blocks(nodes: &Nodes, report: &mut Report) {
    #[derive(Deserialize)]
    struct Capabilities {
        blocks: Kept,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Kept {
        oldest_block: Option<U64>,
    }
    let Capabilities { blocks } = match nodes.call("eth_capabilities", [(); 0]).await {
        Ok(capabilities) => capabilities,
        Err(error) => {
            let finding = format!("it does not say which blocks it has: {error}");
            let next = Some("a node that has just started knows in a moment: ask again");
            return report.add("blocks", Verdict::Unknown, finding, next);
        }
    };
    if let Some(first) = blocks.oldest_block {
        report.ok(
            "blocks",
            format!("it has all from block {} on", first.to::<u64>()),
        );
    }
}

async fn upgrades(nodes: &Nodes, report: &mut Report) {
    let Ok(upgrades) = nodes.call::<Upgrades>(node::UPGRADES, [(); 0]).await else {
        return;
    };
    match upgrades.stops_before {
        Some(height) => report.warning(
            "upgrades",
            format!(
                "this node will stop before block {}: its program does not know the rules that hold from then on",
                height.to::<u64>()
            ),
            "install a newer program before, and start it on the same data directory (docs/upgrades.md)",
        ),
        None => report.ok(
            "upgrades",
            format!("its program knows all that is decided; the rules are those of {}", upgrades.fork),
        ),
    }
}

async fn ending(nodes: &Nodes, report: &mut Report) {
    let Ok(ending) = Ending::read(nodes).await else {
        return;
    };
    match (ending.successor, ending.closed_at) {
        (Some(successor), _) => report.warning(
            "succession",
            format!(
                "this network has come to its end: the one with identity {} (chain id {}) goes on",
                successor.identity, successor.chain_id
            ),
            "use a node of that one. The proof for those who trust this one's identity: ashlar network succession --rpc URL",
        ),
        (None, Some(height)) => report.warning(
            "succession",
            format!("this network is closed since its block {height}: it executes nothing but governing"),
            "found it anew with its state and name the successor, or vote to reopen it: ashlar gov propose reopen-network (docs/succession.md)",
        ),
        (None, None) => {}
    }
}

fn short(identity: &FixedBytes<96>) -> String {
    identity.to_string().chars().take(18).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use client::node::ValidatorHealth;

    fn health(reachable: [bool; 4]) -> Health {
        let validators = reachable.into_iter().zip(1_u8..);
        Health {
            state: HealthState::Finalizing,
            height: U64::from(7),
            without_block_ms: U64::from(900),
            epoch: U64::ZERO,
            quorum: U64::from(3),
            reachable: U64::from(reachable.into_iter().filter(|reachable| *reachable).count()),
            validators: validators
                .map(|(reachable, index)| ValidatorHealth {
                    public_key: B256::repeat_byte(index),
                    organization: Some(format!("org-{index}")),
                    reachable,
                })
                .collect(),
            node: Some(B256::repeat_byte(1)),
            validates: true,
            has_share: true,
            may_sign: true,
            explanation: None,
            upstreams: None,
        }
    }

    #[test]
    fn one_away_is_a_warning_and_two_are_a_problem() {
        let said = |reachable| {
            let mut report = Report::default();
            validators(&health(reachable), &mut report);
            (report.exit_code(), report.to_string())
        };
        let (code, text) = said([true; 4]);
        assert!(code == 0 && text.starts_with("ok "), "{text}");
        let (code, text) = said([true, true, true, false]);
        assert!(code == 0 && text.starts_with("warning "), "{text}");
        assert!(
            text.contains("If one more goes, no block becomes final"),
            "{text}"
        );
        assert!(text.contains("not reachable: org-4 (0x0404"), "{text}");
        let (code, text) = said([true, true, false, false]);
        assert!(
            code == 1 && text.contains("org-3 (") && text.contains("org-4 ("),
            "{text}"
        );
    }
}

//! With whom nodes speak.

use crate::network::{Network, Service, ashlar, said, until};
use alloy_primitives::U64;
use client::{
    node::{self, Health, HealthState},
    rpc::{Nodes, TIMEOUT_DEFAULT},
};
use serde_json::Value;
use std::{fs, path::PathBuf};

fn config(network: &Network, index: usize) -> PathBuf {
    network.path(&format!("validators/{index}/node.toml"))
}

/// Has a node speak with none of these.
fn block(network: &Network, index: usize, keys: &[String]) {
    let file = config(network, index);
    let mut table: toml::Table = toml::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    table["p2p"]["blocked"] = keys.to_vec().into();
    fs::write(&file, table.to_string()).unwrap();
}

#[tokio::test]
async fn a_blocked_node_is_left_alone_until_it_is_allowed_again() {
    let mut network = Network::start_with(&["--validators", "4"]);
    let validators: Vec<Value> = network.status["validators"].as_array().unwrap().clone();
    let rpc = |index: usize| {
        let url = validators[index]["rpc"].as_str().unwrap().to_owned();
        Nodes::new(&[url], TIMEOUT_DEFAULT).unwrap()
    };
    let health = async |index: usize| rpc(index).call::<Health>(node::HEALTH, [(); 0]).await;
    let well = async |index: usize| {
        until(async || match health(index).await {
            Ok(health) if health.reachable == U64::from(4) => Ok(health),
            other => Err(other),
        })
        .await
    };
    let outcast = well(3).await.node.unwrap();
    network.stop();

    for index in 0..3 {
        block(&network, index, &[outcast.to_string()]);
    }
    let start = |index| Service::start("node", &config(&network, index));
    let mut running: Vec<_> = (0..4).map(start).collect();
    let alone = until(async || match health(3).await {
        Ok(health) if health.state == HealthState::Stalled => Ok(health),
        other => Err(other),
    })
    .await;
    assert_eq!(alone.reachable, U64::from(1));
    for index in 0..3 {
        let health = health(index).await.unwrap();
        assert_eq!(health.state, HealthState::Finalizing);
        assert!(health.height > alone.height, "{health:?}");
        let away = health.validators.iter().filter(|each| !each.reachable);
        let away: Vec<_> = away.map(|each| each.public_key).collect();
        assert_eq!(away, [outcast]);
    }

    // One after another: three are up at any time.
    for index in 0..3 {
        running.remove(0);
        block(&network, index, &[]);
        running.push(start(index));
        until(async || match health(index).await {
            Ok(health) if health.reachable >= U64::from(3) => Ok(()),
            other => Err(other),
        })
        .await;
    }
    let back = well(3).await;
    assert!(back.height >= alone.height);
}

#[test]
fn whom_to_block_must_be_another_nodes_key() {
    let mut network = Network::start();
    network.stop();
    let file = config(&network, 0);
    let table: toml::Table = toml::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    // The only node, which is this one.
    let own = table["p2p"]["peers"][0]["public_key"].as_str().unwrap();
    for (key, expected) in [("0x12", "p2p.blocked"), (own, "has this node's own key")] {
        block(&network, 0, &[key.to_owned()]);
        let (code, text) = said(ashlar(&["node", "--config"]).arg(&file));
        assert!(code == 1 && text.contains(expected), "{text}");
    }
}

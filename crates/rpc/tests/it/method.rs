//! The table of methods.

use crate::node::Node;
use serde_json::json;
use std::collections::BTreeSet;

/// Names of methods in the tables of `docs/json-rpc.md`.
fn documented() -> BTreeSet<&'static str> {
    let text = include_str!("../../../../docs/json-rpc.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split_once('`').map(|(name, _)| name))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_served_is_documented() {
    let served: BTreeSet<&str> = rpc::METHODS.iter().copied().collect();
    assert_eq!(served, documented());
    let node = Node::start_dev(true).await;
    let modules = node.call("rpc_modules", json!([])).await;
    let modules: BTreeSet<&str> = modules
        .as_object()
        .unwrap()
        .keys()
        .map(|key| &**key)
        .collect();
    let prefixes = served.iter().map(|name| name.split_once('_').unwrap().0);
    assert_eq!(modules, prefixes.collect());
}

//! `/v1/governance`, as far as it can be told without the contracts: `bin/ashlar` tests it against a network that has them.

use crate::harness::{Harness, problem};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_known_is_refused_by_name() {
    let harness = Harness::start().await;
    harness.ready().await;
    for (path, code) in [
        ("?limit=0", "parameter_invalid"),
        ("?limit=21", "parameter_invalid"),
        ("?before=first", "parameter_invalid"),
        ("?page=1", "parameter_invalid"),
        ("/first", "parameter_invalid"),
        ("/-1", "parameter_invalid"),
        // The scripted node has no governing contracts.
        ("", "node_unavailable"),
        ("/1", "node_unavailable"),
    ] {
        for list in ["governance/proposals", "pauses/motions", "disputes"] {
            let url = format!("{}/v1/{list}{path}", harness.url);
            let call = harness.http.get(url);
            let call = call.header("authorization", format!("Bearer {}", harness.acme));
            let refused = problem(call.send().await.unwrap()).await;
            assert_eq!(refused.code, code, "{list}{path}");
        }
    }
}

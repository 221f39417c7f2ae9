//! Every route of the OpenAPI document is here, and says who may use it. A new route without a line here fails.

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::harness::{Harness, problem, shipment};

#[derive(Debug, PartialEq, Eq)]
enum Access {
    /// Whoever reaches the gateway.
    Public,
    /// Who has a tenant's key; nothing of another tenant (`record::tenants_do_not_see_each_other`).
    Tenant,
}

const ROUTES: &[(&str, &str, Access)] = &[
    ("get", "/", Access::Public),
    ("get", "/docs", Access::Public),
    ("get", "/healthz", Access::Public),
    ("get", "/metrics", Access::Public),
    ("get", "/openapi.json", Access::Public),
    ("get", "/readyz", Access::Public),
    ("get", "/v1/disputes", Access::Tenant),
    ("post", "/v1/disputes", Access::Tenant),
    ("get", "/v1/disputes/{number}", Access::Tenant),
    ("post", "/v1/disputes/{number}/answer", Access::Tenant),
    ("post", "/v1/disputes/{number}/compensation", Access::Tenant),
    ("post", "/v1/disputes/{number}/evidence", Access::Tenant),
    ("post", "/v1/disputes/{number}/votes", Access::Tenant),
    ("post", "/v1/disputes/{number}/withdraw", Access::Tenant),
    ("get", "/v1/governance/proposals", Access::Tenant),
    ("post", "/v1/governance/proposals", Access::Tenant),
    ("get", "/v1/governance/proposals/{number}", Access::Tenant),
    (
        "post",
        "/v1/governance/proposals/{number}/cancel",
        Access::Tenant,
    ),
    (
        "post",
        "/v1/governance/proposals/{number}/execute",
        Access::Tenant,
    ),
    (
        "post",
        "/v1/governance/proposals/{number}/votes",
        Access::Tenant,
    ),
    ("post", "/v1/governance/transactions", Access::Tenant),
    ("get", "/v1/members", Access::Tenant),
    ("post", "/v1/members/accounts", Access::Tenant),
    ("post", "/v1/members/nodes", Access::Tenant),
    ("get", "/v1/pauses/motions", Access::Tenant),
    ("post", "/v1/pauses/motions", Access::Tenant),
    ("get", "/v1/pauses/motions/{number}", Access::Tenant),
    (
        "post",
        "/v1/pauses/motions/{number}/approvals",
        Access::Tenant,
    ),
    ("get", "/v1/records", Access::Tenant),
    ("post", "/v1/records", Access::Tenant),
    ("get", "/v1/records/{id}", Access::Tenant),
    (
        "get",
        "/v1/records/{id}/attachments/{index}",
        Access::Tenant,
    ),
    ("delete", "/v1/records/{id}/content", Access::Tenant),
    ("get", "/v1/records/{id}/receipt", Access::Tenant),
    ("get", "/v1/stake", Access::Tenant),
    ("post", "/v1/stake/bonds", Access::Tenant),
    ("post", "/v1/stake/unbondings", Access::Tenant),
    ("post", "/v1/stake/withdrawals", Access::Tenant),
];

fn documented(document: &Value) -> Vec<(String, String, bool)> {
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let needs_key = operation["security"]
                .as_array()
                .unwrap()
                .iter()
                .any(|one| one.get("api_key").is_some());
            routes.push((method.clone(), path.clone(), needs_key));
        }
    }
    routes.sort_by(|a, b| (&a.1, &a.0).cmp(&(&b.1, &b.0)));
    routes
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_says_who_may_use_it_and_means_it() {
    let harness = Harness::start().await;
    harness.ready().await;
    let document: Value = harness.get("/openapi.json").await.json().await.unwrap();
    let expected: Vec<_> = ROUTES
        .iter()
        .map(|(method, path, access)| {
            (
                (*method).to_owned(),
                (*path).to_owned(),
                *access == Access::Tenant,
            )
        })
        .collect();
    assert_eq!(
        documented(&document),
        expected,
        "a route has no line here, or documents another access"
    );

    let id = harness
        .client()
        .record("k", &crate::harness::request(&shipment(1)))
        .await
        .unwrap()
        .id;
    for (method, path, access) in ROUTES {
        let path = path
            .replace("{id}", &id.to_string())
            .replace("{index}", "0");
        let method: Method = method.to_uppercase().parse().unwrap();
        let call = |key: Option<&str>| {
            let call = harness
                .http
                .request(method.clone(), format!("{}{path}", harness.url));
            let call = call.header("idempotency-key", "k").json(&shipment(1));
            match key {
                Some(key) => call.header("authorization", key),
                None => call,
            }
        };
        let wrong = [
            None,
            Some("Bearer "),
            Some("Bearer ashlar_0123456789"),
            Some("Basic YWNtZTphY21l"),
            Some(&harness.acme[..]),
            Some("Bearer"),
        ];
        for key in wrong {
            let response = call(key).send().await.unwrap();
            if *access == Access::Public {
                assert!(response.status().is_success(), "{method} {path} {key:?}");
                continue;
            }
            assert_eq!(
                response.status(),
                StatusCode::UNAUTHORIZED,
                "{method} {path} {key:?}"
            );
            assert_eq!(response.headers()["www-authenticate"], "Bearer");
            assert_eq!(problem(response).await.code, "unauthorized");
        }
        let right = call(Some(&format!("bearer {}", harness.acme)))
            .send()
            .await
            .unwrap();
        assert_ne!(right.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
        let twice =
            call(Some(&format!("Bearer {}", harness.acme))).header("authorization", "Bearer x");
        if *access == Access::Tenant {
            assert_eq!(
                twice.send().await.unwrap().status(),
                StatusCode::UNAUTHORIZED,
                "{method} {path}"
            );
        }
    }
}

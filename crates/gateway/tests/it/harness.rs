//! A gateway with its nodes, in one process, on loopback.

use std::{path::Path, sync::Arc, time::Duration};

use alloy_primitives::B256;
use alloy_signer_local::PrivateKeySigner;
use client::{gateway::Gateway as Client, problem::Problem, record::RecordRequest};
use gateway::{ApiKey, Config, Gateway, config::Limits};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json, value::RawValue};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::node::{Behaviour, Node, World};

/// How long anything may take that must happen.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Harness {
    pub world: Arc<World>,
    pub nodes: Vec<Node>,
    pub dir: tempfile::TempDir,
    pub config: Config,
    pub url: String,
    pub acme: String,
    pub other: String,
    pub http: reqwest::Client,
    running: Option<Running>,
}

struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), gateway::Error>>,
}

fn signer() -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&B256::repeat_byte(0x42)).unwrap()
}

/// A file only its owner can read.
pub fn write_secret(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

impl Harness {
    pub async fn start() -> Self {
        Self::with(&[Behaviour::Honest], |_| {}).await
    }

    pub async fn with(behaviours: &[Behaviour], adjust: impl FnOnce(&mut Config)) -> Self {
        let mut harness = Self::prepared(behaviours, adjust).await;
        harness.run().await.unwrap();
        harness
    }

    /// Everything but a running gateway.
    pub async fn prepared(behaviours: &[Behaviour], adjust: impl FnOnce(&mut Config)) -> Self {
        let world = World::new(signer().address());
        let mut nodes = Vec::new();
        for behaviour in behaviours {
            nodes.push(Node::start(&world, *behaviour).await);
        }
        let dir = tempfile::tempdir().unwrap();
        write_secret(&dir.path().join("relayer.key"), &"42".repeat(32));
        let network = world.chain().network.clone();
        let ((acme, acme_key), (other, other_key)) =
            (ApiKey::generate("acme"), ApiKey::generate("other"));
        let mut config = Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            data_dir: dir.path().to_owned(),
            nodes: nodes.iter().map(Node::url).collect(),
            relayer_key_file: None,
            create_relayer_key: false,
            network: gateway::config::NetworkConfig {
                chain_id: network.chain_id,
                genesis: network.genesis,
                identity: network.identity,
            },
            api_keys: vec![acme_key, other_key],
            limits: Limits {
                stall_seconds: 2,
                ..Limits::default()
            },
        };
        adjust(&mut config);
        let http = reqwest::Client::builder()
            .timeout(PATIENCE)
            .build()
            .unwrap();
        Self {
            world,
            nodes,
            dir,
            config,
            url: String::new(),
            acme,
            other,
            http,
            running: None,
        }
    }

    pub async fn run(&mut self) -> Result<(), gateway::Error> {
        let gateway = Gateway::start(self.config.clone()).await?;
        self.url = format!("http://{}", gateway.address());
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(gateway.run(async move { drop(stopped.await) }));
        self.running = Some(Running { stop, task });
        Ok(())
    }

    /// As `kill -9`, as far as one process can: nothing is finished.
    pub async fn kill(&mut self) {
        let running = self.running.take().unwrap();
        running.task.abort();
        let _ = running.task.await;
        // The writer's thread lets go of the directory when the last task that holds it is gone.
        until(|| async { db_is_free(self.dir.path()) }).await;
    }

    pub async fn stop(&mut self) -> Result<(), gateway::Error> {
        let running = self.running.take().unwrap();
        running.stop.send(()).unwrap();
        running.task.await.unwrap()
    }

    pub fn client(&self) -> Client {
        Client::new(&self.url, &self.acme).unwrap()
    }

    /// A call with the key of the tenant `acme`.
    pub fn call(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.url))
            .bearer_auth(&self.acme)
    }

    pub fn post(&self, path: &str, key: &str, body: &Value) -> RequestBuilder {
        self.call(Method::POST, path)
            .header("idempotency-key", key)
            .json(body)
    }

    pub async fn get(&self, path: &str) -> Response {
        self.call(Method::GET, path).send().await.unwrap()
    }

    /// Waits until `/readyz` says yes.
    pub async fn ready(&self) {
        until(|| async { self.get("/readyz").await.status() == StatusCode::OK }).await;
    }

    pub async fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").await.text().await.unwrap();
        let line = text
            .lines()
            .find(|line| line.split([' ', '{']).next() == Some(name));
        line.and_then(|line| line.rsplit(' ').next())
            .unwrap_or_else(|| panic!("no {name}: {text}"))
            .parse()
            .unwrap()
    }
}

fn db_is_free(dir: &Path) -> bool {
    let lock = std::fs::File::open(dir.join("gateway.lock")).unwrap();
    lock.try_lock().is_ok()
}

/// Waits for a condition.
pub async fn until<F: Future<Output = bool>>(mut condition: impl FnMut() -> F) {
    // Looked at again and again, but not so often that what it waits for gets no processor.
    let mut look = tokio::time::interval(Duration::from_millis(5));
    let holds = async {
        while !condition().await {
            look.tick().await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, holds).await;
    assert!(waited.is_ok(), "it did not come true in {PATIENCE:?}");
}

pub fn shipment(order: u64) -> Value {
    json!({"type": "shipment", "data": {"order": order, "pallets": [1, 2.5, "three"], "note": "fragile \u{e9}"}})
}

pub fn request(value: &Value) -> RecordRequest {
    RecordRequest {
        kind: value["type"].as_str().unwrap().to_owned(),
        data: RawValue::from_string(value["data"].to_string()).unwrap(),
        attachments: vec![],
    }
}

/// The problem in a refusal, checked for its form.
pub async fn problem(response: Response) -> Problem {
    let status = response.status();
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json",
        "{status}"
    );
    let text = response.text().await.unwrap();
    let problem: Problem =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(problem.status, status.as_u16());
    assert_eq!(problem.kind, format!("urn:ashlar:problem:{}", problem.code));
    assert!(
        !problem.title.is_empty() && !problem.detail.is_empty() && !problem.next.is_empty(),
        "{text}"
    );
    problem
}

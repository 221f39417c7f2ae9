//! The least server that can answer `eth_getBalance`: HTTP by axum, JSON-RPC by serde, one look into a map. `cargo xtask
//! scenario reads` measures it beside a node, so that what a read costs is told in a unit that any machine has.
//!
//! Takes a free port on loopback, prints its URL, and serves until it is ended.

use axum::{
    Router,
    body::Bytes,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::post,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    io,
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{net::TcpListener, runtime::Builder};

/// Threads that serve: a node's default.
const THREADS: usize = 2;

#[derive(Deserialize)]
struct Request<'a> {
    id: u64,
    method: &'a str,
    params: (&'a str, &'a str),
}

#[derive(Serialize)]
struct Answer {
    jsonrpc: &'static str,
    id: u64,
    result: String,
}

type Balances = Mutex<HashMap<String, u128>>;

fn main() -> io::Result<()> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let balances = Arc::new(Balances::default());
        let serve = async move |body: Bytes| answer(&balances, &body);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("http://{}", listener.local_addr()?);
        axum::serve(listener, Router::new().route("/", post(serve))).await
    })
}

fn answer(balances: &Balances, body: &[u8]) -> Response {
    let request = serde_json::from_slice::<Request<'_>>(body).ok();
    let Some(request) = request.filter(|request| request.method == "eth_getBalance") else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let (account, _) = request.params;
    let balances = balances.lock().unwrap_or_else(PoisonError::into_inner);
    // Whoever it does not know is rich.
    let balance = balances.get(account).copied().unwrap_or(1 << 80);
    let answer = Answer {
        jsonrpc: "2.0",
        id: request.id,
        result: format!("{balance:#x}"),
    };
    match serde_json::to_string(&answer) {
        Ok(answer) => ([(header::CONTENT_TYPE, "application/json")], answer).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
